"""The boundary score against hand-computed cases."""

import numpy as np
import pytest

from depthseg_lib.analysis.measurements.activations import (
    border_band,
    border_reach,
    energy_share,
    enlarged,
    image_gradient,
    label_borders,
)
from depthseg_lib.data.labels import VOID
from depthseg_lib.errors import InputError

HALVES = np.repeat(np.array([[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]], np.uint8), 6, axis=0)
"""Two labels side by side, 6 rows of 10 pixels."""


def columns(mask) -> list[int]:
    assert (mask == mask[0]).all()  # every row alike
    return np.flatnonzero(mask[0]).tolist()


def test_both_sides_of_a_border_are_border_pixels():
    assert columns(label_borders(HALVES)) == [4, 5]
    corner = np.zeros((3, 3), np.uint8)
    corner[1, 1] = 1
    assert label_borders(corner).tolist() == [[False, True, False], [True, True, True], [False, True, False]]


def test_the_band_reaches_as_far_as_asked():
    assert columns(border_band(HALVES, 0)) == [4, 5]
    assert columns(border_band(HALVES, 2)) == [2, 3, 4, 5, 6, 7]
    corner = np.zeros((5, 5), np.uint8)
    corner[0, 0] = 1  # border pixels (0,0), (0,1), (1,0); (1,1) is at distance 1, (2,2) at the root of 5
    assert border_band(corner, 1).sum() == 6 and not border_band(corner, 2)[2, 2] and border_band(corner, 2.3)[2, 2]
    assert not border_band(np.zeros((4, 4), np.uint8), 2).any()


def test_void_is_no_label_and_in_no_band():
    labels = HALVES.copy()
    labels[:, 5:7] = VOID  # between the two labels: no border is left
    assert not label_borders(labels).any() and not border_band(labels, 2).any()
    labels[:, 5:7] = (1, VOID)
    assert columns(border_band(labels, 2)) == [2, 3, 4, 5, 7]


def test_the_reach_grows_with_the_image():
    assert (border_reach(64), border_reach(192)) == (2, 6)


def test_share_of_a_uniform_map_is_that_of_the_area():
    labelled = np.ones(HALVES.shape, bool)
    band = border_band(HALVES, 1)
    assert band.mean() == 0.4
    assert energy_share(np.full(HALVES.shape, 0.3), band, labelled) / 0.4 == pytest.approx(1)


def test_a_map_on_the_border_alone_has_all_its_energy_there():
    labelled = np.ones(HALVES.shape, bool)
    band = border_band(HALVES, 1)
    assert energy_share(label_borders(HALVES) * 5.0, band, labelled) / band.mean() == pytest.approx(1 / 0.4)
    assert energy_share(1.0 * ~band, band, labelled) == 0


def test_by_hand_with_void():
    labels = HALVES.copy()
    labels[:, 9] = VOID
    energy = np.tile(np.arange(10.0), (6, 1))  # labelled columns 0..8 hold 36 a row, the band's 3..6 hold 18
    share = energy_share(energy, border_band(labels, 1), labels != VOID)
    assert share == pytest.approx(18 / 36)


def test_an_empty_map_has_no_share():
    assert np.isnan(energy_share(np.zeros((6, 10)), border_band(HALVES, 1), np.ones((6, 10), bool)))


@pytest.mark.parametrize("energy", [np.zeros((3, 5)), np.full((6, 10), -1.0)])
def test_other_sizes_and_negative_energy_are_refused(energy):
    with pytest.raises(InputError, match="expected one of shape \\(6, 10\\) without negative values"):
        energy_share(energy, border_band(HALVES, 1), np.ones((6, 10), bool))


def test_enlarging_is_linear_between_pixel_centres():
    ramp = enlarged(np.array([[0.0, 4.0]]), 2, 8)
    assert ramp.dtype == np.float32 and np.allclose(ramp, [[0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]] * 2)


def test_the_gradient_of_an_image_lies_on_its_edge():
    image = np.zeros((3, 64, 96), np.uint8)
    image[:, :, 48:] = 255
    strength = image_gradient(image)
    assert columns(strength > 0.9 * strength.max()) == [47, 48]
    assert image_gradient(np.full((3, 64, 96), 200, np.uint8)).max() == pytest.approx(0, abs=1e-6)
