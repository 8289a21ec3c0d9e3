"""`dataset.json`: what it says, and messages that name the place where it is wrong."""

import json

import pytest
from helpers import own_data

from depthseg_lib.data.labels import packed_colour
from depthseg_lib.data.sets import description
from depthseg_lib.errors import InputError


@pytest.fixture
def read(tmp_path):
    def of(**changes):
        own_data.describe(tmp_path, **changes)
        return description.read(tmp_path)

    return of


def test_the_shortest_description_has_everything(read, tmp_path):
    found = read()
    assert (found.keys.image_size, found.keys.encoder, found.keys.frame_step) == ([64, 96], "resnet18-slim", 1)
    labels = found.label_set
    assert (labels.name, labels.classes) == ("my town", ("road", "house", "car"))
    assert labels.colours[2] == (0, 0, 142) and labels.ids == (0, 1, 2) and labels.void_ids == (255,)
    assert labels.representative == (0, 1, 2) and not labels.coloured
    assert found.keys.test is None and found.keys.images == ["images/*.jpg"]
    (footage,) = found.keys.video
    assert footage.folder == "drive" and footage.step == 1 and found.root == tmp_path
    assert footage.intrinsics.model_dump(exclude={"guessed"}) == own_data.CAMERA


def test_what_may_be_left_out_is_taken_when_it_is_there(read):
    found = read(
        representative=["car", "road"],
        label_map={"7": "road", "8": "road", "11": "house", "26": "car", "0": "void"},
        encoder="resnet18",
        frame_step=2,
        test={"images": ["a/*.png", "b/*.png"], "labels": ["c/*.png", "d/*.png"]},
        note=["anything"],
    )
    labels = found.label_set
    assert labels.ids == (7, 11, 26) and labels.more_ids == ((8, 0),) and set(labels.void_ids) == {0, 255}
    assert labels.representative == (2, 0) and (found.keys.encoder, found.keys.frame_step) == ("resnet18", 2)
    assert found.keys.test.labels == ["c/*.png", "d/*.png"]


def test_a_map_of_colours_makes_a_coloured_set(read):
    colours = {"128 64 128": "road", "1 1 1": "house", "0 0 142": "car", "0 0 0": "void"}
    labels = read(label_map=colours, void=None).label_set
    assert labels.coloured and labels.ids[1] == packed_colour(1, 1, 1) and labels.void_ids == (0,)


WRONG = {
    "a list": ([], r": expected an object: \{\.\.\.\}, found \[\]"),
    "unknown key": (dict(lables="x"), r": lables: there is no key 'lables'; did you mean 'labels'\?"),
    "missing keys": (dict(video=None), r": expected the keys .*add video"),
    "size": (dict(image_size=[64, 100]), r": image_size\.1: expected \[height, width\].*found 100"),
    "size of text": (dict(image_size="64x96"), r": image_size: expected .*found \"64x96\""),
    "glob": (dict(images=3), r": images\.0: expected a glob .* or a list of globs, found 3"),
    "globs": (dict(images=["a", "b"]), r": labels: expected as many of both.*found 2 globs of images and 1 of labels"),
    "test": (dict(test={"images": "a"}), r": test: expected the keys images, labels here, found images; add labels"),
    "name": (dict(name=" "), r": name: expected a name for figures"),
    "one class": (dict(classes={"road": [1, 2, 3]}), r": classes: expected 2 to 254.*found 1 classes"),
    "colour": (
        dict(classes={"a": [1, 2, 3], "b": [1, 2, 256]}),
        r": classes\.b\.2: expected names with a colour .*found 256",
    ),
    "colours": (
        dict(classes={"a": [1, 2, 3], "b": [1, 2, 3]}),
        r": classes\.b: expected a colour of its own, .*of 'a' too",
    ),
    "a class void": (dict(classes={"a": [1, 2, 3], "void": [0, 0, 0]}), r": classes\.void: expected another name"),
    "void": (dict(void="255"), r": void\.0: expected an id from 0 to 255, or a list of them, found \"255\""),
    "void of a class": (dict(void=[255, 1]), r": void: expected ids of no class, found 1, the id of .*'house'"),
    "representative": (
        dict(representative=["raod"]),
        r": representative\.0: expected a name of 'classes', found \"raod\"; did you mean 'road'\?",
    ),
    "map to nothing": (
        dict(label_map={"1": "raod"}),
        r": label_map\.1: expected a name of 'classes', or 'void', found \"raod\"",
    ),
    "map of nothing": (dict(label_map={"x": "road"}), r": label_map\.x: expected an id from 0 to 255 such as '7'"),
    "map of both": (
        dict(label_map={"1 2 3": "road", "4": "car"}),
        r": label_map\.4: expected a colour such as '128 64 128'",
    ),
    "map of some": (dict(label_map={"1": "road"}), r"no id or colour stands for the class 'house'"),
    "void ids of colours": (dict(label_map={"1 2 3": "road", "1 2 4": "house", "1 2 5": "car"}), "and no ids here"),
    "encoder": (dict(encoder="resnet34"), r": encoder: expected one of resnet18, .*found \"resnet34\""),
    "frame_step": (dict(frame_step=0), r": frame_step: expected a whole number of frames, 1 at least, found 0"),
    "no video": (dict(video=[]), r": video: expected a list of one entry at least"),
    "video": (dict(video=["drive"]), r": video\.0: expected an object"),
    "folder": (dict(video=[{"folder": 3}]), r": video\.0\.folder: expected the folder of the frames"),
    "intrinsics": (
        dict(video=[{"folder": "a", "intrinsics": {"fx": 1}}]),
        r": video\.0\.intrinsics: .*found fx; add width, height, fy, cx, cy",
    ),
    "fx": (
        dict(video=[{"folder": "a", "intrinsics": own_data.CAMERA | {"fx": 0}}]),
        r": video\.0\.intrinsics\.fx: expected a positive",
    ),
    "true": (dict(frame_step=True), r": frame_step: expected a whole number"),
    "root": (dict(root="nowhere"), r": root: expected the folder that the paths here count from, found no folder"),
    "step": (dict(video=[{"folder": "a", "step": 0.5}]), r": video\.0\.step: expected a whole number of frames"),
    "intrinsics of nothing": (dict(video=[{"folder": "a", "intrinsics": 3}]), r"an object: .*, or the name of a json"),
    "representative twice": (dict(representative=["car", "car"]), "each once"),
    "fov": (
        dict(video=[{"folder": "a", "intrinsics": own_data.CAMERA | {"fz": 0}}]),
        r": video\.0\.intrinsics\.fz: there is no key 'fz'; known: width",
    ),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_place(read, tmp_path, changes, message):
    with pytest.raises(InputError, match=rf"dataset\.json.*{message}"):
        if isinstance(changes, list):
            (tmp_path / "dataset.json").write_text(json.dumps(changes))
            description.read(tmp_path)
        else:
            read(**changes)


def test_a_missing_description_says_how_to_write_one(tmp_path):
    with pytest.raises(InputError, match=r"dataset\.json cannot be read .*write one with `make describe DATA="):
        description.read(tmp_path)


def test_what_is_no_json_is_named_with_its_line(tmp_path):
    (tmp_path / "dataset.json").write_text('{\n "name": "a",\n "void" 3\n}')
    with pytest.raises(InputError, match=r"dataset\.json:3:9: this is not json"):
        description.read(tmp_path)


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    (tmp_path / "dataset.json").write_text('{"name": "a", "classes": {"road": [1, 2, 3], "road": [3, 2, 1]}}')
    with pytest.raises(InputError, match=r"dataset\.json: the key 'road' stands twice in one object.* take one"):
        description.read(tmp_path)
