"""From a run's data settings to its images: the one place that knows which data set offers what.

A real set is a subclass of `listing.Listing` in a file below `sets/`, which says once what it holds; here it gets its
name.
"""

import numpy as np
import torch

from depthseg_lib.data import photographs, streets
from depthseg_lib.data.arrays import Labelled, Photographs, Video, split_triplets
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.labels import VOID
from depthseg_lib.data.sets import image_folder
from depthseg_lib.data.sets.cityscapes import Cityscapes
from depthseg_lib.data.sets.kitti import Kitti
from depthseg_lib.data.sets.listing import Listing
from depthseg_lib.data.sets.nyu import Nyu
from depthseg_lib.data.sets.own import Own
from depthseg_lib.data.streets import DepthCamera
from depthseg_lib.errors import InputError
from depthseg_lib.files import project_path
from depthseg_lib.settings import DataSettings, PretrainConfig

SPLIT_SEED = 16
"""Seed of the random orders of the annotated images; a training set is the first of one (section 4.2)."""
REAL_SETS: dict[str, type[Listing]] = {"kitti": Kitti, "nyu": Nyu, "cityscapes": Cityscapes, "folder": Own}
"""The listing of each real set, by the name that a run's settings give it."""


def load_video(settings: DataSettings, progress: Progress = None) -> Video:
    """The unlabelled video that depth is pre-trained on."""
    if settings.data_set == "streets":
        return streets.video(_streets(settings), _device(), progress)
    found = listed(settings)
    for remark in found.remarks if progress else ():
        progress(f"note: {remark}")
    return found.video(settings.height, settings.width, progress)


def load_flow(settings: DataSettings, pairs: np.ndarray, progress: Progress = None) -> np.ndarray | None:
    """The exact flow (N 2 H W pixels) between the frames of `pairs` (N 2) of the video; None where there is none.

    The embedded world has it from a frame to the next one; real sets, and pairs further apart, have none.
    """
    if settings.data_set != "streets" or (pairs[:, 1] - pairs[:, 0] != 1).any():
        return None
    return streets.flow(_streets(settings), pairs[:, 0], _device(), progress)


def depth_camera(settings: DataSettings) -> DepthCamera | None:
    """The camera whose range and holes the video's depth is to be given; None where a real one has measured it."""
    return DepthCamera() if settings.data_set == "streets" else None


def load_photographs(settings: PretrainConfig, progress: Progress = None) -> Photographs:
    """The photographs that classification is pre-trained on: a folder's where one is given, else the embedded world's,
    whatever the data set."""
    if settings.photographs_folder:
        found = image_folder.listed(settings.photographs_folder)
        return image_folder.photographs(found, settings.photograph_size, progress)
    config = photographs.PhotographsConfig(size=64, count=settings.photographs, seed=settings.world_seed)
    return photographs.photographs(config, _device(), progress)


def load_annotated(
    settings: DataSettings, images: int, progress: Progress = None, trial: int = 0
) -> tuple[Labelled, Labelled]:
    """The training set of `images` annotated images that a trial draws, and its validation set.

    A trial's training sets are the first of one random order of its own, so that a small one is part of a larger one.
    Validation is the same for all trials in the embedded world and where a real set has test images of its own; else
    it is on those that the trial has not drawn, as in the paper. Where all are drawn, it is on the training set itself
    (the paper's "accuracy on the whole dataset", section 4.2). Raises `InputError` where one of the two has no labelled
    pixel.
    """
    if settings.data_set == "streets":
        count = settings.annotated + settings.validation
        every = streets.annotated(_streets(settings), count, _device(), progress)
        pool, test = (every.view(np.arange(*of)) for of in ((0, settings.annotated), (settings.annotated, count)))
    else:
        pool, test = listed(settings).annotated(settings.height, settings.width, progress)
    order = split_order(len(pool.images), trial)
    drawn = _first(order, images, settings.data_folder or "the embedded world")
    training = pool.view(drawn)
    if settings.data_set == "streets":
        validation = test if images < len(order) else pool
    elif test is not None:
        validation = test.view(split_order(len(test.images)))
    else:
        validation = pool.view(order[images:] if images < len(order) else order)
    for use, of in (("training", training), ("validation", validation)):
        if not any((labels != VOID).any() for labels in of.labels):
            raise InputError(
                f"{settings.data_folder or 'the embedded world'}: every pixel of the {len(of.labels)} {use} images is "
                f"void: expected labels of {', '.join(of.label_set.classes[:3])} and others; look at the label images "
                "and at what is said to be void"
            )
    return training, validation


def split_order(count: int, trial: int = 0) -> np.ndarray:
    """The random order of `count` annotated images in a trial."""
    return np.random.default_rng((SPLIT_SEED, trial)).permutation(count)


def check(
    settings: DataSettings, images: int, frame_step: int = 1, progress: Progress = None, decode: bool = True
) -> None:
    """Raise `InputError` now if the data set is not there, broken, or too small for `images` training images.

    What is annotated, and a short video, is read whole: what is cut short, of the wrong size or wrongly labelled is
    found before training, and so is video without triplets of frames that lie `frame_step` apart. Without `decode` only
    names and counts of files are looked at.
    """
    if settings.data_set == "streets":
        return
    found = listed(settings)
    found.check()
    _first(split_order(found.count), images, found.folder)
    if (longest := max(map(len, found.sequences.values()), default=0)) < 3:
        raise InputError(
            f"{found.folder}: expected video, three frames at least that follow one another, found "
            f"{len(found.sequences)} sequences of at most {longest}: single images are none; give the set's video"
        )
    if not decode:
        return
    load_annotated(settings, images, progress)
    if found.READ_FIRST:
        split_triplets(load_video(settings, progress), frame_step)


def listed(settings: DataSettings) -> Listing:
    """What a real set holds; raises `InputError` where there is no such folder."""
    kind = REAL_SETS[settings.data_set]
    if not settings.data_folder:
        raise InputError(f"the data set '{settings.data_set}' needs DATA=folder, {kind.LAYOUT}; none was given")
    return kind(project_path(settings.data_folder))


def _first(order: np.ndarray, images: int, where) -> np.ndarray:
    if images > len(order):
        raise InputError(f"{where} has {len(order)} annotated training images, but the run asks for {images}")
    return order[:images]


def _device() -> str:
    """Where the embedded world is rendered."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _streets(settings: DataSettings) -> streets.StreetsConfig:
    size = settings.height, settings.width
    return streets.StreetsConfig(*size, settings.streets, settings.frames, settings.world_seed)
