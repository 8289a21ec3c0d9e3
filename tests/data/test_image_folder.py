"""Photographs by class: the kinds of files that ImageNet holds, what is cut off, and what is refused."""

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


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("tabby/b.JPEG", "tabby/a.jpg", "car/10.png", "car/2.png", "ant/more/1.jpeg")):
        picture(tmp_path / "set" / name, 40, 60, seed=seed)
    (tmp_path / "set" / "car" / "about.txt").write_text("no photograph")
    (tmp_path / "set" / ".hidden").mkdir()
    return tmp_path / "set"


def read(folder, size=32):
    return image_folder.photographs(folder, size)


def test_classes_are_the_folders_in_order_and_files_belong_to_theirs(folder):
    files, labels, classes = image_folder.listed(folder)
    assert classes == ("ant", "car", "tabby") and labels.tolist() == [0, 1, 1, 2, 2] and labels.dtype == np.int64
    below = [file.removeprefix(f"{folder}/") for file in files]
    assert below == ["ant/more/1.jpeg", "car/10.png", "car/2.png", "tabby/a.jpg", "tabby/b.JPEG"]
    found = read(folder)
    assert found.images.shape == (5, 3, 32, 32) and found.images.dtype == np.uint8
    assert found.classes == classes and (found.labels == labels).all()


def test_imagenets_own_folder_means_its_training_set(folder, tmp_path):
    (tmp_path / "ILSVRC" / "val" / "n01440764").mkdir(parents=True)
    folder.rename(tmp_path / "ILSVRC" / "train")
    assert image_folder.listed(tmp_path / "ILSVRC")[2] == ("ant", "car", "tabby")


@pytest.mark.parametrize("size", [(64, 32), (32, 64)])
def test_the_middle_of_the_longer_side_is_kept(folder, size):
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[16:48] = 200 if size[0] == 64 else 0
    pixels[:, 16:48] = 200 if size[1] == 64 else pixels[:, 16:48]
    Image.fromarray(pixels).save(folder / "car" / "10.png")
    assert (read(folder).images[1] == 200).all()


def test_grey_cmyk_and_palette_files_become_colours(folder):
    Image.new("L", (40, 40), 90).save(folder / "car" / "10.png")
    Image.new("CMYK", (40, 40), (0, 255, 255, 0)).save(folder / "car" / "3.jpg")
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(folder / "car" / "4.png")
    palette.save(folder / "car" / "5.png", transparency=b"\x00\x80")
    Image.new("RGBA", (40, 40), (50, 60, 70, 128)).save(folder / "car" / "6.png")
    files = [file.rpartition("/")[2] for file in image_folder.listed(folder)[0]]
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
    before, exif = read(folder).images[2].astype(int), Image.Exif()
    exif[0x0112] = 6
    with Image.open(folder / "car" / "2.png") as image:
        image.rotate(90, expand=True).save(folder / "car" / "2.png", exif=exif)
    assert np.abs(read(folder).images[2].astype(int) - before).max() <= 1
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


def test_they_are_read_once_and_the_source_stays_as_it_was(folder, monkeypatch):
    before, first = snapshot(folder), np.array(read(folder).images)
    monkeypatch.setattr(image_files, "photograph", lambda file: pytest.fail(f"{file} was decoded again"))
    assert (read(folder).images == first).all() and snapshot(folder) == before


def test_the_digest_follows_names_and_sizes(folder):
    digests = [image_folder.digest(folder)]
    picture(folder / "car" / "11.png", 8, 8)
    digests.append(image_folder.digest(folder))
    (folder / "car" / "11.png").rename(folder / "ant" / "11.png")
    digests.append(image_folder.digest(folder))
    (folder / "ant" / "11.png").unlink()
    assert len(set(digests)) == 3 and image_folder.digest(folder) == digests[0]


def test_classification_takes_a_folder_where_one_is_given(folder):
    config = PretrainConfig(initialisation="classification", photographs_folder=str(folder), photograph_size=48)
    found = load_photographs(config)
    assert found.classes == ("ant", "car", "tabby") and found.images.shape == (5, 3, 48, 48)


@pytest.fixture
def data(tmp_path):
    return str(own_data.write(tmp_path / "data"))


def test_only_classification_is_made_anew_by_other_photographs(folder, data):
    runs = {run.name: run.parameters for run in plan.plan("folder", data, photographs=str(folder)).runs}
    plain = {run.name: run.parameters for run in plan.plan("folder", data).runs}
    changed = {name for name in runs if runs[name] != plain[name]}
    assert changed == {name for name in runs if name.startswith("resnet18-slim-classification")}
    given = runs["resnet18-slim-classification"]
    assert given["photographs_folder"] == str(folder)
    assert given["photographs_digest"] == image_folder.digest(folder)


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
