"""Sizes of things: components and boxes by hand, and the range that training shows against training's own crops."""

import numpy as np
import pandas as pd
import pytest
import torch

from depthseg_lib.analysis.measurements import sizes as object_sizes
from depthseg_lib.data.arrays import Photographs
from depthseg_lib.data.batches import photograph_batch
from depthseg_lib.data.labels import CAMVID, KITTI, VOID
from depthseg_lib.errors import InputError

CAR, TRUCK, ROAD = (KITTI.classes.index(name) for name in ("car", "truck", "road"))


def test_components_of_each_class_by_hand():
    labels = np.full((2, 20, 30), ROAD, np.uint8)
    labels[0, 2:6, 3:12] = CAR
    labels[0, 6:8, 12:13] = CAR  # touches the other by a corner: one thing
    labels[0, 2:6, 20:24] = TRUCK
    labels[1, 10:14, 0:4] = CAR
    labels[1, 10:14, 2] = VOID  # hidden by something: two parts
    found = object_sizes.in_labels(labels, KITTI)
    rows = [tuple(row) for row in found.drop(columns="size").itertuples(index=False)]
    assert sorted(rows) == [
        ("car", 0, 2, 3, 6, 10, 38),
        ("car", 1, 10, 0, 4, 2, 8),
        ("car", 1, 10, 3, 4, 1, 4),
        ("truck", 0, 2, 20, 4, 4, 16),
    ]
    assert found.set_index("thing")["size"]["truck"] == 4
    assert found["size"].max() == pytest.approx(60**0.5)


def test_other_names_of_a_class_are_those_of_the_photographs():
    labels = np.full((1, 8, 8), CAMVID.classes.index("pedestrian"), np.uint8)
    labels[0, :, 4:] = CAMVID.classes.index("building")
    found = object_sizes.in_labels(labels, CAMVID)
    assert list(found["thing"]) == ["person"] and list(found["width"]) == [4]


def test_a_thing_in_a_photograph_is_one_even_where_it_is_cut_up():
    masks = np.zeros((3, 16, 16), bool)
    masks[0, 4:8, 2:5], masks[0, 4:8, 9:12] = True, True
    masks[2, 1:3, 1:9] = True  # of the second, nothing is visible
    found = object_sizes.in_masks(masks, ["bicycle", "car", "car"])
    assert [tuple(row) for row in found.itertuples(index=False)] == [
        ("bicycle", 0, 4, 2, 4, 10, 24, 40**0.5),
        ("car", 2, 1, 1, 2, 8, 16, 4.0),
    ]


def test_twice_as_large_is_twice_the_size():
    assert object_sizes.size(6, 24) == 12 and object_sizes.size(12, 48) == 24


@pytest.mark.parametrize("side", [16, 36])
def test_the_seen_range_is_that_of_the_crops_of_the_training(side):
    """Measured on squares that go through the training's own augmentation; a pixel's edge is not a whole number."""
    images = np.zeros((1, 3, 64, 64), np.uint8)
    images[:, :, 32 - side // 2 : 32 + side // 2, 32 - side // 2 : 32 + side // 2] = 255
    photographs = Photographs(images, np.zeros(1, np.int64), ("square",))
    generator = torch.Generator().manual_seed(0)
    batch, _ = photograph_batch(photographs, torch.zeros(600, dtype=torch.long), generator, "cpu")
    boxes = object_sizes.in_masks((batch[:, 0] >= 0.5).numpy(), ["square"] * 600)
    expected = np.percentile(boxes["size"], object_sizes.RANGE)
    assert object_sizes.seen_range([side], 64) == pytest.approx(expected, rel=0.06)


def test_a_thing_never_grows_beyond_its_photograph():
    assert object_sizes.seen_range([60], 64)[1] == 64
    with pytest.raises(InputError, match="no photograph of the class"):
        object_sizes.seen_range([], 64)


def table(where, thing, sizes) -> pd.DataFrame:
    sizes = np.asarray(sizes, float)
    return pd.DataFrame({"where": where, "thing": thing, "size": sizes, "pixels": (sizes**2).astype(int)})


def test_mismatch_counts_objects_and_their_pixels_by_hand():
    parts = [
        *(table("photographs", "car", [40] * 10), table("streets", "car", [2, 4, 50, 60])),
        *(table("photographs", "bus", [50] * 10), table("streets", "train", [5])),
    ]
    (car,) = object_sizes.mismatch(pd.concat(parts, ignore_index=True), 64).to_dict("records")
    low, high = object_sizes.seen_range([40] * 10, 64)
    assert 40 < low < 42 and 54 < high < 57  # a factor of 1 to 1.41
    assert car["thing"] == "car" and (car["low"], car["high"]) == (low, high)
    assert (car["photographs"], car["objects"], car["median"]) == (10, 4, 27)
    pixels = 4 + 16 + 2500 + 3600
    assert (car["smaller"], car["larger"]) == (0.5, 0.25)
    assert car["pixels_smaller"] == pytest.approx(20 / pixels)
    assert car["pixels_larger"] == pytest.approx(3600 / pixels)


def test_a_crop_shows_the_object_that_its_box_says():
    image = np.zeros((3, 64, 192), np.uint8)
    image[:, 30:40, 100:190] = 9
    for left, width in ((100, 90), (0, 8)):
        box = {"top": 30, "left": left, "height": 10, "width": width}
        top, start, picture = object_sizes._around(image, box)
        assert np.array_equal(picture, image[:, top : top + 64, start : start + picture.shape[2]])
        assert picture.shape[2] == max(64, int(1.15 * width)) and start <= left <= start + picture.shape[2] - width


def test_real_images_are_not_among_the_examples():
    rows = [("car", 0, 5, 5, 20, 30, 400, 24.5, "photographs"), ("car", 0, 1, 1, 4, 4, 16, 4.0, "streets")]
    columns = ["thing", "image", "top", "left", "height", "width", "pixels", "size", "where"]
    photographs = np.zeros((1, 3, 64, 64), np.uint8)
    shown, examples = object_sizes._examples(pd.DataFrame(rows, columns=columns), photographs, None)
    assert list(shown["kind"]) == ["photograph"] and set(examples) == {"car.photograph"}
