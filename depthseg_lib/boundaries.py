"""How much of a map lies at the borders between labels: a score for "activations align with semantic boundaries"."""

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_gradient_magnitude

from depthseg_lib.data.labels import VOID
from depthseg_lib.errors import InputError

REACH = 2 / 64
"""Reach of the border band, in image heights: 2 pixels at a height of 64, 6 at 192."""
SMOOTHING = 1 / 64
"""Standard deviation of the Gaussian before the image's gradient is taken, in image heights."""
_GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R BT.601."""


def label_borders(labels: np.ndarray) -> np.ndarray:
    """Pixels (H W bool) of which one of the four neighbours has another label; void borders on nothing."""
    border = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        first, second = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        differ = (first != second) & (first != VOID) & (second != VOID)
        along = np.moveaxis(border, axis, 0)  # a view: what is set here is set in `border`
        along[:-1] |= differ
        along[1:] |= differ
    return border


def border_band(labels: np.ndarray, reach: float) -> np.ndarray:
    """Labelled pixels (H W bool) at most `reach` pixels (Euclidean) from a border pixel, which are at 0 themselves.

    Both sides of a border are border pixels, so a straight border and a reach of 2 make a band of six pixels.
    """
    border = label_borders(labels)
    if not border.any():
        return border
    return (distance_transform_edt(~border) <= reach) & (labels != VOID)


def border_reach(height: int) -> float:
    """The reach of the border band in pixels, for images of this height."""
    return REACH * height


def energy_share(energy: np.ndarray, band: np.ndarray, labelled: np.ndarray) -> float:
    """The share of a map's sum over the `labelled` pixels that lies in `band` (all H W); NaN for a map of zeros there.

    Of a map that is the same everywhere this is the band's share of the area. Raises `InputError` for a map with a
    negative value or of another size than the labels.
    """
    if energy.shape != labelled.shape or (energy < 0).any():
        raise InputError(
            f"a map of shape {energy.shape} with least value {energy.min()}: expected one of shape {labelled.shape} "
            "without negative values; enlarge it to the labels' size first"
        )
    total = energy[labelled].sum(dtype=np.float64)
    return float(energy[band & labelled].sum(dtype=np.float64) / total) if total > 0 else np.nan


def image_gradient(image: np.ndarray) -> np.ndarray:
    """Strength of the brightness edges (H W) of an image (3 H W, uint8): what knows edges and nothing of meaning."""
    grey = np.tensordot(_GREY, image.astype(np.float32) / 255, axes=1)
    return gaussian_gradient_magnitude(grey, SMOOTHING * len(grey), mode="nearest")


def enlarged(energy: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map (h w) at an image's size (H W float32), linear between its pixels' centres."""
    shown = Image.fromarray(np.ascontiguousarray(energy, np.float32))
    return np.asarray(shown.resize((width, height), Image.Resampling.BILINEAR))
