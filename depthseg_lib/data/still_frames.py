"""How far a video's frames are apart: a camera that stands still teaches nothing about depth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files
from depthseg_lib.data.arrays import load_arrays
from depthseg_lib.data.cache import Progress, cached, source_hash
from depthseg_lib.data.listing import listing
from depthseg_lib.data.pack import mapped

HEIGHT, WIDTH = 32, 104
"""Size at which frames are compared, pixels: motions near the limit are then a fraction of a pixel, where the linear
measure below holds."""
LEAST = 1.0
"""Mean motion below which a frame counts as still, in pixels of an image `UNIT` wide, as Zhou et al. (2017) have it."""
UNIT = 416


def moving(files: Sequence[Path], progress: Progress = None) -> np.ndarray:
    """Whether the camera moves around each of the consecutive frames `files` (N,) bool.

    That is where the mean of the motion from the frame before and to the one behind is `LEAST` at least; the first and
    the last frame, which lack one of the two, are not called moving. Kept in the cache.
    """
    found = np.zeros(len(files), bool)
    if len(files) > 2:
        between = np.array(_kept(files, progress))
        found[1:-1] = (between[:-1] + between[1:]) / 2 >= LEAST
    return found


def motion(first: np.ndarray, second: np.ndarray) -> float:
    """The mean motion between two grey images (h w) of `WIDTH` columns, in pixels of an image `UNIT` wide.

    From the linear brightness constancy, |change| = |gradient| |motion| |cos|, as the ratio of the means over the image
    times pi / 2, the inverse of the mean |cos| over all directions. Contrast cancels, and so does a change of exposure,
    by the mean that is subtracted first. Traffic that passes a standing car moves a small part of the image only.
    """
    first, second = first.astype(np.float32), second.astype(np.float32)
    change = second - first
    gradient = np.hypot(*np.gradient((first + second) / 2)).mean()
    shift = np.abs(change - change.mean()).mean() / max(gradient, 1e-6)
    return float(np.pi / 2 * shift * UNIT / WIDTH)


def _kept(files: Sequence[Path], progress: Progress) -> np.ndarray:
    """The motion between neighbours (N - 1,), measured once."""

    def build(folder: Path) -> None:
        small = list(mapped(_small, files, progress))
        found = [motion(a, b) for a, b in zip(small, small[1:], strict=False)]
        np.save(folder / "motion.npy", np.array(found, np.float32))

    key = {"files": listing(files).digest, "code": source_hash(__file__, image_files.__file__)}
    return load_arrays(cached("motion", key, build, progress), "motion")[0]


def _small(file: Path) -> np.ndarray:
    return np.asarray(image_files.photograph(file).convert("L").resize((WIDTH, HEIGHT), Image.Resampling.BOX))
