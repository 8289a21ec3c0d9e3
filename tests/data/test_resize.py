"""Crop and resize: intrinsics follow exactly, labels stay ids; rescaled images on a canvas."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from depthseg_lib.analysis.measurements import rescaling
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.data.resize import FACTORS, canvas, on_canvas, plan, rescaled
from depthseg_lib.models.networks import SegmentationNetwork

SIZES = [((375, 1242), 192, 640), ((370, 1226), 96, 128), ((360, 480), 96, 128), ((320, 640), 64, 192), ((9, 7), 5, 6)]


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize(("size", "height", "width"), SIZES)
def test_a_point_is_projected_to_where_its_pixel_went(size, height, width, crop):
    how = plan(size, height, width, crop)
    matrix = np.array([[700.0, 0, 601.3], [0, 690.0, 183.7], [0, 0, 1]])
    point = np.array([0.7, -0.4, 5.0])
    x, y, _ = matrix @ point / point[2]
    moved = how.intrinsics(matrix) @ point / point[2]
    expected = [
        (x - how.left + 0.5) * width / how.columns - 0.5,
        (y - how.top + 0.5) * height / how.rows - 0.5,
        1,
    ]
    assert np.allclose(moved, expected, atol=1e-3)


@pytest.mark.parametrize("crop", [False, True])
def test_intrinsics_agree_with_what_the_resize_does_to_pixels(crop):
    """A blob drawn where a 3-D point projects before is found where it projects after."""
    matrix = np.array([[150.0, 0, 118.4], [0, 160.0, 57.9], [0, 0, 1]])
    point = np.array([0.31, 0.12, 1.0])
    how = plan((120, 240), 48, 64, crop)
    y, x = np.mgrid[:120, :240]
    u, v, _ = matrix @ point
    blob = Image.fromarray((255 * np.exp(-((x - u) ** 2 + (y - v) ** 2) / 60)).astype(np.uint8))
    small = how.image(blob)[0].astype(float)
    y, x = np.mgrid[:48, :64]
    centre = [(small * x).sum() / small.sum(), (small * y).sum() / small.sum()]
    assert np.allclose(centre, (how.intrinsics(matrix) @ point)[:2], atol=0.05)


@pytest.mark.parametrize(("size", "height", "width"), SIZES)
def test_a_crop_is_centred_and_keeps_the_shape(size, height, width):
    how = plan(size, height, width, crop=True)
    assert how.rows == size[0] or how.columns == size[1]
    assert abs(how.rows * width - how.columns * height) <= max(width, height)
    assert abs(size[0] - how.rows - 2 * how.top) <= 1 and abs(size[1] - how.columns - 2 * how.left) <= 1
    assert plan(size, height, width, crop=False).rows == size[0]


def test_grey_becomes_three_equal_channels_and_colour_keeps_its_own():
    how = plan((8, 12), 4, 6, crop=False)
    grey = how.image(Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12)))
    assert grey.shape == (3, 4, 6) and (grey[0] == grey[1]).all() and (grey[0] == grey[2]).all()
    colour = how.image(Image.new("RGB", (12, 8), (10, 20, 30)))
    assert colour[:, 0, 0].tolist() == [10, 20, 30]


def test_images_are_antialiased():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    assert np.ptp(plan((64, 64), 16, 16, crop=False).image(Image.fromarray(stripes))[0, 4:12, 4:12]) < 16


def test_labels_take_no_value_that_was_not_there():
    labels = np.random.default_rng(0).choice([0, 7, 255], (37, 53)).astype(np.uint8)
    small = plan((37, 53), 10, 20, crop=True).label(labels)
    assert small.shape == (10, 20) and small.dtype == np.uint8 and set(np.unique(small)) <= {0, 7, 255}


@pytest.mark.parametrize("crop", [False, True])
def test_labels_and_images_keep_to_the_same_pixels(crop):
    labels = np.kron(np.arange(6).reshape(2, 3), np.ones((20, 30), int)).astype(np.uint8) * 40
    how = plan(labels.shape, 10, 15 if not crop else 12, crop)
    image, label = how.image(Image.fromarray(labels))[0].astype(int), how.label(labels).astype(int)
    assert np.abs(image - label).max() < 20  # half of the step between two labels: no pixel is off by a source pixel


def test_the_same_size_changes_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    how = plan((6, 9), 6, 9, crop=True)
    assert (how.image(Image.fromarray(pixels)) == pixels.transpose(2, 0, 1)).all()
    assert (how.label(pixels[..., 0]) == pixels[..., 0]).all()
    assert np.allclose(how.intrinsics(np.eye(3)), np.eye(3))


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
