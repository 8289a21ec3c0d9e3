"""Label sets: ids of files to training indices, and colours."""

import json
from dataclasses import replace

import numpy as np
import pytest

from depthseg_lib.data.labels import CAMVID, KITTI, VOID, from_mapping, packed_colour, to_mapping, unpacked_colour
from depthseg_lib.errors import InputError


@pytest.mark.parametrize("label_set", [KITTI, CAMVID], ids=lambda label_set: label_set.name)
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
