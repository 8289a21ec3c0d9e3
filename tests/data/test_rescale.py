"""Rescaled images: their canvas, their mirrored rest, and predictions that come back to the labels' size."""

import numpy as np
import pytest
import torch
from torch import nn

from depthseg_lib.analysis.measurements import rescaling
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.data.resize import FACTORS, canvas, on_canvas, rescaled
from depthseg_lib.models.networks import SegmentationNetwork


class Colours(nn.Module):
    """A network that knows three classes: how red, green and blue a pixel is."""

    def __init__(self):
        super().__init__()
        self.sizes, self.weight = [], nn.Parameter(torch.zeros(1))

    def forward(self, images):
        self.sizes.append(tuple(images.shape[2:]))
        return images


def coloured(count=2, height=64, width=96) -> Labelled:
    """Images whose colour is their label: blocks of three classes, with a border of void."""
    labels = np.zeros((count, height, width), np.uint8)
    labels[:, : height // 2, width // 3 :] = 1
    labels[:, height // 4 :, 2 * width // 3 :] = 2
    images = (np.eye(3)[labels] * 255).astype(np.uint8).transpose(0, 3, 1, 2)
    labels[:, -3:] = VOID
    return Labelled(images, labels, KITTI, tuple(map(str, range(count))))


@pytest.mark.parametrize("size", [(64, 192), (64, 96), (192, 640), (96, 128)])
@pytest.mark.parametrize("factor", FACTORS)
def test_a_canvas_is_of_a_size_that_networks_take_with_the_image_in_its_middle(size, factor):
    place = canvas(*size, factor)
    assert place.height % 32 == place.width % 32 == 0 and min(place.height, place.width) >= 64
    assert (place.rows, place.columns) == tuple(round(factor * length) for length in size)
    margins = [place.top, place.height - place.top - place.rows], [place.left, place.width - place.left - place.columns]
    assert all(0 <= low <= high <= low + 1 for low, high in margins)
    assert factor < 1 or place.height < place.rows + 32


def test_the_rest_of_a_canvas_is_the_image_mirrored():
    image = np.random.default_rng(0).integers(0, 256, (3, 64, 96), np.uint8)
    assert np.array_equal(on_canvas(image, 1.0), image)
    small, place = rescaled(image, 0.5), canvas(64, 96, 0.5)
    whole = on_canvas(image, 0.5)
    assert whole.shape == (3, 64, 64) and (place.top, place.left) == (16, 8)
    assert np.array_equal(whole[:, 16:48, 8:56], small)
    assert np.array_equal(whole[:, 15], whole[:, 16]) and np.array_equal(whole[:, 14], whole[:, 17])
    assert np.array_equal(whole[:, :, 7], whole[:, :, 8]) and np.array_equal(whole[:, :, 57], whole[:, :, 54])


def test_an_image_is_antialiased_when_it_shrinks():
    stripes = np.zeros((3, 64, 96), np.uint8)
    stripes[:, :, ::2] = 255
    assert np.abs(rescaled(stripes, 0.5).astype(int)[:, 4:-4, 4:-4] - 127).max() <= 2


def test_predictions_come_back_to_the_place_that_they_are_of():
    truth, network = coloured(), Colours()
    shown = rescaling.predictions(network, rescaling.at_all_factors(truth.images), (64, 96))
    rows = rescaling.scores(shown, truth)
    assert [row["factor"] for row in rows] == list(FACTORS)
    assert {row["factor"]: row["accuracy"] for row in rows}[1.0] == 1 and min(row["accuracy"] for row in rows) > 0.96
    assert network.sizes == [(64, 64), (64, 64), (64, 96), (96, 160), (128, 192)]
    assert shown.shape == (5, 2, 64, 96) and shown.dtype == np.uint8
    assert np.array_equal(shown[2][:, :-3], truth.labels[:, :-3])


def test_factor_1_is_the_network_itself():
    torch.manual_seed(0)
    network, truth = SegmentationNetwork("resnet18-slim", 19).eval(), coloured()
    with torch.no_grad():
        plain = network(torch.from_numpy(truth.images).float() / 255).argmax(1).numpy()
    found = rescaling.predictions(network, rescaling.at_all_factors(truth.images)[2:3], (64, 96))[0]
    assert (found == plain).mean() > 0.999  # sums in another order may tip a pixel
