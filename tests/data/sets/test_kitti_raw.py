"""KITTI raw: frames, calibrations and laser scans."""

import numpy as np
import pytest
from helpers.real_data import real_set
from helpers.tiny import picture, snapshot

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.sets import kitti_raw
from depthseg_lib.errors import InputError

P2 = "700.0 0 60.0 0 0 700.0 18.0 0 0 0 1 0"
CAMERAS = f"calib_time: 09-Jan-2012 13:57:47\nS_rect_02: 124 37\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: {P2}\n"
VELODYNE = "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n"  # velodyne x is ahead, z is up


@pytest.fixture
def drive(tmp_path, monkeypatch):
    """Four frames; one scan, of a point 10 m ahead and one 20 m ahead on the same ray, and one behind."""
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    drive = tmp_path / "raw" / "2011_09_26" / "2011_09_26_drive_0001_sync"
    for number in range(4):
        picture(drive / "image_02" / "data" / f"{number:010d}.png", 37, 124, seed=number)
    (drive.parent / "calib_cam_to_cam.txt").write_text(CAMERAS)
    (drive.parent / "calib_velo_to_cam.txt").write_text(VELODYNE)
    scans = drive / "velodyne_points" / "data"
    scans.mkdir(parents=True)
    np.array([[10, -0.2, 0, 1], [20, -0.4, 0, 1], [-5, 0, 0, 1]], np.float32).tofile(scans / "0000000002.bin")
    return drive


def depth(drive, camera="02", **options):
    files = [file for file in kitti_raw.frames(drive, camera).values() if kitti_raw.scan(file).exists()]
    matrix = kitti_raw.calibration(drive, camera)[1]
    return kitti_raw.scanned_depth(files, np.repeat(matrix[None], len(files), 0), 37, 124, None, **options)


def test_frames_are_known_by_number_and_cut_where_one_is_missing(drive):
    assert list(kitti_raw.frames(drive, "02")) == [0, 1, 2, 3]
    found = image_files.pieces([0, 1, 3, 4, 5, 8], lambda number, later: later == number + 1)
    assert found == [(0, 1), (3, 4, 5), (8,)]
    size, matrix = kitti_raw.calibration(drive, "02")
    assert size == (37, 124) and np.allclose(matrix, [[700, 0, 60], [0, 700, 18], [0, 0, 1]])


def test_depth_is_the_nearest_point_where_it_projects(drive):
    found = depth(drive)
    assert found.shape == (1, 37, 124) and found.dtype == np.float16
    assert np.argwhere(found).tolist() == [[0, 18, 60 + 14]]  # 700 * 0.2 / 10 = 14 pixels to the right
    assert found[0, 18, 74] == 10
    measured = kitti_raw.measured(kitti_raw.frames(drive, "02")[2])
    assert measured.image().size == (124, 37) and (measured.depth() == found[0]).all()


def test_each_camera_has_its_own_calibration(drive):
    other = P2.replace("700.0 0 60.0 0 0", "650.0 0 61.0 -27 0")
    (drive.parent / "calib_cam_to_cam.txt").write_text(f"{CAMERAS}S_rect_03: 124 37\nP_rect_03: {other}\n")
    for number in range(3):
        picture(drive / "image_03" / "data" / f"{number:010d}.jpg", 37, 124, seed=number)
    right = [61 + (650 * x - 27) / z for x, z in ((0.2, 10), (0.4, 20))]  # camera 3 stands to the right of camera 0
    assert np.argwhere(depth(drive, "03")[0]).tolist() == [[18, round(x)] for x in right]


def test_a_broken_scan_is_named(drive):
    scan = next(drive.rglob("*.bin"))
    for content in (b"12345678", scan.read_bytes()[:-1], b""):
        scan.write_bytes(content)
        with pytest.raises(InputError, match=rf"0000000002\.bin has {len(content)} bytes: expected .* 4 floats"):
            depth(drive)


def test_points_behind_or_beside_the_camera_are_not_seen():
    points = np.array([[0.0, 0, -4], [9, 0, 1], [0, 0, 3]])
    depth = kitti_raw.project(points, np.array([[5.0, 0, 4], [0, 5, 2], [0, 0, 1]]), 5, 9)
    assert np.argwhere(depth).tolist() == [[2, 4]] and depth[2, 4] == 3


def test_the_crop_is_eigens():
    inside = np.argwhere(kitti_raw.crop(375, 1242))
    assert inside.min(0).tolist() == [153, 44] and inside.max(0).tolist() == [370, 1196]


def test_unrectified_recordings_are_left_aside(drive):
    picture(drive.parent / "2011_09_26_drive_0003_extract" / "image_02" / "data" / "0000000000.png", 40, 130)
    assert kitti_raw.drives(drive.parents[1]) == [drive]


def test_a_camera_or_frames_that_are_not_there_are_named(drive):
    with pytest.raises(InputError, match=r"no line 'P_rect_03' of 12 numbers: .*found S_rect_02"):
        kitti_raw.calibration(drive, "03")
    with pytest.raises(InputError, match=r"image_03/data cannot be read .*the frames of camera 03"):
        kitti_raw.frames(drive, "03")
    picture(drive / "image_02" / "data" / "cover.png", 37, 124)
    with pytest.raises(InputError, match="not named by a number"):
        kitti_raw.frames(drive, "02")


def test_the_real_drive(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    root = real_set("kitti_raw")
    before, (drive,) = snapshot(root), kitti_raw.drives(root)
    files = [kitti_raw.frames(drive, "02")[number] for number in (0, 25, 50, 75)]
    video = ingest.video([ingest.Clip(tuple(files), *kitti_raw.calibration(drive, "02"))], 96, 320)
    assert np.allclose(video.intrinsics[0, 0], [721.5377 * 320 / 1242, 0, (609.5593 + 0.5) * 320 / 1242 - 0.5])
    found = kitti_raw.scanned_depth(files, video.intrinsics, 96, 320, None)
    assert found.any((1, 2)).all()
    metres = found[0][found[0] > 0].astype(float)
    assert 2 < metres.min() and metres.max() < 90 and len(metres) > 5000
    rows = np.arange(96)[:, None]
    for depth in found.astype(float):
        below = (depth * (rows - video.intrinsics[0, 1, 2]) / video.intrinsics[0, 1, 1])[(depth > 0) & (rows > 75)]
        assert 1.55 < np.percentile(below, 90) < 1.75  # KITTI's cameras stand 1.65 m above the road
    assert snapshot(root) == before
