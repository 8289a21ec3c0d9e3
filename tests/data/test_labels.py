"""Label sets: ids of files to training indices, and colours."""

import json
from dataclasses import replace

import numpy as np
import pytest

from depthseg_lib.data.labels import (
    CAMVID,
    CITYSCAPES,
    KITTI,
    NYU13,
    NYU_40_TO_13,
    VOID,
    from_mapping,
    packed_colour,
    to_mapping,
    unpacked_colour,
)
from depthseg_lib.errors import InputError


@pytest.mark.parametrize("label_set", [KITTI, CAMVID, CITYSCAPES, NYU13], ids=lambda label_set: label_set.name)
def test_label_sets_are_consistent(label_set):
    assert len(label_set.classes) == len(label_set.colours) == len(label_set.ids) == len(set(label_set.classes))
    assert not set(label_set.ids) & set(label_set.void_ids)
    assert len(set(label_set.colours)) == len(label_set.colours)
    assert label_set.encode(np.array(label_set.ids), "file").tolist() == list(range(len(label_set.classes)))
    assert (label_set.encode(np.array(label_set.void_ids), "file") == VOID).all()


def test_the_seven_of_kitti_are_those_of_the_paper():
    seven = [KITTI.classes[i] for i in KITTI.representative]
    assert seven == ["road", "sidewalk", "building", "vegetation", "terrain", "sky", "car"]
    assert [KITTI.ids[i] for i in KITTI.representative] == [7, 8, 11, 21, 22, 23, 26]


def test_kitti_ids_are_those_of_the_label_files():
    ids = np.array([[7, 26], [33, 0]], np.uint8)
    encoded = KITTI.encode(ids, "file")
    assert encoded.dtype == np.uint8 and encoded.tolist() == [[0, 13], [18, VOID]]


@pytest.mark.parametrize("unknown", [34, 200, -1, 65536 + 7])
def test_an_unknown_id_names_the_file(unknown):
    with pytest.raises(InputError, match=rf"0007\.png: label ids \[{unknown}\].*'KITTI'"):
        KITTI.encode(np.array([[7, unknown]]), "0007.png")


def test_colours_follow_the_classes_and_void_is_black():
    colours = CAMVID.colour(np.array([[CAMVID.classes.index("road"), VOID]], np.uint8))
    assert colours.tolist() == [[[128, 64, 128], [0, 0, 0]]]


def test_cityscapes_classes_are_in_the_official_order_of_train_ids():
    first = ("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation")
    rest = ("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
    assert CITYSCAPES.classes == (*first, *rest)
    assert CITYSCAPES.ids == (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    assert {*CITYSCAPES.ids, *CITYSCAPES.void_ids} == {*range(34), 255}


def test_the_13_of_nyu_group_its_40():
    assert len(NYU_40_TO_13) == 40 and set(NYU_40_TO_13) == set(NYU13.ids)
    assert NYU13.representative == tuple(range(13))


@pytest.mark.parametrize("missing", ["none", "green", "red"])
def test_colour_blind_readers_can_tell_nyus_colours_apart(missing):
    """Colours as they appear (Machado 2009) differ by 15 in CIELAB at least, ten times what is just seen."""
    seen = {
        "none": np.eye(3),
        "green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    }
    colours = np.array(NYU13.colours) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    appear = np.clip(linear @ np.array(seen[missing]).T, 0, 1)
    xyz = appear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    x, y, z = np.cbrt(xyz / [0.9505, 1, 1.089]).T
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    apart = np.linalg.norm(lab[:, None] - lab, axis=-1) + 99 * np.eye(13)
    assert apart.min() > 15


def test_several_ids_may_stand_for_one_class():
    labels = replace(CAMVID, more_ids=((20, 3), (21, 3)))
    assert labels.encode(np.array([3, 20, 21, 11]), "file").tolist() == [3, 3, 3, VOID]


def test_the_labels_of_a_coloured_set_are_its_colours():
    colours = [packed_colour(*colour) for colour in CAMVID.colours]
    labels = replace(CAMVID, ids=tuple(colours), void_ids=(0,), coloured=True)
    assert labels.encode(np.array([[*colours, 0]]), "file").tolist() == [[*range(11), VOID]]
    assert unpacked_colour(packed_colour(1, 2, 255)) == (1, 2, 255)
    with pytest.raises(InputError, match=r"a\.png: colours \(9, 9, 9\) are not in .*known: \(0, 0, 0\), "):
        labels.encode(np.array([packed_colour(9, 9, 9)]), "a.png")


def test_a_label_set_comes_back_from_json():
    labels = replace(CAMVID, more_ids=((20, 3), (21, 3)))
    assert from_mapping(json.loads(json.dumps(to_mapping(labels)))) == labels == from_mapping(to_mapping(labels))
