"""From a run's data settings to its images: the one place that knows which data set offers what."""

from collections.abc import Callable

import numpy as np
import torch

from depthseg_lib.config import DataSettings
from depthseg_lib.data import camvid, objects, real_video, street_flow, streets
from depthseg_lib.data.depth_camera import DepthCamera
from depthseg_lib.data.sets import Labelled, Photographs, Video
from depthseg_lib.errors import InputError
from depthseg_lib.project import project_path

SPLIT_SEED = 16
"""Seed of the one random order of the annotated images; the training set is the first of them (section 4.2)."""
Progress = Callable[[str], None]


def load_video(settings: DataSettings, progress: Progress | None = None) -> Video:
    """The unlabelled video that depth is pre-trained on."""
    if settings.data_set == "streets":
        return streets.video(_streets(settings), _device(), progress)
    return real_video.load(project_path(settings.data_folder), settings.height, settings.width, progress)


def load_flow(
    settings: DataSettings, pairs: np.ndarray, progress: Progress | None = None
) -> np.ndarray | None:
    """The exact flow (N 2 H W pixels) between the frames of `pairs` (N 2) of the video; None where there is none.

    The embedded world has it from a frame to the next one; real sets, and pairs further apart, have none.
    """
    if settings.data_set != "streets" or (pairs[:, 1] - pairs[:, 0] != 1).any():
        return None
    return street_flow.flow(_streets(settings), pairs[:, 0], _device(), progress)


def depth_camera(settings: DataSettings) -> DepthCamera | None:
    """The camera whose range and holes the video's depth is to be given; None where a real one has measured it."""
    return DepthCamera() if settings.data_set == "streets" else None


def load_photographs(settings: DataSettings, progress: Progress | None = None) -> Photographs:
    """The object photographs that classification is pre-trained on: the embedded world's, whatever the data set."""
    config = objects.PhotographsConfig(size=64, count=settings.photographs, seed=settings.world_seed)
    return objects.photographs(config, _device(), progress)


def load_annotated(settings: DataSettings, images: int, progress: Progress | None = None) -> tuple[Labelled, Labelled]:
    """A training set of `images` annotated images, and the validation set.

    Both are fixed: the training set is the first of one random order. Validation is on the rest of the embedded
    world's annotated images, as in the paper, and on CamVid's test split there. Where no rest is left, it is on the
    training set itself (the paper's "accuracy on the whole dataset", section 4.2).
    """
    if settings.data_set == "streets":
        everything = streets.annotated(_streets(settings), settings.annotated, _device(), progress)
        order = split_order(settings.annotated)
        rest = order[images:] if images < len(order) else order
        return everything.subset(_first(order, images, "the embedded world")), everything.subset(rest)
    folder, size = project_path(settings.data_folder) / "camvid", (settings.height, settings.width)
    training = camvid.labelled(folder, "train", *size, progress=progress)
    order = split_order(len(training.images))
    validation = camvid.labelled(folder, "test", *size, progress=progress)
    return training.subset(_first(order, images, folder)), validation.subset(split_order(len(validation.images)))


def split_order(count: int) -> np.ndarray:
    """The fixed random order of `count` annotated images."""
    return np.random.default_rng(SPLIT_SEED).permutation(count)


def check(settings: DataSettings, images: int, progress: Progress | None = None) -> None:
    """Raise `InputError` now if the data set is not there, broken, or too small for `images` training images.

    A small real set is read whole: what is cut short, of the wrong size or wrongly labelled is found before training.
    """
    if settings.data_set == "streets":
        return
    if not settings.data_folder:
        parts = ", ".join(real_video.PARTS)
        raise InputError(f"this profile needs DATA=folder, one that holds {parts}; none was given")
    folder = project_path(settings.data_folder)
    real_video.check(folder)
    _first(split_order(len(camvid.files(folder / "camvid", "train"))), images, folder)
    load_annotated(settings, images, progress)
    load_video(settings, progress).triplets()


def _first(order: np.ndarray, images: int, where) -> np.ndarray:
    if images > len(order):
        raise InputError(f"{where} has {len(order)} annotated training images, but the run asks for {images}")
    return order[:images]


def _device() -> str:
    """Where the embedded world is rendered."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _streets(settings: DataSettings) -> streets.StreetsConfig:
    return streets.StreetsConfig(
        height=settings.height,
        width=settings.width,
        streets=settings.streets,
        frames=settings.frames,
        seed=settings.world_seed,
    )
