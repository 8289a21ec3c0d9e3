"""NYU-V2's raw dump: scene folders of `r-<time>-<n>.ppm` and `d-<time>-<n>.pgm`, paired by time."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from depthseg_lib.data import folders, ingest, nyu_kinect, resize
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.cache import Progress, source_hash
from depthseg_lib.data.pack import mapped, packed
from depthseg_lib.errors import InputError

LATEST = 1 / 15
"""Seconds that colour and depth of a pair may lie apart: two frames of a camera of 30 Hz."""
_LAYOUT = (
    "the raw dump of NYU-V2 (scene folders such as basement_0001a with r-....ppm and d-....pgm), from "
    "https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html"
)
_NAME = re.compile(r"([rd])-(\d+\.?\d*)-\d+\.(?:ppm|pgm)", re.IGNORECASE)


@dataclass(frozen=True)
class Scene:
    """A scene's colour frames in time order, each with the depth frame nearest in time."""

    colour: tuple[Path, ...]
    depth: tuple[Path, ...]
    """As many; two colour frames may share one."""
    left_out: int
    """Colour frames without a depth frame within `LATEST`."""


def video(root: str | Path, height: int, width: int, *, crop: bool = False, progress: Progress = None) -> Video:
    """All frames of the dump with their depth in metres, at `height` x `width`; every scene is a sequence.

    Frames are as recorded: the colour lens distorts by up to 2 % of the image's width, which the intrinsics leave
    out, but depth is brought into the image through the lens (`nyu_kinect`), so that the two fit. Cameras drop frames,
    so neighbours in a sequence are not always 1/30 s apart. Raises `InputError` where `root` is not the dump, a scene
    has no pair, or a file is broken, of another size or, for depth, in the wrong byte order.
    """
    found = scenes(root)
    if progress and (lost := sum(scene.left_out for scene in found)):
        progress(f"{lost} colour frames have no depth within {LATEST:.3f} s and are left out")
    clips = [ingest.Clip(scene.colour, nyu_kinect.SIZE, nyu_kinect.COLOUR.matrix) for scene in found]
    files = [file for scene in found for file in scene.depth]
    deque(mapped(nyu_kinect.check_pgm, files, None), maxlen=0)  # before hours of work
    frames = ingest.video(clips, height, width, crop, 1, progress)
    return replace(frames, depth=_depth(files, resize.plan(nyu_kinect.SIZE, height, width, crop), progress))


def scenes(root: str | Path) -> list[Scene]:
    """The scenes of the dump by name, directly in `root` or in folders of it; nothing is read but folders."""
    root = folders.existing(root, _LAYOUT)
    near = [root, *folders.subfolders(root)]
    places = [*near, *(part for folder in near[1:] for part in folders.subfolders(folder))]
    found = [scene for place in places if (scene := _scene(place))]
    if not found:
        raise InputError(
            f"{root} is not the raw dump of NYU-V2, it has no scenes: expected {_LAYOUT}, {folders.found(root)}"
        )
    return found


def depth(file: Path, how: resize.Resize) -> np.ndarray:
    """The depth frame `file` in metres, as the colour image sees it, brought to another size by `how`; 0 for none."""
    return nyu_kinect.registered(nyu_kinect.metres(nyu_kinect.raw_depth(file)), how)


def nearest(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of `times` the index of the nearest of `others` (seconds, both rising; the earlier of two as near)."""
    after = np.searchsorted(others, times).clip(1, max(1, len(others) - 1))
    if len(others) == 1:
        return np.zeros(len(times), int)
    return np.where(times - others[after - 1] <= others[after] - times, after - 1, after)


def _scene(folder: Path) -> Scene | None:
    """The pairs of a folder; None where it holds no colour frames."""
    colour, depth = _frames(folder, "r"), _frames(folder, "d")
    if not colour:
        return None
    times, others = (np.array([time for time, _ in frames]) for frames in (colour, depth))
    chosen = nearest(times, others) if depth else np.zeros(len(times), int)
    fits = np.abs(others[chosen] - times) <= LATEST if depth else np.zeros(len(times), bool)
    if not fits.any():
        raise InputError(
            f"{folder} has {len(colour)} colour and {len(depth)} depth frames, but none within {LATEST:.3f} s of one "
            "another: expected both kinds of the same recording; fetch the scene again, or remove it"
        )
    pairs = [(colour[i][1], depth[chosen[i]][1]) for i in np.flatnonzero(fits)]
    return Scene(*(tuple(files) for files in zip(*pairs, strict=True)), left_out=int((~fits).sum()))


def _frames(folder: Path, kind: str) -> list[tuple[float, Path]]:
    """Time in seconds and file of the frames of a kind (r or d) in a folder, in time order."""
    named = [(match, file) for file in folder.iterdir() if (match := _NAME.fullmatch(file.name))]
    return sorted((float(match[2]), file) for match, file in named if match[1].lower() == kind)


def _depth(files: Sequence[Path], how: resize.Resize, progress: Progress) -> np.ndarray:
    """Depth (N H W float16 metres) of the colour images from the depth frames `files`."""

    def one(file: Path) -> tuple[np.ndarray]:
        return (depth(file, how),)

    key = {"how": asdict(how), "code": source_hash(__file__, nyu_kinect.__file__, resize.__file__)}
    arrays = {"depth": (np.float16, (how.height, how.width))}
    return packed("nyu_depth", key, files, arrays, files, one, progress)[0]
