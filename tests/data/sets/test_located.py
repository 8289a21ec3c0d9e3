"""Places in a json file: the line and column of what a message is about."""

from pathlib import Path

import pytest

from depthseg_lib.data.sets.description import Located
from depthseg_lib.errors import InputError

TEXT = """{
  "name": "my \\"own\\" set, {1}",
  "classes": {"road": [128, 64, 128],
              "car": [0, 0, 142]},
  "video": [
    {"frames": "a"},
    {"frames": "b", "step": -1.5e3}
  ], "empty": {}, "none": []
}
"""


def at(*steps):
    return Located(Path("d.json"), TEXT).where(*steps).removeprefix("d.json:")


def test_a_value_is_where_its_key_is():
    assert at("name") == "2:3" and at("classes") == "3:3" and at("classes", "car") == "4:15"
    assert at("video", 1) == "7:5" and at("video", 1, "step") == "7:21"
    assert at("classes", "road", 2) == "3:33"
    assert at("none") == "8:19" and at() == "1:1"


def test_what_is_missing_is_where_it_would_be():
    assert at("video", 0, "intrinsics", "fx") == "6:5" and at("lables") == "1:1" and at("video", 9) == "5:3"


def test_the_value_is_that_of_json():
    assert Located(Path("d.json"), TEXT).value["video"][1]["step"] == -1500


@pytest.mark.parametrize("text", ["3", '"a"', "[]", " null\n", "[1, [2, {}], 3]"])
def test_any_json_is_walked(text):
    assert Located(Path("d.json"), text).where().startswith("d.json:1:")


def test_what_is_no_json_is_named_with_its_line():
    with pytest.raises(InputError, match=r"d\.json:3:1: this is not json \(.*\); correct it there"):
        Located(Path("d.json"), '{\n"a": 1,\n}')


def test_a_key_that_stands_twice_is_an_error_at_the_second():
    with pytest.raises(InputError, match=r"d\.json:3:2: the key 'a' stands here a second time, first at d\.json:2:2"):
        Located(Path("d.json"), '{\n "a": 1,\n "a": 2}')
