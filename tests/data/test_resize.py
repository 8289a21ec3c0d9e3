"""Crop and resize: intrinsics follow exactly, labels stay ids, shapes stay shapes."""

import numpy as np
import pytest
from PIL import Image

from depthseg_lib.data.resize import plan

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
