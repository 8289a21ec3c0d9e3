"""`make check-data`: counts, what is wrong with a sample, the sheet of pictures, and the exit status."""

import matplotlib
import numpy as np
import pytest
from helpers import own_data
from helpers.tiny import label, picture, snapshot, truncate
from matplotlib.figure import Figure
from PIL import Image

from depthseg_lib.commands import check_data
from depthseg_lib.data import image_files


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return own_data.write(tmp_path / "data")


@pytest.fixture
def undrawn(monkeypatch):
    """A blank sheet, which takes no time to draw."""
    monkeypatch.setattr("depthseg_lib.plots.pictures.data_sheet", lambda *_: Figure(figsize=(1, 1)))
    monkeypatch.setenv("MPLCONFIGDIR", "left as it is")


def looked(root, profile="folder", photographs=""):
    said = []
    wrong = check_data.check(profile, str(root), str(root.parent / "runs"), photographs=photographs, say=said.append)
    return wrong, "\n".join(said)


def test_the_sheet_is_the_same_whatever_the_users_own_settings(root):
    sheet, bytes_of = root.parent / "runs/my-town/contact_sheet.png", []
    for settings in ({}, {"figure.facecolor": "black", "font.size": 20, "savefig.bbox": "tight"}):
        with matplotlib.rc_context(settings):
            looked(root)
        bytes_of.append(sheet.read_bytes())
    assert bytes_of[0] == bytes_of[1]


def test_a_whole_set_is_counted_shown_and_estimated(root):
    before = snapshot(root)
    wrong, said = looked(root)
    assert wrong == 0 and "nothing is missing or wrong" in said and snapshot(root) == before
    assert "training: 8 labelled images" in said and "64x96 (h x w), 8" in said
    assert "house    25.0 %  in 8 of 8" in said and "(void)   25.0 %" in said
    assert "video: 12 frames in 1 sequences" in said and "measured depth: none" in said
    assert "finetune resnet18-slim full" in said and "for the images in the cache" in said
    assert f"disk: about {(12 * 3 + 8 * 4) * 64 * 96 / 1e6:.0f} MB" in said
    with Image.open(root.parent / "runs/my-town/contact_sheet.png") as sheet:
        assert sheet.format == "PNG" and sheet.width > 900
        assert len(np.unique(np.asarray(sheet.convert("L")))) > 50


def test_a_large_set_is_sampled(undrawn, root, monkeypatch):
    for i in range(12, 400):
        (root / "drive" / f"{i:03}.jpg").symlink_to(root / "drive" / f"{i % 12:03}.jpg")
    opened, photograph = [], image_files.photograph
    monkeypatch.setattr(image_files, "photograph", lambda file: opened.append(file) or photograph(file))
    assert looked(root)[0] == 0 and 90 < len(opened) < 120


def test_frames_that_do_not_move_are_counted(undrawn, root):
    for file in sorted((root / "drive").iterdir())[:8]:
        picture(file, 64, 96, seed=1)
    wrong, said = looked(root)
    assert wrong == 0 and "7 of 11 sampled frames hardly differ from the one 1 later" in said
    assert "note: 7 of 11 sampled frames hardly move, such as" in said


def test_classes_that_never_occur_and_guessed_intrinsics_are_noted(undrawn, root):
    classes = own_data.DESCRIPTION["classes"] | {"train": [0, 80, 100]}
    video = [{"folder": "drive", "intrinsics": own_data.CAMERA | {"guessed": "by me"}}]
    own_data.describe(root, classes=classes, video=video)
    wrong, said = looked(root)
    assert wrong == 0 and "note: training: no pixel of train" in said
    assert "dataset.json:" in said and "these intrinsics are guessed: correct them" in said


def test_photographs_are_counted_and_looked_at(undrawn, root):
    folder = root.parent / "photographs"
    for seed, name in enumerate(("ant/1.jpg", "ant/2.jpg", "bee/1.jpg", "bee/2.jpg", "bee/3.png", "bee/4.jpg")):
        picture(folder / name, 40, 60, seed=seed)
    (folder / "ant" / "3.webp").write_bytes(b"x")
    wrong, said = looked(root, photographs=str(folder))
    assert wrong == 0 and f"photographs in {folder}: 6\n  2 classes, from 2 (ant) to 4 (bee)" in said
    assert f"note: {folder} holds ant/3.webp, which is not read: convert to PNG or JPEG" in said
    truncate(folder / "bee" / "3.png")
    (folder / "ant" / "1.jpg").write_bytes(b"")
    wrong, said = looked(root, photographs=str(folder))
    assert wrong == 2 and "ant/1.jpg cannot be read" in said and "bee/3.png cannot be read" in said
    (folder / "ant" / "2.jpg").unlink()
    wrong, said = looked(root, photographs=str(folder))
    assert wrong == 1 and "ant has a single photograph" in said


def foreign_id(root):
    label(root / "labels" / "3.png", np.full((64, 96), 9, np.uint8))


def other_size(root):
    picture(root / "images" / "5.jpg", 32, 48)


def broken_frame(root):
    truncate(root / "drive" / "004.jpg")


def unpaired(root):
    (root / "labels" / "2.png").unlink()


def unknown_key(root):
    own_data.describe(root, colors={})


def few_images(root):
    own_data.describe(root, images="images/[0].jpg", labels="labels/[0].png")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (foreign_id, r"labels/3.png: label ids [9] are not in the label set 'my town'"),
        (other_size, "5.png is 96x64, but its image is 48x32: expected one size"),
        (broken_frame, "004.jpg cannot be read"),
        (unpaired, "expected a label image for every image"),
        (unknown_key, "there is no key 'colors'"),
        (few_images, "expected two labelled images at least"),
    ],
)
def test_what_is_wrong_is_named_and_the_exit_status_says_so(undrawn, root, monkeypatch, capsys, damage, message):
    damage(root)
    monkeypatch.setattr("sys.argv", ["check_data", "--data", str(root), "--runs", str(root.parent / "runs")])
    assert check_data.main() == 1
    said = capsys.readouterr().out
    assert "WRONG: " in said and message in said and "missing or wrong" in said.splitlines()[-1]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert "no such folder" in looked(tmp_path / "nowhere")[1]
    assert "lacks KITTI raw" in looked(tmp_path, "kitti")[1]


def test_the_embedded_world_needs_no_data(tmp_path):
    said = []
    assert check_data.check("laptop", "", str(tmp_path), say=said.append) == 0 and "no data to check" in said[0]
