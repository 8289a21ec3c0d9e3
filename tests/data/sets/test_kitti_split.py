"""Lists of triplets of KITTI raw, read and made."""

import shutil

import pytest
from helpers import tiny_kitti
from helpers.tiny_kitti import FIRST, LAST, TESTED, write_frame

from depthseg_lib.data.sets import kitti_raw, kitti_split
from depthseg_lib.data.sets.kitti_split import Frame
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
    drives = kitti_raw.named(kitti / "raw")
    assert kitti_split.held_out_drives(drives) == drives[-1:]
    with pytest.raises(InputError, match="holds one drive, 2011_09_26_drive_0001_sync: expected two at least"):
        kitti_split.held_out_drives(drives[:1])


def test_the_tested_drives_are_28():
    assert sum(len(set(drives)) for drives in kitti_split.EIGEN_TEST.values()) == 28
