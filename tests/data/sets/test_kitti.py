"""KITTI: where it is looked for, lists of triplets read and made, where a camera moves, video, and the whole study."""

import json
import shutil
from itertools import product

import numpy as np
import pytest
from helpers import tiny_kitti
from helpers.real_data import real_set
from helpers.shrunk_study import ShrunkStudy
from helpers.tiny import label, truncate
from helpers.tiny_kitti import FIRST, LAST, TESTED, write_frame
from PIL import Image

from depthseg_lib.data import ingest
from depthseg_lib.data.arrays import split_triplets, with_truth
from depthseg_lib.data.sets import kitti, kitti_raw
from depthseg_lib.data.sets.kitti import HEIGHT, LEAST, UNIT, WIDTH, Frame, Kitti, Split, motion
from depthseg_lib.errors import InputError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tiny_kitti.write(tmp_path / "kitti", pairs=6)


@pytest.fixture
def raw(root):
    return root / "raw"


@pytest.mark.parametrize(("raw", "semantics"), [("kitti_raw", "data_semantics"), (".", "."), (".", "kitti_semantics")])
def test_obvious_layouts_are_found(root, raw, semantics):
    for part, name in (("raw", raw), ("semantics", semantics)):
        for entry in (root / part).iterdir():
            (root / name).mkdir(exist_ok=True)
            entry.rename(root / name / entry.name)
        if name != part:
            (root / part).rmdir()
    Kitti(root).check()
    assert Kitti(root).count == 6 and len(Kitti(root).video(64, 96).images)


def wrong_list(root):
    (root / "splits").mkdir()
    for name in ("train", "test"):
        (root / "splits" / f"{name}_files.txt").write_text("2011_09_26/2011_09_26_drive_0001_sync 40 l\n")


def list_of_ends(root):
    (root / "splits").mkdir()
    for name, frames in (("train", (2,)), ("test", (0, 4))):
        drive = "2011_09_26/2011_09_26_drive_000{}_sync".format(1 if name == "train" else 2)
        lines = "".join(f"{drive} {frame} l\n" for frame in frames)
        (root / "splits" / f"{name}_files.txt").write_text(lines)


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        (wrong_list, r"train_files\.txt, line 1: .*frame 39"),
        (list_of_ends, "splits names no frame to evaluate depth on that has both neighbours"),
    ],
)
def test_lists_are_looked_at_before_anything_runs(root, listing, message):
    listing(root)
    with pytest.raises(InputError, match=message):
        Kitti(root).check()


def test_a_folder_of_no_drives_is_named(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(InputError, match=r"is not KITTI raw, it has no drives: .*www\.cvlibs\.net.*found holiday"):
        kitti_raw.drives(tmp_path)


def test_real_pairs_of_different_sizes_are_refused():
    with pytest.raises(InputError, match=r"image_2/000000_10\.png is 1224x370, but its label image .*1242x375"):
        Kitti(real_set("kitti_semantics")).annotated(96, 320)


def depth_maps(drive):
    for kind, camera in product(("groundtruth", "velodyne_raw"), ("02", "03")):
        for frame in range(3):
            file = drive / "proj_depth" / kind / f"image_{camera}" / f"{frame:010d}.png"
            label(file, np.full((64, 96), 2560 + frame, np.uint16))


def test_depth_maps_in_drives_are_left_aside(root, raw):
    before = [Kitti(root).sequences, read(root)]
    depth_maps(raw / FIRST)
    Kitti(root).check()
    assert [Kitti(root).sequences, read(root)] == before and Kitti(root).remarks == []


@pytest.mark.parametrize("there", [".", "raw"])
def test_depth_maps_and_unrectified_recordings_below_other_folders_hide_no_drive(root, raw, there):
    if there == ".":
        for entry in [*raw.iterdir()]:
            entry.rename(root / entry.name)
    before = [{name: len(files) for name, files in Kitti(root).sequences.items()}, kitti.make_split(Kitti(root).raw)]
    for name, split in ((FIRST, "train"), (LAST, "train"), (TESTED, "val"), (LAST, "zz_val")):
        depth_maps(root / "raw" / split / name.split("/")[1])
    shutil.copytree(root / there / FIRST, root / there / FIRST.replace("sync", "extract"))
    shutil.copytree(root / there / LAST, root / there / "zz" / LAST.split("/")[1])
    found = Kitti(root)
    found.check()
    assert [{name: len(files) for name, files in found.sequences.items()}, kitti.make_split(found.raw)] == before
    remarks = "\n".join(found.remarks)
    assert "1 called as drives are left aside, unrectified recordings (_extract), such as 2011_09_26" in remarks
    assert "1 called as drives are left aside, drives that lie below their dates too, such as zz/" in remarks
    assert there == "." or "4 called as drives are left aside, depth maps alone (proj_depth), such as train/" in remarks


def test_unrectified_recordings_alone_are_said(root, raw):
    for drive in (FIRST, TESTED, LAST):
        (raw / drive).rename(raw / drive.replace("sync", "extract"))
    with pytest.raises(
        InputError, match="lacks KITTI raw: .*3 called as drives are left aside, unrectified recordings"
    ):
        Kitti(root).check()


def test_all_that_drives_lack_is_named_at_once(root, raw):
    shutil.rmtree(raw / FIRST / "image_02")
    for file in (raw / TESTED / "image_03" / "data").iterdir():
        file.unlink()
    (raw / "2011_09_28" / "calib_velo_to_cam.txt").unlink()
    message = (
        r"(?s)^3 folders .*0001_sync/image_02/data cannot.*2011_09_28/calib_velo.*0002_sync/image_03/data is empty"
    )
    for work in (Kitti(root).check, lambda: Kitti(root).sequences):
        with pytest.raises(InputError, match=message):
            work()
    lists(root, train=f"{LAST} 2 l\n", test=f"{TESTED} 1 l\n")
    Kitti(root).check()  # they name none of these
    assert len(Kitti(root).sequences) == 4 and len(Kitti(root).remarks) == 4


def test_drives_with_one_camera_and_frames_that_are_not_read_are_remarked_on(root, raw):
    shutil.rmtree(raw / FIRST / "image_03")
    (raw / LAST / "image_02" / "data" / "0000000009.webp").write_bytes(b"x")
    remarks = Kitti(root).remarks
    assert "1 of 3 drives lack image_03, such as 2011_09_26_drive_0001_sync" in remarks[0]
    assert "image_02/data holds 0000000009.webp, which is not read" in remarks[1]


def split(training, held_out) -> Split:
    return Split(frozenset(Frame(*f) for f in training), frozenset(Frame(*f) for f in held_out))


CHOSEN = split([(FIRST, "02", 1), (FIRST, "02", 4), (LAST, "03", 2)], [(TESTED, "02", 2), (FIRST, "02", 3)])


def test_frames_outside_of_triplets_are_not_read_and_targets_are_those_of_the_split(raw):
    (raw / LAST / "image_03" / "data" / "0000000005.png").write_bytes(b"broken, and in no triplet")
    video = kitti.video_of(raw, CHOSEN, 64, 96)
    assert video.sequence.tolist() == [0] * 6 + [1] * 3 + [2] * 3  # of the first drive 0, 1, 2 and 2 to 5 are wanted
    training, held_out = split_triplets(video, 1)
    assert training.tolist() == [[0, 1, 2], [3, 4, 5], [9, 10, 11]]
    assert held_out.tolist() == [[2, 3, 4], [6, 7, 8]]
    (drive, frames) = raw / FIRST, kitti_raw.frames(raw / FIRST, "02")
    whole = ingest.video([ingest.Clip(tuple(frames.values()), *kitti_raw.calibration(drive, "02"))], 64, 96)
    assert (video.images[:6] == whole.images).all() and (video.intrinsics[:6] == whole.intrinsics).all()


def test_each_date_has_its_own_size_and_intrinsics(raw):
    intrinsics = kitti.video_of(raw, CHOSEN, 64, 96).intrinsics
    assert intrinsics[0, 0] == pytest.approx([0.6 * 96, 0, 48])
    assert intrinsics[-1, 0] == pytest.approx([0.6 * 96, 0, 47.5 * 96 / 94 - 0.5])


def test_depth_is_cropped_and_of_held_out_and_some_training_frames(raw, monkeypatch):
    monkeypatch.setattr(kitti, "TRAINED", 2)
    video = kitti.video_of(raw, CHOSEN, 64, 96)
    assert video.depth.frames.tolist() == [1, 3, 7, 10]
    assert video.measured(np.arange(12)).nonzero()[0].tolist() == [1, 3, 7, 10]
    depth = video.depth[7]
    inside = kitti_raw.crop(64, 96)
    frame, matrix = kitti_raw.frames(raw / TESTED, "02")[2], video.intrinsics[7:8]
    whole = kitti_raw.scanned_depth([frame], matrix, 64, 96, None)[0]
    assert (depth[inside] == whole[inside]).all() and depth[inside].any()
    assert not depth[~inside].any() and whole[~inside].any()
    assert set(np.unique(depth)) == {0, 8, 12}  # two walls, ahead of the car
    assert with_truth(video, split_triplets(video, 1)[0])[:, 1].tolist() == [1, 10]


def test_an_empty_side_of_a_split_is_refused(raw):
    for empty in (split([], [(FIRST, "02", 3)]), split([(FIRST, "02", 3)], [])):
        with pytest.raises(InputError, match="frames to train depth on and . to evaluate it on, expected some of both"):
            kitti.video_of(raw, empty, 64, 96)


def test_no_scan_of_what_is_evaluated_is_refused(raw):
    for scan in raw.rglob("*0002_sync/velodyne_points/data/*.bin"):
        scan.unlink()
    missing = r"none of the 1 frames .* files such as .*drive_0002_sync/velodyne_points/data/0000000002\.bin"
    with pytest.raises(InputError, match=missing):
        kitti.video_of(raw, split([(FIRST, "02", 3)], [(TESTED, "02", 2)]), 64, 96)


def test_the_real_drive_with_frames_held_out(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    drive = "2011_09_26/2011_09_26_drive_0000_sync"
    chosen = split([(drive, "02", n) for n in range(1, 10)], [(drive, "02", 25), (drive, "02", 50)])
    video = kitti.video_of(real_set("kitti_raw"), chosen, 96, 320)
    assert len(video.images) == 11 + 3 + 3 and video.depth.frames.tolist() == [12, 15]
    assert 500 < (video.depth[12] > 0).sum() and video.depth[12][: int(0.4 * 96)].max() == 0


@pytest.mark.timeout(1800)  # a minute of work for one core, which may be busy with much else
def test_the_whole_study_on_a_tiny_kitti(tmp_path, monkeypatch):
    made = ShrunkStudy(tmp_path / "project", monkeypatch, "kitti", tiny_kitti.write(tmp_path / "kitti"))
    said = "\n".join(made.make())
    assert "abs_rel" in said
    metrics = json.loads((made.runs / "pretrain/resnet18-slim-depth/t0/metrics.json").read_text())
    assert metrics["evaluated"] == 3 and 0 < metrics["abs_rel"] and 0 < metrics["abs_rel_mean_map"]
    assert json.loads((made.figures / "census.json").read_text())["data"] == "KITTI"
    assert "| road | 8 |" in (made.figures / "census.md").read_text()


def lists(root, **files: str):
    """The folder of lists, each file from its lines."""
    folder = root / "splits"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}_files.txt").write_text(text)
    return folder


def read(root):
    raw, folder = root / "raw", root / "splits"
    return kitti.read_split(raw, folder) if folder.is_dir() else kitti.make_split(raw)


def test_lists_name_targets_of_both_cameras(root):
    lists(root, train=f"{FIRST} 2 l\n\n{FIRST} 0000000003 r\n{FIRST} 2 l\n", test=f"{TESTED} 0000000001 l\n")
    found = read(root)
    assert found.training == {Frame(FIRST, "02", 2), Frame(FIRST, "03", 3)}
    assert found.held_out == {Frame(TESTED, "02", 1)}


def test_lines_name_the_same_drive_however_they_are_written(root):
    lists(root, train=f"./{FIRST.replace('/', '//')}/ 2 l\n", test=f"{TESTED} 1 l\n")
    assert read(root).training == {Frame(FIRST, "02", 2)}


def test_without_a_test_list_the_validation_list_is_held_out(root):
    lists(root, train=f"{FIRST} 2 l\n", val=f"{FIRST} 3 l\n")
    assert read(root).held_out == {Frame(FIRST, "02", 3)}


def test_test_frames_at_the_ends_of_drives_are_left_out_and_this_is_said(root):
    folder, said = lists(root, train=f"{FIRST} 2 l\n", test=f"{TESTED} 0 l\n{TESTED} 3 l\n{TESTED} 4 l\n"), []
    assert kitti.read_split(root / "raw", folder, said.append).held_out == {Frame(TESTED, "02", 3)}
    assert said == ["test_files.txt: 2 frames at the ends of drives are left out"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (dict(train=f"{FIRST} 2 l\n{FIRST} 9 l\n"), r"train_files\.txt, line 2: .*frame 8.* 6 frames from 0 to 5"),
        (dict(train=f"{FIRST} 9 l\n{FIRST} 8 l\n{LAST} 9 r\n"), r"(?s)^2 cameras of .*line 1: .*line 3: .*image_03"),
        (dict(train=f"{FIRST} 5 l\n"), r"line 1: '.* 5 l' asks for frame 6, .*expected the frame and both neighbours"),
        (dict(train=f"{FIRST.replace('0001', '0099')} 2 l\n"), r"line 1: .*drive_0099_sync/image_02/data has none"),
        (dict(train=f"{FIRST} 2 l\n", test=f"{TESTED} 1 l\n{TESTED} 77 l\n"), r"test_files\.txt, line 2: .*frame 77"),
        (dict(train=f"{FIRST} 2\n"), r"line 1: '.* 2' is no frame: expected lines such as"),
        (dict(train=f"{FIRST} two l\n"), "is no frame"),
        (dict(train=f"{FIRST} 2 m\n"), "is no frame"),
        (dict(train="\n"), r"train_files\.txt names no frame"),
        (dict(train=f"{FIRST} 3 l\n{FIRST} 2 l\n", test=f"{FIRST} 2 l\n"), r"line 2: .*held out too, in line 1"),
    ],
)  # fmt: skip
def test_wrong_lists_are_refused_with_the_line(root, files, message):
    lists(root, **({"test": f"{TESTED} 1 l\n"} | files))
    with pytest.raises(InputError, match=message):
        read(root)


def test_lists_that_are_not_there_are_named(root):
    folder = lists(root, train=f"{FIRST} 2 l\n")
    with pytest.raises(InputError, match=r"neither test_files\.txt nor val_files\.txt.*found train_files\.txt"):
        read(root)
    (folder / "train_files.txt").rename(folder / "test_files.txt")
    with pytest.raises(InputError, match=r"train_files\.txt cannot be read"):
        read(root)


def test_a_made_split_holds_out_the_drives_that_eigen_tests_on(root):
    found = read(root)
    assert {frame.drive for frame in found.training} == {FIRST, LAST}
    assert found.held_out == {Frame(TESTED, "02", number) for number in (1, 2, 3)}
    of_first = {(frame.camera, frame.number) for frame in found.training if frame.drive == FIRST}
    assert of_first == {(camera, number) for camera in ("02", "03") for number in (1, 2, 3, 4)}


def test_a_made_split_leaves_out_where_the_car_stands(root):
    data = root / "raw" / FIRST / "image_02" / "data"
    for number in (3, 4, 5):  # seen from where frame 2 was
        shutil.copy(data / "0000000002.png", data / f"{number:010d}.png")
    found = read(root)
    assert {frame.number for frame in found.training if frame.drive == FIRST} == {1, 2}


def test_a_camera_that_a_drive_lacks_and_gaps_are_no_targets(root):
    shutil.rmtree(root / "raw" / FIRST / "image_03")
    (root / "raw" / LAST / "image_03" / "data" / "0000000002.png").unlink()
    found = read(root).training
    assert {frame.camera for frame in found if frame.drive == FIRST} == {"02"}
    of_last = [frame for frame in found if frame.drive == LAST]
    assert {frame.number for frame in of_last if frame.camera == "02"} == {1, 2, 3, 4}
    assert {frame.number for frame in of_last if frame.camera == "03"} == {4}


def test_few_frames_of_a_long_drive_are_tested_evenly_where_it_has_scans(root, monkeypatch):
    monkeypatch.setattr(kitti, "TESTED", 3)
    drive = root / "raw" / TESTED
    for number in range(5, 12):
        write_frame(drive, number, (64, 96))
    assert sorted(frame.number for frame in read(root).held_out) == [1, 5, 10]
    for scan in list((drive / "velodyne_points" / "data").iterdir())[:]:
        if scan.stem != "0000000004":
            scan.unlink()
    assert [frame.number for frame in read(root).held_out] == [4]


def test_other_drives_hold_out_their_last_tenth_and_one_alone_nothing(root):
    shutil.rmtree(root / "raw" / TESTED)
    drives = kitti_raw.drives(root / "raw")
    assert kitti.held_out_drives(drives) == drives[-1:]
    with pytest.raises(InputError, match="holds one drive, 2011_09_26_drive_0001_sync: expected two at least"):
        kitti.held_out_drives(drives[:1])


def test_the_tested_drives_are_28():
    assert sum(len(set(drives)) for drives in kitti.EIGEN_TEST.values()) == 28


@pytest.fixture
def scene() -> np.ndarray:
    """A smooth scene, four times as large as the images that are compared."""
    coarse = np.random.default_rng(3).integers(40, 180, (10, 30), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((6 * WIDTH, 5 * HEIGHT), Image.Resampling.BICUBIC))


def seen(scene: np.ndarray, x: int, y: int = 0, gain: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """The scene from `x`, `y` on, at a quarter of its size: `x` is in pixels of an image `UNIT` wide."""
    part = scene[y : y + 4 * HEIGHT, x : x + UNIT].astype(float) * gain + shift
    return part.reshape(HEIGHT, 4, WIDTH, 4).mean((1, 3))


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_motion_is_in_pixels_of_an_image_416_wide(scene, pixels):
    both = [motion(seen(scene, 20), seen(scene, 20 + dx, dy)) for dx, dy in ((pixels, 0), (0, pixels))]
    assert np.mean(both) == pytest.approx(pixels, rel=0.25)  # the scene's gradients favour no direction, nearly


def test_neither_contrast_nor_exposure_counts_as_motion(scene):
    moved = motion(seen(scene, 20), seen(scene, 22))
    assert motion(seen(scene, 20, gain=0.3), seen(scene, 22, gain=0.3)) == pytest.approx(moved)
    assert motion(seen(scene, 20), seen(scene, 22, shift=9)) == pytest.approx(moved, rel=1e-3)
    assert motion(seen(scene, 20), seen(scene, 20, shift=9)) < 0.05 < LEAST
    grain = np.random.default_rng(0).normal(0, 0.5, (2, HEIGHT, WIDTH))  # what averaging leaves of a camera's noise
    assert motion(seen(scene, 20) + grain[0], seen(scene, 20) + grain[1]) < LEAST < moved


def test_flat_images_do_not_move():
    assert motion(np.full((HEIGHT, WIDTH), 90), np.full((HEIGHT, WIDTH), 90)) == 0


def test_a_car_that_stops_stops_counting(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    files = [tmp_path / f"{i}.png" for i in range(8)]
    for file, x in zip(files, (0, 8, 16, 24, 24, 24, 24, 24), strict=True):
        Image.fromarray(scene[: 4 * HEIGHT, x : x + UNIT]).save(file)
    expected = [False, True, True, True, False, False, False, False]  # the ends lack a neighbour
    assert kitti.moving(files).tolist() == expected
    assert kitti.moving(files[:2]).tolist() == [False, False]
    monkeypatch.setattr("depthseg_lib.data.image_files.photograph", pytest.fail)
    assert kitti.moving(files).tolist() == expected  # kept


def test_a_broken_frame_is_named(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file in files:
        Image.fromarray(scene).save(file)
    truncate(files[1])
    with pytest.raises(InputError, match=r"1\.png cannot be read"):
        kitti.moving(files)


def test_the_real_drive_comes_to_a_stop(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    files = sorted(real_set("kitti_raw").glob("*/*_sync/image_02/data/*.png"))
    found = kitti.moving(files)
    assert found[1:25].all() and not found[45:].any()
