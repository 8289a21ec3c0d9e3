"""`make describe`: what is found in folders of usual shapes, and that what is written loads at once."""

import json

import numpy as np
import pytest
from helpers import own_data
from helpers.limited import folder_for_all, ordinary_user
from helpers.real_data import real_set
from helpers.tiny import label, picture
from PIL import Image

from depthseg_lib.commands import describe
from depthseg_lib.data.labels import CAMVID, KITTI
from depthseg_lib.data.sets import description, own
from depthseg_lib.errors import InputError

IDS = np.repeat(np.array([0, 1, 2, 255], np.uint8), 24)


def labelled(root, names, image="images/{}.jpg", ids="labels/{}.png"):
    for seed, name in enumerate(names):
        picture(root / image.format(name), 64, 96, seed=seed)
        label(root / ids.format(name), np.tile(np.roll(IDS, seed), (64, 1)))


@pytest.fixture
def root(tmp_path):
    """Labelled images, and a drive without intrinsics."""
    labelled(tmp_path / "own", range(6))
    own_data.drive(tmp_path / "own" / "drive")
    return tmp_path / "own"


def written(root, **options):
    said = []
    describe.describe(root, say=said.append, **options)
    return json.loads((root / "dataset.json").read_text()), "\n".join(said)


def test_what_is_written_loads_at_once_and_says_what_is_guessed(root):
    values, said = written(root)
    assert (values["images"], values["labels"]) == ("images/*.jpg", "labels/*.png") and "test" not in values
    assert list(values["classes"]) == ["class 0", "class 1", "class 2"] and values["void"] == [255]
    assert values["image_size"] == [96, 160] or values["image_size"][1] / values["image_size"][0] == 1.5
    (entry,) = values["video"]
    assert entry["folder"] == "drive" and entry["intrinsics"]["fx"] == pytest.approx(0.8 * 96)
    assert "GUESSED" in entry["intrinsics"]["guessed"] and "of drive are GUESSED" in said
    assert own.Own(root).count == 6
    assert "guessed" in own.Own(root).remarks[0]


def test_intrinsics_that_lie_there_are_taken(root):
    (root / "drive" / "intrinsics.json").write_text(json.dumps(own_data.CAMERA))
    values, said = written(root)
    assert values["video"] == [{"folder": "drive"}] and "GUESSED" not in said


def test_a_description_is_not_overwritten_unless_it_is_asked_for(root, capsys):
    (root / "dataset.json").write_text("precious")
    with pytest.raises(InputError, match="is there already, and is not overwritten"):
        describe.describe(root)
    assert describe.main([str(root)]) == 1 and capsys.readouterr().err.startswith("error: ")
    assert (root / "dataset.json").read_text() == "precious"
    assert describe.main([str(root), "--force"]) == 0
    assert description.read(root).label_set.classes == ("class 0", "class 1", "class 2")


def test_names_may_differ_in_their_endings_and_lie_in_towns(root):
    for town in ("aachen", "bonn"):
        names = [f"{town}/{town}_{i:06}" for i in range(3)]
        labelled(root, names, "left/{}_left.png", "gt/{}_gt_ids.png")
        for name in names:
            picture(root / f"gt/{name}_gt_colour.png", 64, 96)
    values, _ = written(root)
    assert "left/aachen/*_left.png" in values["images"] and "gt/bonn/*_gt_ids.png" in values["labels"]
    assert own.Own(root).count == 12


def test_labels_for_some_frames_of_the_drive_are_listed_one_by_one(root):
    for i in (3, 7):
        label(root / "few" / f"{i:03}.png", np.tile(IDS, (64, 1)))
    values, _ = written(root)
    assert values["images"] == ["drive/003.jpg", "drive/007.jpg", "images/*.jpg"]
    assert values["labels"][0] == "few/003.png" and values["video"][0]["folder"] == "drive"


def test_a_folder_called_test_is_the_test_split(root):
    labelled(root, "ab", "test/{}.jpg", "testannot/{}.png")
    values, _ = written(root)
    assert values["test"] == {"images": "test/*.jpg", "labels": "testannot/*.png"}


def test_colours_and_ids_of_known_sets_get_their_names(root):
    for file in (root / "labels").iterdir():
        Image.fromarray(CAMVID.colour(np.tile(IDS.clip(max=200), (64, 1)))).save(file)
    values, _ = written(root)
    assert values["label_map"] == {"0 0 0": "void", "128 0 0": "building", "128 128 128": "sky", "192 192 128": "pole"}
    kitti = np.repeat(np.array([7, 11, 21, 26, 0, 3], np.uint8), 16)
    for file in (root / "labels").iterdir():
        label(file, np.tile(kitti, (64, 1)))
    values, said = written(root, force=True)
    assert tuple(values["classes"]) == KITTI.classes and values["label_map"]["26"] == "car"
    assert values["label_map"]["3"] == "void" and "see that the classes' names are right" in said


def test_several_drives_in_a_folder_are_named_by_it(root):
    for name in ("a", "b"):
        own_data.drive(root / "drives" / name)
    assert [entry["folder"] for entry in written(root)[0]["video"]] == ["drive", "drives"]


@pytest.mark.parametrize(
    ("remove", "message"),
    [("labels", "has no images with label images: expected images and label"), ("drive", "has no video: expected")],
)
def test_what_is_not_there_is_said_and_nothing_is_written(root, remove, message):
    for file in (root / remove).iterdir():
        file.unlink()
    with pytest.raises(InputError, match=message):
        describe.describe(root)
    assert not (root / "dataset.json").exists()


def test_where_nothing_can_be_written_the_description_is_printed_for_another_folder():
    with folder_for_all() as parent:
        root = own_data.write(parent / "own")
        (root / "dataset.json").unlink()
        for place in (root, *root.rglob("*")):
            place.chmod(0o555)
        with (
            ordinary_user(),
            pytest.raises(InputError, match="cannot be written .*; or put this dataset.json") as refused,
        ):
            describe.describe(root)
        root.chmod(0o755)
        elsewhere = parent / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "dataset.json").write_text(str(refused.value).partition("as DATA:\n")[2])
        assert own.Own(elsewhere).count == 8


def test_no_folder_is_asked_for(capsys):
    assert describe.main([""]) == 1 and "which folder?" in capsys.readouterr().err


def test_camvid_and_highway_are_understood(tmp_path):
    real = real_set("camvid").parent
    for name in ("camvid", "highway"):
        (tmp_path / name).symlink_to(real / name)
    values, _ = written(tmp_path)
    assert values["images"] == ["camvid/train/*.jpg", "camvid/val/*.jpg"] and values["test"]["labels"]
    assert [entry["folder"] for entry in values["video"]] == ["camvid/val", "highway"] and len(values["classes"]) == 12
    assert "intrinsics" not in values["video"][1] and values["image_size"] == [96, 128]
