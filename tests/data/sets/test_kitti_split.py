"""Lists of triplets of KITTI raw, read and made, and where a camera moves, whatever the contrast and the exposure."""

import shutil

import numpy as np
import pytest
from helpers import tiny_kitti
from helpers.real_data import real_set
from helpers.tiny import truncate
from helpers.tiny_kitti import FIRST, LAST, TESTED, write_frame
from PIL import Image

from depthseg_lib.data.sets import kitti_raw, kitti_split
from depthseg_lib.data.sets.kitti_split import HEIGHT, LEAST, UNIT, WIDTH, Frame, motion
from depthseg_lib.errors import InputError


@pytest.fixture
def kitti(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tiny_kitti.write(tmp_path / "kitti", pairs=0)


def lists(root, **files: str):
    """The folder of lists, each file from its lines."""
    folder = root / "splits"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}_files.txt").write_text(text)
    return folder


def read(root):
    return kitti_split.split(root / "raw", root / "splits")


def test_lists_name_targets_of_both_cameras(kitti):
    lists(kitti, train=f"{FIRST} 2 l\n\n{FIRST} 0000000003 r\n{FIRST} 2 l\n", test=f"{TESTED} 0000000001 l\n")
    found = read(kitti)
    assert found.training == {Frame(FIRST, "02", 2), Frame(FIRST, "03", 3)}
    assert found.held_out == {Frame(TESTED, "02", 1)}


def test_without_a_test_list_the_validation_list_is_held_out(kitti):
    lists(kitti, train=f"{FIRST} 2 l\n", val=f"{FIRST} 3 l\n")
    assert read(kitti).held_out == {Frame(FIRST, "02", 3)}


def test_test_frames_at_the_ends_of_drives_are_left_out_and_this_is_said(kitti):
    folder, said = lists(kitti, train=f"{FIRST} 2 l\n", test=f"{TESTED} 0 l\n{TESTED} 3 l\n{TESTED} 4 l\n"), []
    assert kitti_split.read(kitti / "raw", folder, said.append).held_out == {Frame(TESTED, "02", 3)}
    assert said == ["test_files.txt: 2 frames at the ends of drives are left out"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (dict(train=f"{FIRST} 2 l\n{FIRST} 9 l\n"), r"train_files\.txt, line 2: .*frame 8.* 6 frames from 0 to 5"),
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
def test_wrong_lists_are_refused_with_the_line(kitti, files, message):
    lists(kitti, **({"test": f"{TESTED} 1 l\n"} | files))
    with pytest.raises(InputError, match=message):
        read(kitti)


def test_lists_that_are_not_there_are_named(kitti):
    folder = lists(kitti, train=f"{FIRST} 2 l\n")
    with pytest.raises(InputError, match=r"neither test_files\.txt nor val_files\.txt.*found train_files\.txt"):
        read(kitti)
    (folder / "train_files.txt").rename(folder / "test_files.txt")
    with pytest.raises(InputError, match=r"train_files\.txt cannot be read"):
        read(kitti)


def test_a_made_split_holds_out_the_drives_that_eigen_tests_on(kitti):
    found = read(kitti)
    assert {frame.drive for frame in found.training} == {FIRST, LAST}
    assert found.held_out == {Frame(TESTED, "02", number) for number in (1, 2, 3)}
    of_first = {(frame.camera, frame.number) for frame in found.training if frame.drive == FIRST}
    assert of_first == {(camera, number) for camera in ("02", "03") for number in (1, 2, 3, 4)}


def test_a_made_split_leaves_out_where_the_car_stands(kitti):
    data = kitti / "raw" / FIRST / "image_02" / "data"
    for number in (3, 4, 5):  # seen from where frame 2 was
        shutil.copy(data / "0000000002.png", data / f"{number:010d}.png")
    found = read(kitti)
    assert {frame.number for frame in found.training if frame.drive == FIRST} == {1, 2}


def test_a_camera_that_a_drive_lacks_and_gaps_are_no_targets(kitti):
    shutil.rmtree(kitti / "raw" / FIRST / "image_03")
    (kitti / "raw" / LAST / "image_03" / "data" / "0000000002.png").unlink()
    found = read(kitti).training
    assert {frame.camera for frame in found if frame.drive == FIRST} == {"02"}
    of_last = [frame for frame in found if frame.drive == LAST]
    assert {frame.number for frame in of_last if frame.camera == "02"} == {1, 2, 3, 4}
    assert {frame.number for frame in of_last if frame.camera == "03"} == {4}


def test_few_frames_of_a_long_drive_are_tested_evenly_where_it_has_scans(kitti, monkeypatch):
    monkeypatch.setattr(kitti_split, "TESTED", 3)
    drive = kitti / "raw" / TESTED
    for number in range(5, 12):
        write_frame(drive, number, (64, 96))
    assert sorted(frame.number for frame in read(kitti).held_out) == [1, 5, 10]
    for scan in list((drive / "velodyne_points" / "data").iterdir())[:]:
        if scan.stem != "0000000004":
            scan.unlink()
    assert [frame.number for frame in read(kitti).held_out] == [4]


def test_other_drives_hold_out_their_last_tenth_and_one_alone_nothing(kitti):
    shutil.rmtree(kitti / "raw" / TESTED)
    drives = kitti_raw.drives(kitti / "raw")
    assert kitti_split.held_out_drives(drives) == drives[-1:]
    with pytest.raises(InputError, match="holds one drive, 2011_09_26_drive_0001_sync: expected two at least"):
        kitti_split.held_out_drives(drives[:1])


def test_the_tested_drives_are_28():
    assert sum(len(set(drives)) for drives in kitti_split.EIGEN_TEST.values()) == 28


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
    assert kitti_split.moving(files).tolist() == expected
    assert kitti_split.moving(files[:2]).tolist() == [False, False]
    monkeypatch.setattr(kitti_split, "_small", pytest.fail)
    assert kitti_split.moving(files).tolist() == expected  # kept


def test_a_broken_frame_is_named(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file in files:
        Image.fromarray(scene).save(file)
    truncate(files[1])
    with pytest.raises(InputError, match=r"1\.png cannot be read"):
        kitti_split.moving(files)


def test_the_real_drive_comes_to_a_stop(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    files = sorted(real_set("kitti_raw").glob("*/*_sync/image_02/data/*.png"))
    found = kitti_split.moving(files)
    assert found[1:25].all() and not found[45:].any()
