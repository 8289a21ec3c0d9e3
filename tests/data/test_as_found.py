"""Files as users have them, written here in the true format: what is in the file is what is read, or it is refused."""

import json
import struct
import zlib

import numpy as np
import pytest
from helpers import own_data
from helpers.tiny import label, picture
from PIL import Image

from depthseg_lib.commands import check_data, describe
from depthseg_lib.data import image_files, sources
from depthseg_lib.data.labels import TRANSPARENT, VOID, LabelSet, packed_colour
from depthseg_lib.data.sets import own
from depthseg_lib.errors import InputError
from depthseg_lib.settings import DataSettings

IDS = np.repeat(np.array([0, 1, 2, 3], np.uint8), 24)[None].repeat(64, 0)
COLOURS = ((0, 0, 0), (128, 0, 0), (0, 128, 0), (0, 0, 128))


def write_png(file, pixels, bits, kind):
    """A PNG of these bits per channel, of kind 0 (grey) or 2 (RGB); `pixels` (H, W) or (H, W, 3)."""
    rows = []
    for row in pixels.reshape(len(pixels), -1):
        if bits == 16:
            rows.append(row.astype(">u2").tobytes())
        else:
            per = 8 // bits
            shifts = bits * np.arange(per - 1, -1, -1)
            rows.append((row.reshape(-1, per).astype(int) << shifts).sum(1).astype(np.uint8).tobytes())
    height, width = pixels.shape[:2]
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))]
    parts += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def write_palette(file, ids, colours, **options):
    image = Image.fromarray(ids, "P")
    image.putpalette([channel for colour in colours for channel in colour])
    image.save(file, **options)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_labels_of_any_bits_give_the_ids_in_the_file(bits, tmp_path):
    ids = np.minimum(IDS.astype(int), 2**bits - 1) * (300 if bits == 16 else 1)
    write_png(tmp_path / "a.png", ids, bits, 0)
    np.testing.assert_array_equal(image_files.label_ids(tmp_path / "a.png"), ids)


def test_ids_of_16_bits_that_no_class_has_are_refused_by_number(tmp_path):
    write_png(tmp_path / "a.png", IDS.astype(int) + 26000, 16, 0)
    known = LabelSet("mine", ("road", "car"), COLOURS[:2], (0, 1), (255,), (0, 1))
    with pytest.raises(InputError, match=r"a\.png: label ids \[26000, 26001, 26002, 26003\] are not in .*'mine'"):
        known.encode(image_files.label_ids(tmp_path / "a.png"), "a.png")


def test_palettes_of_a_set_agree_or_are_refused(tmp_path):
    a, b, longer = (tmp_path / f"{name}.png" for name in ("a", "b", "longer"))
    write_palette(a, IDS, COLOURS)
    write_palette(b, IDS[:, ::-1].copy(), COLOURS[::-1])
    write_palette(longer, IDS, (*COLOURS, (9, 9, 9)))
    np.testing.assert_array_equal(image_files.label_ids(longer, like=a), IDS)
    with pytest.raises(InputError, match=r"b\.png: id 0 has the colour \(0, 0, 128\), but \(0, 0, 0\) in .*a\.png"):
        image_files.label_ids(b, like=a)
    colours = [image_files.label_ids(file, coloured=True) for file in (a, b)]
    np.testing.assert_array_equal(*colours)  # by their colours both are the same picture


def test_transparent_colours_are_void_and_transparent_ids_are_refused(tmp_path):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2] = (128, 0, 0, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    found = image_files.label_ids(tmp_path / "a.png", coloured=True)
    assert (found[:2] == packed_colour(128, 0, 0)).all() and (found[2:] == TRANSPARENT).all()
    known = LabelSet("mine", ("road",), COLOURS[1:2], (packed_colour(128, 0, 0),), (), (0,), coloured=True)
    assert (known.encode(found, "a.png") == np.array([0, 0, VOID, VOID])[:, None]).all()
    write_palette(tmp_path / "b.png", IDS, COLOURS, transparency=2)
    with pytest.raises(InputError, match=r"b\.png: the pixels of id 2 are transparent: expected opaque ids"):
        image_files.label_ids(tmp_path / "b.png")


def smoothed(file):
    """Three colours whose borders are smoothed, the label image twice as wide as it was."""
    Image.fromarray(np.array(COLOURS, np.uint8)[IDS]).rotate(17, Image.Resampling.BICUBIC).save(file)


def test_anti_aliased_colours_are_refused_by_name(tmp_path):
    smoothed(tmp_path / "a.png")
    ids = tuple(packed_colour(*colour) for colour in COLOURS)
    known = LabelSet("mine", tuple("abcd"), COLOURS, ids, (), (0,), coloured=True)
    with pytest.raises(
        InputError, match=r"a\.png: colours .* as smoothed borders have: write .* without anti-aliasing"
    ):
        known.encode(image_files.label_ids(tmp_path / "a.png", coloured=True), "a.png")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_images_are_turned_as_their_exif_says_and_their_size_too(orientation, tmp_path):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 250
    stored = np.rot90(upright, {1: 0, 3: 2, 6: 1, 8: 3}[orientation]).copy()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    found = np.asarray(image_files.photograph(tmp_path / "a.jpg")).astype(int)
    assert image_files.size(tmp_path / "a.jpg") == found.shape[:2] == (16, 32)
    assert np.abs(found - upright).max() < 30


def test_colour_of_16_bits_is_not_read_nearly_black(tmp_path):
    write_png(tmp_path / "a.png", np.full((4, 4, 3), 4095), 16, 2)
    with pytest.raises(InputError, match="has 16 bits per channel: expected 8-bit grey or colour"):
        image_files.photograph(tmp_path / "a.png")
    with pytest.raises(InputError, match="no coloured label image: .*found 16 bits per channel"):
        image_files.label_ids(tmp_path / "a.png", coloured=True)


def named(folder, *names):
    for name in names:
        picture(folder / name, 16, 16)
    return image_files.image_files(folder)


def test_times_without_their_last_zeros_sort_by_value_and_counters_by_count(tmp_path):
    times = [f"1600000000.{part}.jpg" for part in ("0", "05", "1", "15", "2", "25")]
    assert [file.name for file in named(tmp_path / "times", *reversed(times))] == times
    counted = ["v1.9.jpg", "v1.10.jpg", "v1.11.jpg"]
    assert [file.name for file in named(tmp_path / "counted", *counted[::-1])] == counted


def test_a_gap_in_the_numbers_and_another_name_cut_a_sequence(tmp_path):
    files = named(tmp_path / "a", *(f"{n:03}.jpg" for n in (1, 2, 3, 5, 6, 40, 41)))
    assert [[int(file.stem) for file in part] for part in image_files.runs(files)] == [[1, 2, 3], [5, 6], [40, 41]]
    times = (100, 149, 203, 251, 400, 452)  # about 20 frames a second
    files = named(tmp_path / "b", *(f"{time}.jpg" for time in times))
    assert [len(part) for part in image_files.runs(files)] == [4, 2]
    files = named(tmp_path / "c", "front_1.jpg", "front_2.jpg", "rear_3.jpg", "rear_4.jpg")
    assert [len(part) for part in image_files.runs(files)] == [2, 2]


def described(folder, **other):
    """A described folder with one drive, its description with a byte-order mark."""
    own_data.write(folder, images=4, **other)
    file = folder / "dataset.json"
    file.write_text(file.read_text(), encoding="utf-8-sig")
    return folder


def frames(folder):
    return sorted((folder / "drive").glob("*.jpg"))


def looked_at(folder, tmp_path):
    said = []
    count = check_data.check("folder", str(folder), str(tmp_path / "runs"), say=said.append)
    return count, "\n".join(said)


def test_no_triplet_reaches_over_a_gap_and_the_user_is_told(tmp_path):
    folder = described(tmp_path / "own")
    files = frames(folder)
    for file in files[len(files) // 2 :]:
        file.rename(file.with_name(f"{int(file.stem) + 40:03}.jpg"))
    found = own.Own(folder)
    assert len(found.sequences) == 2 and sum(map(len, found.sequences.values())) == len(files)
    video = found.video(64, 96)
    assert len(set(video.sequence)) == 2 and len(video.triplets()) == len(files) - 4
    assert any("is taken for 2 sequences" in remark for remark in found.remarks)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_masks_and_depth_beside_the_frames_are_no_video(suffix, tmp_path):
    folder = described(tmp_path / "own")
    for i, _ in enumerate(frames(folder)):
        name = folder / "drive" / "masks" / f"{i:03}{suffix}"
        name.parent.mkdir(exist_ok=True)
        Image.fromarray((IDS == 1).astype(np.uint8) * 255).save(name)
        (folder / "drive" / "depth").mkdir(exist_ok=True)
        Image.fromarray(np.full((64, 96), 2000 + i, np.uint16)).save(folder / "drive" / "depth" / f"{i:03}.png")
    found = own.Own(folder)
    assert list(found.sequences) == ["drive"]
    said = "\n".join(found.remarks)
    assert "masks is left out of the video" in said
    assert "depth is left out of the video: its images have a single" in said


def test_frames_of_another_size_are_wrong_in_check_data(tmp_path):
    folder = described(tmp_path / "own")
    file = frames(folder)[5]
    picture(file, 64, 64)
    count, said = looked_at(folder, tmp_path)
    assert count >= 1 and f"{file.name} is 64x64, but " in said and "expected frames of one size in a sequence" in said


def test_normalised_intrinsics_are_no_pixels(tmp_path):
    camera = own_data.CAMERA | {"fx": 0.58, "fy": 1.92, "cx": 0.5, "cy": 0.5}
    folder = described(tmp_path / "own", video=[{"folder": "drive", "intrinsics": camera}])
    with pytest.raises(InputError, match=r"dataset\.json: video\.0\.intrinsics: .*found fx 0\.58, fy 1\.92; multiply"):
        own.Own(folder).check()


def test_content_that_is_elsewhere_is_named_with_the_way_to_fetch_it(tmp_path):
    link, annex, pointer = (tmp_path / f"{name}.png" for name in ("link", "annex", "pointer"))
    link.symlink_to("nowhere.png")
    annex.symlink_to(".git/annex/objects/x.png")
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    hints = {link: "it is a link to nowhere.png, which is not", annex: "git annex get", pointer: "git lfs pull"}
    for file, hint in hints.items():
        with pytest.raises(InputError, match=rf"{file.name} cannot be read .*{hint}"):
            image_files.photograph(file)


def written(folder):
    said = []
    describe.describe(folder, say=said.append)
    return json.loads((folder / "dataset.json").read_text()), "\n".join(said)


def pairs(folder, images, labels, names):
    for seed, name in enumerate(names):
        picture(folder / f"{images}/{name}.jpg", 64, 96, seed=seed)
        label(folder / f"{labels}/{name}.png", IDS)


@pytest.fixture
def bare(tmp_path):
    """A drive whose frames have numbers for names, and nothing else."""
    own_data.drive(tmp_path / "own" / "drive")
    return tmp_path / "own"


def numbers(folder, count=3):
    return [file.stem for file in frames(folder)[:count]]


def test_labels_are_not_paired_with_frames_that_share_their_numbers(bare):
    pairs(bare, "images", "labels", numbers(bare))
    assert written(bare)[0]["images"] == "images/*.jpg"


def test_labels_are_paired_within_their_split_alone(bare):
    for split in ("train", "val"):
        pairs(bare, f"images/{split}", f"labels/{split}", numbers(bare))
    for name in numbers(bare):
        picture(bare / f"images/test/{name}.jpg", 64, 96)
    values, _ = written(bare)
    assert values["images"] == ["images/train/*.jpg", "images/val/*.jpg"] and "test" not in values
    assert values["labels"] == ["labels/train/*.png", "labels/val/*.png"]


def test_a_tie_is_a_question(bare):
    pairs(bare, "images_a", "labels", numbers(bare))
    pairs(bare, "images_b", "unused", numbers(bare))
    for file in (bare / "unused").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="labels could be those of images_. or of images_., which have the same names"):
        describe.describe(bare)


def test_folders_that_differ_in_a_number_are_one_glob(bare):
    for folder in ("000", "001", "017"):
        pairs(bare, f"images/{folder}", f"labels/{folder}", numbers(bare))
    values, _ = written(bare)
    assert (values["images"], values["labels"]) == ("images/*/*.jpg", "labels/*/*.png") and own.Own(bare).count == 9


def test_mixed_suffixes_are_described_and_read_again(bare):
    pairs(bare, "images", "labels", numbers(bare))
    first = next((bare / "images").iterdir())
    first.rename(first.with_suffix(".JPG"))
    assert written(bare)[0]["images"] == "images/*.*" and own.Own(bare).count == 3


def test_depth_is_left_aside_and_said(bare):
    pairs(bare, "images", "labels", numbers(bare))
    (bare / "depth").mkdir()
    for i, file in enumerate(frames(bare)):
        Image.fromarray(np.full((64, 96), 2000 + i, np.uint16)).save(bare / "depth" / f"{file.stem}.png")
    values, said = written(bare)
    assert [entry["folder"] for entry in values["video"]] == ["drive"]
    assert "left aside: depth/* (a single channel" in said


def test_smoothed_labels_are_named(bare):
    pairs(bare, "images", "labels", numbers(bare))
    for file in (bare / "labels").iterdir():
        smoothed(file)
    with pytest.raises(InputError, match="labels: .*smoothed borders, such as .*write them without anti-aliasing"):
        describe.describe(bare)


def test_black_frames_at_the_ends_are_no_reason_for_no_video(bare):
    pairs(bare, "images", "labels", numbers(bare))
    files = frames(bare)
    for file in files:  # as PNG, which label images are too
        with Image.open(file) as image:
            black = file in (files[0], files[-1])
            (Image.new("RGB", image.size) if black else image).save(file.with_suffix(".png"))
        file.unlink()
    assert written(bare)[0]["video"][0]["folder"] == "drive"


def test_what_the_crop_keeps_of_the_label_images_is_said(bare):
    for name in numbers(bare):
        picture(bare / f"images/{name}.jpg", 128, 64)
        label(bare / f"labels/{name}.png", np.tile(IDS[:, :64], (2, 1)))
    _, said = written(bare)
    assert "of label images of 64x128 the crop to image_size keeps rows" in said and "% of the pixels" in said


@pytest.mark.parametrize("form", ["red", "grey"])
def test_ids_in_the_channels_of_a_colour_are_ids(form, bare):
    pairs(bare, "images", "labels", "abc")
    for file in (bare / "labels").iterdir():
        ids = np.tile(np.arange(6, dtype=np.uint8).repeat(16), (64, 1))
        Image.fromarray(np.stack([ids, ids * (form == "grey"), ids * (form == "grey")], -1)).save(file)
    values, _ = written(bare)
    key = "{0} 0 0" if form == "red" else "{0} {0} {0}"
    assert values["label_map"] == {key.format(i): f"class {i}" for i in range(6)}
    assert len({tuple(colour) for colour in values["classes"].values()}) == 6 and "void" not in values
    assert np.unique(own.Own(bare).annotated(64, 96)[0].labels).tolist() == [0, 1, 2, 3, 4, 5]


def test_masks_of_one_class_are_two_classes(bare):
    pairs(bare, "images", "labels", "abc")
    for file in (bare / "labels").iterdir():
        label(file, np.where(IDS > 0, 255, 0).astype(np.uint8))
    assert written(bare)[0]["label_map"] == {"0": "class 0", "255": "class 255"}


def test_masks_beside_their_images_are_paired_though_names_end_in_hashes(bare):
    for seed in range(8):
        name = f"town_{seed}_jpg.rf.3fa9c2b{seed}de71{'abcdefgh'[seed]}d"
        picture(bare / f"both/{name}.jpg", 64, 96, seed=seed)
        label(bare / f"both/{name}_mask.png", IDS)
    values, _ = written(bare)
    assert (values["images"], values["labels"]) == ("both/*.jpg", "both/*_mask.png") and own.Own(bare).count == 8


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("drive/{}.webp", r"no video: .*drive holds 12 \.webp files, such as 0\.webp, which are not read: convert"),
        ("images/{}.tif", r"no images with label images: .*images holds 12 \.tif files.*convert to PNG or JPEG"),
        ("labels/{}.png", r"no images with label images: .*labels/\* has 16 bits per channel, with a class in one"),
    ],
)
def test_what_is_not_read_is_named(name, said, bare):
    pairs(bare, "images", "labels", "abc")
    for file in (bare / name).parent.iterdir():
        file.unlink()
    for number in range(12):
        if name.endswith("png"):
            write_png(bare / name.format(number), np.full((64, 96, 3), 3), 16, 2)
        else:
            (bare / name.format(number)).write_bytes(b"of another form")
    with pytest.raises(InputError, match=said):
        written(bare)
    assert not (bare / "dataset.json").exists()


def test_a_video_file_is_named_with_the_way_to_take_its_frames(bare):
    pairs(bare, "images", "labels", "abc")
    (bare / "drive" / "MOVI0042.AVI").write_bytes(b"RIFF")
    said = written(bare)[1]
    assert "drive holds MOVI0042.AVI, which is not read: take its frames out" in said and "ffmpeg -i FILE" in said
    assert any("MOVI0042.AVI" in remark for remark in own.Own(bare).remarks)


def test_nothing_but_void_is_an_error_before_anything_is_trained(tmp_path):
    root = own_data.write(tmp_path / "own")
    for file in (root / "labels").iterdir():
        label(file, np.full((64, 96), 255, np.uint8))
    settings = DataSettings(data_set="folder", data_folder=str(root), height=64, width=96)
    with pytest.raises(InputError, match="every pixel of the 4 training images is void: expected labels of "):
        sources.check(settings, 4)
    said = []
    assert check_data.check("folder", str(root), str(tmp_path / "runs"), say=said.append) == 1
    assert "WRONG: training: every pixel of the label images that were looked at is void" in "\n".join(said)


def test_a_proposal_that_does_not_hold_is_kept_where_its_error_points(bare, monkeypatch):
    pairs(bare, "images", "labels", "abc")
    monkeypatch.setattr(own.Own, "check", lambda self: (_ for _ in ()).throw(InputError("dataset.json: classes: few")))
    with pytest.raises(InputError, match="is written, but has to be corrected first: dataset.json: classes: few"):
        written(bare)
    assert (bare / "dataset.json").exists()


def test_several_versions_of_labels_are_a_question_and_colours_beside_ids_are_none(bare):
    pairs(bare, "images", "labels", "abc")
    for file in (bare / "labels").iterdir():
        (bare / "colours").mkdir(exist_ok=True)
        Image.fromarray(np.array(COLOURS, np.uint8)[IDS]).save(bare / "colours" / file.name)
    values, said = written(bare)
    assert values["labels"] == "labels/*.png" and "left aside: colours/*.png (another form of the labels" in said
    (bare / "dataset.json").unlink()
    for file in (bare / "colours").iterdir():  # two forms in colours: the ids are still what is taken
        (bare / "overlays").mkdir(exist_ok=True)
        Image.fromarray(np.asarray(Image.open(file))[..., ::-1]).save(bare / "overlays" / file.name)
    for file in (bare / "labels").iterdir():  # of 16 bits they are ids too
        Image.fromarray(IDS.astype(np.uint16)).save(file)
    values, said = written(bare)
    assert values["labels"] == "labels/*.png" and said.count("another form of the labels that labels/*.png") == 2
    (bare / "dataset.json").unlink()
    pairs(bare, "images", "labels_v2", "abc")
    with pytest.raises(
        InputError, match=r"several versions of label images, labels.*/\*\.png and labels.*expected one"
    ):
        written(bare)


def test_links_that_lead_back_are_not_followed_by_a_glob(tmp_path):
    root = own_data.write(tmp_path / "own")
    own_data.describe(root, images="images/**/*.jpg", labels="labels/**/*.png")
    for name in ("images", "labels"):
        (root / name / "again").symlink_to("..", target_is_directory=True)
    assert own.Own(root).count == 8
