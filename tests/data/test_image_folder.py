"""Photographs by class: the kinds of files that ImageNet holds, what is cut off, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import own_data
from helpers.tiny import label, picture, snapshot, truncate
from PIL import Image

from depthseg_lib.data import image_files
from depthseg_lib.data.sets import image_folder
from depthseg_lib.data.sources import load_photographs
from depthseg_lib.errors import InputError
from depthseg_lib.settings import PretrainConfig
from depthseg_lib.study import plan
from depthseg_lib.study.profiles import get_profile
from depthseg_lib.training.classification import ClassificationTask


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(
        ("tabby/b.JPEG", "tabby/a.jpg", "car/10.png", "car/2.png", "ant/more/1.jpeg", "ant/more/2.jpeg")
    ):
        picture(tmp_path / "set" / name, 40, 60, seed=seed)
    (tmp_path / "set" / "car" / "about.txt").write_text("no photograph")
    (tmp_path / "set" / ".hidden").mkdir()
    return tmp_path / "set"


def read(folder, size=32):
    return image_folder.photographs(image_folder.listed(folder), size)


def test_classes_are_the_folders_in_order_and_files_belong_to_theirs(folder):
    listed = image_folder.listed(folder)
    assert listed.classes == ("ant", "car", "tabby") and listed.remarks == ()
    assert listed.labels.tolist() == [0, 0, 1, 1, 2, 2] and listed.labels.dtype == np.int64
    below = [file.removeprefix(f"{folder}/") for file in listed.files]
    assert below == ["ant/more/1.jpeg", "ant/more/2.jpeg", "car/10.png", "car/2.png", "tabby/a.jpg", "tabby/b.JPEG"]
    found = read(folder)
    assert found.images.shape == (6, 3, 32, 32) and found.images.dtype == np.uint8
    assert found.classes == listed.classes and (found.labels == listed.labels).all()


def test_imagenets_own_folder_means_its_training_set(folder, tmp_path):
    (tmp_path / "ILSVRC" / "val" / "n01440764").mkdir(parents=True)
    folder.rename(tmp_path / "ILSVRC" / "train")
    assert image_folder.listed(tmp_path / "ILSVRC").classes == ("ant", "car", "tabby")


@pytest.mark.parametrize("size", [(64, 32), (32, 64)])
def test_the_middle_of_the_longer_side_is_kept(folder, size):
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[16:48] = 200 if size[0] == 64 else 0
    pixels[:, 16:48] = 200 if size[1] == 64 else pixels[:, 16:48]
    Image.fromarray(pixels).save(folder / "car" / "10.png")
    assert (read(folder).images[2] == 200).all()


def test_grey_cmyk_and_palette_files_become_colours(folder):
    Image.new("L", (40, 40), 90).save(folder / "car" / "10.png")
    Image.new("CMYK", (40, 40), (0, 255, 255, 0)).save(folder / "car" / "3.jpg")
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(folder / "car" / "4.png")
    palette.save(folder / "car" / "5.png", transparency=b"\x00\x80")
    Image.new("RGBA", (40, 40), (50, 60, 70, 128)).save(folder / "car" / "6.png")
    files = [file.rpartition("/")[2] for file in image_folder.listed(folder).files]
    shown = dict(zip(files, read(folder).images[:, :, 16, 16].tolist(), strict=True))
    assert shown["10.png"] == [90, 90, 90] and shown["6.png"] == [50, 60, 70]
    assert shown["4.png"] == shown["5.png"] == [10, 20, 30]
    assert np.allclose(shown["3.jpg"], [255, 0, 0], atol=6)


def test_a_broken_file_and_one_of_16_bits_are_named(folder):
    truncate(folder / "car" / "10.png")
    with pytest.raises(InputError, match=r"car/10\.png cannot be read"):
        read(folder)
    label(folder / "car" / "10.png", np.zeros((40, 40), np.uint16))
    with pytest.raises(InputError, match=r"car/10\.png has a single channel of more than 8 bits"):
        read(folder)


def test_a_photograph_is_turned_as_its_exif_says_and_a_link_to_nothing_named(folder):
    before, exif = read(folder).images[3].astype(int), Image.Exif()
    exif[0x0112] = 6
    with Image.open(folder / "car" / "2.png") as image:
        image.rotate(90, expand=True).save(folder / "car" / "2.png", exif=exif)
    assert np.abs(read(folder).images[3].astype(int) - before).max() <= 1
    (folder / "car" / "3.jpg").symlink_to(".git/annex/objects/3.jpg")
    with pytest.raises(InputError, match=r"car/3\.jpg cannot be read .*git annex get"):
        read(folder)


def test_an_empty_class_and_a_folder_without_classes_are_named(folder):
    (folder / "dog").mkdir()
    with pytest.raises(InputError, match=r"set/dog holds no photographs: .*found it empty; put them there"):
        image_folder.listed(folder)
    with pytest.raises(InputError, match=r"set/car has 0 folders of photographs: .*found 2\.png"):
        image_folder.listed(folder / "car")
    with pytest.raises(InputError, match="absent cannot be read"):
        image_folder.listed(folder / "absent")


@pytest.mark.parametrize(
    ("training", "others"),
    [
        ("training_set", ("test_set",)),
        ("Train", ("Valid", "Test")),
        ("training", ("validation",)),
        ("seg_train/seg_train", ("seg_test/seg_test", "seg_pred/seg_pred")),
        ("train-images", ()),
    ],
)
def test_folders_of_splits_are_no_classes(folder, tmp_path, training, others):
    root = tmp_path / "split"
    for place in (training, *others):
        shutil.copytree(folder, root / place)
    found = image_folder.listed(root)
    assert found.classes == ("ant", "car", "tabby") and found.root == root / training and len(found.files) == 6
    assert all(other.split("/")[0] in found.remarks[0] for other in others) and len(found.remarks) == bool(others)


def test_splits_without_classes_to_train_on_are_refused_by_name(folder, tmp_path):
    for place in ("test_set", "valid"):
        shutil.copytree(folder, tmp_path / "split" / place)
    with pytest.raises(InputError, match="holds test_set, valid, which are called as splits .* found none to train on"):
        image_folder.listed(tmp_path / "split")
    for place in ("train_set", "training_set"):
        shutil.copytree(folder, tmp_path / "split" / place)
    with pytest.raises(InputError, match=r"found 2 to train on \(train_set, training_set\)"):
        image_folder.listed(tmp_path / "split")
    for i in range(4):
        picture(tmp_path / "flat" / ("training_set", "test_set")[i % 2] / f"cat.{i}.jpg", 40, 60)
    with pytest.raises(InputError, match="holds test_set, training_set, which are called as splits"):
        image_folder.listed(tmp_path / "flat")


def test_a_train_among_vehicles_is_a_class(folder):
    (folder / "tabby").rename(folder / "train")
    assert image_folder.listed(folder).classes == ("ant", "car", "train")


def test_what_is_not_read_is_counted_by_ending(folder):
    for name in ("ant/more/a.webp", "car/b.WEBP", "car/c.gif", "clip.avi"):
        (folder / name).write_bytes(b"x")
    picture(folder / "cover.jpg", 40, 60)
    lines = []
    image_folder.photographs(image_folder.listed(folder), 32, lines.append)
    assert [line.removeprefix(f"note: {folder} holds ").split(", ")[0] for line in lines[:4]] == [
        "1 photographs beside the folders of classes",
        "clip.avi",
        "2 .webp files",
        "car/c.gif",
    ]
    shutil.rmtree(folder / "ant")
    (folder / "ant").mkdir()
    (folder / "ant" / "a.webp").write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"set/ant holds no photographs: .* holds ant/a\.webp, which is not read: conv"
    ):
        image_folder.listed(folder)


def test_links_that_lead_back_are_not_followed(folder):
    before = image_folder.listed(folder)
    (folder / "all").symlink_to(folder)
    (folder / "car" / "up").symlink_to(folder / "car")
    (folder / "ant" / "more" / "up").symlink_to(folder.parent)
    (folder / "tabby" / "cars").symlink_to(folder / "car")
    found = image_folder.listed(folder)
    assert found.classes == before.classes and np.bincount(found.labels).tolist() == [2, 2, 4]
    assert image_files.digest([folder]) and len({place for place, _ in image_files.below(folder)}) == 5


def test_no_class_is_in_the_evaluation_alone(folder):
    (folder / "ant/more/2.jpeg").unlink()
    with pytest.raises(InputError, match="set/ant has a single photograph, and that is kept .* put at least one more"):
        image_folder.listed(folder)
    for i in range(9):
        picture(folder / "bee" / f"{i}.jpg", 40, 60)  # cars are the 11th and the 12th now
    (folder / "car/10.png").unlink()
    (folder / "dog").mkdir()
    with pytest.raises(
        InputError, match="3 of 5 classes cannot be trained on:\n .*dog holds no .*\n .*ant.*\n .*car has"
    ):
        image_folder.listed(folder)
    picture(folder / "ant/1.png", 40, 60)
    (folder / "dog").rmdir()
    assert ClassificationTask(PretrainConfig(), read(folder), "cpu").training.tolist() == [*range(1, 10), 11, 12, 13]


def test_all_broken_files_are_named_at_once_and_the_others_are_not_read_again(folder, monkeypatch, tmp_path):
    (folder / "ant/more/1.jpeg").write_bytes(b"")
    truncate(folder / "car/2.png")
    (folder / "tabby/b.JPEG").write_bytes(b"<!DOCTYPE html>")
    message = r"(?s)^3 of 6 cannot be used:\n .*1\.jpeg cannot be read.*\n .*2\.png cannot.*\n .*b\.JPEG cannot"
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            read(folder)
    picture(folder / "ant/more/1.jpeg", 40, 60, seed=3)
    (folder / "car/2.png").unlink()
    picture(folder / "tabby/b.JPEG", 40, 60, seed=4)
    decoded, decode, lines = [], image_files.photograph, []
    monkeypatch.setattr(image_files, "photograph", lambda file: decoded.append(Path(file).name) or decode(file))
    found = image_folder.photographs(image_folder.listed(folder), 32, lines.append).images
    assert sorted(decoded) == ["1.jpeg", "b.JPEG"] and "5 files to read once, 3 of them read before" in lines[0]
    assert [path for path in (tmp_path / "cache/photographs").iterdir() if path.is_dir()] == [
        Path(found.filename).parent
    ]
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "another"))
    assert (read(folder).images == found).all() and len(decoded) == 7


def test_broken_photographs_stop_the_study_before_it_begins(folder, data):
    truncate(folder / "car/2.png")
    plan.check("folder", data, photographs=str(folder), decode=False)
    with pytest.raises(InputError, match=r"2\.png cannot be read"):
        plan.check("folder", data, photographs=str(folder))


def test_they_are_read_once_and_the_source_stays_as_it_was(folder, monkeypatch):
    before, first = snapshot(folder), np.array(read(folder).images)
    monkeypatch.setattr(image_files, "photograph", lambda file: pytest.fail(f"{file} was decoded again"))
    assert (read(folder).images == first).all() and snapshot(folder) == before


def test_the_digest_follows_names_and_sizes(folder):
    digests = [image_folder.digest(image_folder.listed(folder))]
    picture(folder / "car" / "11.png", 8, 8)
    digests.append(image_folder.digest(image_folder.listed(folder)))
    (folder / "car" / "11.png").rename(folder / "ant" / "11.png")
    digests.append(image_folder.digest(image_folder.listed(folder)))
    (folder / "ant" / "11.png").unlink()
    assert len(set(digests)) == 3 and image_folder.digest(image_folder.listed(folder)) == digests[0]


def test_classification_takes_a_folder_where_one_is_given(folder):
    config = PretrainConfig(initialisation="classification", photographs_folder=str(folder), photograph_size=48)
    found = load_photographs(config)
    assert found.classes == ("ant", "car", "tabby") and found.images.shape == (6, 3, 48, 48)


@pytest.fixture
def data(tmp_path):
    return str(own_data.write(tmp_path / "data"))


def test_only_classification_is_made_anew_by_other_photographs(folder, data):
    runs = {run.name: run.parameters for run in plan.plan("folder", data, photographs=str(folder)).runs}
    plain = {run.name: run.parameters for run in plan.plan("folder", data).runs}
    assert {name for name in runs if runs[name] != plain[name]} == {"resnet18-slim-classification"}
    made = [
        {run.name: run.trials[0]["fingerprint"] for run in plan.plan("folder", data, photographs=of).runs}
        for of in ("", str(folder))
    ]
    changed = {name for name in runs if made[0][name] != made[1][name]}
    assert changed == {name for name in runs if name.startswith("resnet18-slim-classification")}
    given = runs["resnet18-slim-classification"]
    assert given["photographs_folder"] == str(folder)
    assert given["photographs_digest"] == image_folder.digest(image_folder.listed(folder))


def test_sizes_of_the_embedded_photographs_are_not_shown_for_others(folder, data):
    drawn = plan.plan("folder", data, photographs=str(folder)).figures["06_scale_mismatch"]
    assert "fig10_scale_mismatch" not in drawn and "resize_factor" in drawn
    assert "fig10_scale_mismatch" in plan.plan("folder", data).figures["06_scale_mismatch"]


def test_missing_photographs_and_profiles_without_any_are_said_before_anything_runs(folder, data):
    with pytest.raises(InputError, match="'laptop' runs on the embedded world and reads no PHOTOGRAPHS"):
        get_profile("laptop", photographs=str(folder))
    with pytest.raises(InputError, match="absent cannot be read"):
        plan.check("folder", data, photographs=str(folder / "absent"))


def test_too_small_photographs_are_refused():
    with pytest.raises(InputError, match="photograph_size = 16: expected greater than or equal to 32"):
        PretrainConfig(photograph_size=16)
