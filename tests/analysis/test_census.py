"""Counting the classes of label images."""

import numpy as np
from helpers.real_data import real_set

from depthseg_lib.analysis.measurements.census import census
from depthseg_lib.data.image_files import label_ids
from depthseg_lib.data.labels import CAMVID, KITTI, VOID
from depthseg_lib.data.sets.kitti import Kitti


def test_images_and_pixels_of_every_class_and_of_void():
    labels = np.full((3, 4, 5), 1, np.uint8)
    labels[0, 0] = 0
    labels[0, 1, :2] = VOID
    labels[2] = VOID
    found = census(labels, CAMVID).set_index("class")
    assert list(found.index) == [*CAMVID.classes, "void"]
    assert found.loc["sky"].tolist() == [1, 5, 5 / 38]
    assert found.loc["building"].tolist() == [2, 33, 33 / 38]
    assert found.loc["void"].tolist() == [2, 22, 22 / 60]
    assert not found.loc["pole":"bicyclist"].any(axis=None)
    assert found["images"].dtype == found["pixels"].dtype == np.int64


def test_nothing_labelled_has_no_share():
    found = census([np.full((2, 2), VOID, np.uint8)], CAMVID)
    assert found["share"].tolist() == [0.0] * 11 + [1.0]


def test_the_real_labels_of_kitti():
    files = [pair.files[1] for pair in Kitti(real_set("kitti_semantics")).labelled["training"]]
    labels = [KITTI.encode(label_ids(file), str(file)) for file in files]
    found = census(labels, KITTI).set_index("class")
    assert found["pixels"].sum() == sum(image.size for image in labels)
    assert found["images"].max() == len(files) == 5 == found.loc["road", "images"]
    assert found.loc[["road", "vegetation", "car", "sky"], "share"].sum() > 0.5
