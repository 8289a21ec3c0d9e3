"""KITTI raw, odometry and semantics."""

import numpy as np
import pytest
from helpers.real_data import real_set
from helpers.tiny import label, picture, snapshot

from depthseg_lib.data import kitti_odometry
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.data.sets import kitti, kitti_raw
from depthseg_lib.errors import InputError

P0 = "700.0 0 60.0 0 0 700.0 18.0 0 0 0 1 0"
P2 = "700.0 0 60.0 42.0 0 700.0 18.0 0 0 0 1 0"
CAMERAS = f"calib_time: 09-Jan-2012 13:57:47\nS_rect_02: 124 37\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: {P0}\n"
VELODYNE = "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n"  # velodyne x is ahead, z is up


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def raw(tmp_path):
    """Two drives; the second lacks frame 2. One scan, of a point 10 m ahead and one 20 m ahead on the same ray."""
    date = tmp_path / "raw" / "2011_09_26"
    for drive, numbers in {"0001": range(4), "0002": (0, 1, 3, 4, 5)}.items():
        for number in numbers:
            data = date / f"2011_09_26_drive_{drive}_sync" / "image_02" / "data"
            picture(data / f"{number:010d}.png", 37, 124, seed=number)
    (date / "calib_cam_to_cam.txt").write_text(CAMERAS)
    (date / "calib_velo_to_cam.txt").write_text(VELODYNE)
    scans = date / "2011_09_26_drive_0001_sync" / "velodyne_points" / "data"
    scans.mkdir(parents=True)
    np.array([[10, -0.2, 0, 1], [20, -0.4, 0, 1], [-5, 0, 0, 1]], np.float32).tofile(scans / "0000000002.bin")
    return tmp_path / "raw"


@pytest.fixture
def odometry(tmp_path):
    for name in ("00", "01"):
        folder = tmp_path / "odometry" / "sequences" / name
        for i in range(3):
            picture(folder / "image_0" / f"{i:06d}.png", 37, 124, channels=1, seed=i)
            picture(folder / "image_2" / f"{i:06d}.png", 37, 124, seed=i)
        (folder / "calib.txt").write_text(f"P0: {P0}\nP1: {P0}\nP2: {P2}\n")
        (folder / "poses.txt").write_text("".join(f"1 0 0 0 0 1 0 0 0 0 1 {i}\n" for i in range(3)))
    return tmp_path / "odometry"


@pytest.fixture
def semantics(tmp_path):
    for i in range(3):
        picture(tmp_path / "semantics" / "training" / "image_2" / f"{i:06d}_10.png", 37, 124, seed=i)
        label(tmp_path / "semantics" / "training" / "semantic" / f"{i:06d}_10.png", np.full((37, 124), 6 + i, np.uint8))
    return tmp_path / "semantics"


def test_raw_drives_are_sequences_broken_at_missing_frames(raw):
    video = kitti_raw.video(raw, 37, 124)
    assert video.sequence.tolist() == [0] * 4 + [1] * 2 + [2] * 3 and video.depth is None
    assert np.allclose(video.intrinsics[0], [[700, 0, 60], [0, 700, 18], [0, 0, 1]])
    named = kitti_raw.video(raw, 37, 124, drives=["2011_09_26_drive_0002_sync"])
    assert (named.images == video.images[4:]).all()


def test_raw_depth_is_the_nearest_point_where_it_projects(raw):
    depth = kitti_raw.video(raw, 37, 124, depth=True).depth
    assert depth.shape == (9, 37, 124) and depth.dtype == np.float16
    assert np.argwhere(depth).tolist() == [[2, 18, 60 + 14]]  # 700 * 0.2 / 10 = 14 pixels to the right
    assert depth[2, 18, 74] == 10


def test_raw_depth_without_any_scan_is_refused(raw):
    with pytest.raises(InputError, match=r"no frame has a velodyne scan: expected files such as .*0000000000\.bin"):
        kitti_raw.video(raw, 37, 124, depth=True, drives=["2011_09_26_drive_0002_sync"])


def test_a_broken_scan_is_named(raw):
    scan = next(raw.rglob("*.bin"))
    for content in (b"12345678", scan.read_bytes()[:-1], b""):
        scan.write_bytes(content)
        with pytest.raises(InputError, match=rf"0000000002\.bin has {len(content)} bytes: expected .* 4 floats"):
            kitti_raw.video(raw, 37, 124, depth=True)


def test_raw_points_behind_or_beside_the_camera_are_not_seen():
    points = np.array([[0.0, 0, -4], [9, 0, 1], [0, 0, 3]])
    depth = kitti_raw.project(points, np.array([[5.0, 0, 4], [0, 5, 2], [0, 0, 1]]), 5, 9)
    assert np.argwhere(depth).tolist() == [[2, 4]] and depth[2, 4] == 3


def test_raw_frames_of_another_size_than_calibrated_are_refused(raw):
    picture(next(raw.rglob("*drive_0001*/image_02/data/0000000000.png")), 40, 124)
    with pytest.raises(InputError, match=r"0000000000\.png is 124x40, but 124x37 was expected"):
        kitti_raw.video(raw, 37, 124)


def test_raw_without_calibration_is_refused(raw):
    (raw / "2011_09_26" / "calib_cam_to_cam.txt").unlink()
    with pytest.raises(InputError, match=r"2011_09_26/calib_cam_to_cam\.txt cannot be read \(No such file"):
        kitti_raw.video(raw, 37, 124)


def test_raw_has_both_cameras_each_with_its_own_calibration(raw):
    date = raw / "2011_09_26"
    other = P0.replace("700.0 0 60.0 0 0", "650.0 0 61.0 -27 0")
    (date / "calib_cam_to_cam.txt").write_text(f"{CAMERAS}S_rect_03: 124 37\nP_rect_03: {other}\n")
    for number in range(3):
        picture(date / "2011_09_26_drive_0001_sync" / "image_03" / "data" / f"{number:010d}.jpg", 37, 124, seed=number)
    both = kitti_raw.video(raw, 37, 124, cameras=("02", "03"), drives=["2011_09_26_drive_0001_sync"], depth=True)
    assert both.sequence.tolist() == [0] * 4 + [1] * 3
    assert both.intrinsics[:, 0, 0].tolist() == [700] * 4 + [650] * 3
    right = [61 + (650 * x - 27) / z for x, z in ((0.2, 10), (0.4, 20))]  # camera 3 stands to the right of camera 0
    assert np.argwhere(both.depth[6]).tolist() == [[18, round(x)] for x in right]


def test_raw_leaves_unrectified_recordings_aside(raw):
    picture(raw / "2011_09_26" / "2011_09_26_drive_0003_extract" / "image_02" / "data" / "0000000000.png", 40, 130)
    assert len(kitti_raw.video(raw, 37, 124).images) == 9


def test_raw_names_a_camera_a_drive_or_frames_that_are_not_there(raw):
    with pytest.raises(InputError, match=r"no line 'P_rect_03' of 12 numbers: .*found S_rect_02"):
        kitti_raw.video(raw, 37, 124, cameras=["03"])
    with pytest.raises(InputError, match="lacks the drives 2011_09_26_drive_0009_sync"):
        kitti_raw.video(raw, 37, 124, drives=["2011_09_26_drive_0009_sync"])
    picture(next(raw.rglob("*drive_0001*/image_02/data")) / "cover.png", 37, 124)
    with pytest.raises(InputError, match="not named by a number"):
        kitti_raw.video(raw, 37, 124)


def test_odometry_reads_grey_and_colour_cameras_with_their_poses(odometry):
    grey = kitti_odometry.video(odometry, 37, 124)
    assert grey.sequence.tolist() == [0] * 3 + [1] * 3
    assert (grey.images[:, 0] == grey.images[:, 2]).all()
    assert grey.poses[:, 2, 3].tolist() == [0, 1, 2] * 2 and not grey.poses[:, 0, 3].any()
    colour = kitti_odometry.video(odometry, 37, 124, camera="2", sequences=["01"])
    assert (colour.images[:, 0] != colour.images[:, 2]).any() and len(colour.images) == 3
    assert np.allclose(colour.poses[:, 0, 3], -42 / 700)  # x_2 = x_0 + 0.06, so camera 2 stands 0.06 m to the left
    assert np.allclose(colour.intrinsics[0], [[700, 0, 60], [0, 700, 18], [0, 0, 1]])


def test_odometry_with_a_missing_pose_is_read_without_poses(odometry):
    file = odometry / "sequences" / "01" / "poses.txt"
    file.write_text(file.read_text().splitlines()[0])
    lines = []
    assert kitti_odometry.video(odometry, 37, 124, progress=lines.append).poses is None
    assert lines[0] == f"{file} has 1 poses for 3 images: read without poses"


def test_odometry_reads_poses_of_the_official_folder(odometry):
    (odometry / "poses").mkdir()
    for name in ("00", "01"):
        (odometry / "sequences" / name / "poses.txt").rename(odometry / "poses" / f"{name}.txt")
    assert kitti_odometry.video(odometry, 37, 124).poses[5, 2, 3] == 2
    (odometry / "poses" / "00.txt").write_text("1 2 3\n")
    with pytest.raises(InputError, match=r"00\.txt holds no poses: expected 12 numbers a line"):
        kitti_odometry.video(odometry, 37, 124)


def test_odometry_calibration_without_names_is_read_in_order(odometry):
    for name in ("00", "01"):
        (odometry / "sequences" / name / "calib.txt").write_text(f"{P0.replace('700', '500')}\n{P0}\n{P2}")
    assert kitti_odometry.video(odometry, 37, 124).intrinsics[0, 0, 0] == 500


def test_odometry_names_what_is_missing(odometry):
    with pytest.raises(InputError, match=r"image_1 cannot be read .*the frames of camera 1"):
        kitti_odometry.video(odometry, 37, 124, camera="1")
    with pytest.raises(InputError, match="sequences lacks 07: .*found 00, 01"):
        kitti_odometry.video(odometry, 37, 124, sequences=["07"])
    (odometry / "sequences" / "00" / "calib.txt").write_text("nothing here\n")
    with pytest.raises(InputError, match=r"calib\.txt holds no calibration"):
        kitti_odometry.video(odometry, 37, 124)


def test_semantics_are_training_indices(semantics):
    labelled = kitti.labelled(semantics, 12, 40)
    assert labelled.names == ("000000_10", "000001_10", "000002_10") and labelled.label_set is KITTI
    assert labelled.labels[:, 5, 5].tolist() == [VOID, 0, 1]


@pytest.mark.parametrize(
    ("read", "name"),
    [(kitti_raw.video, "raw"), (kitti_odometry.video, "odometry"), (kitti.labelled, "semantics")],
    ids=["raw", "odometry", "semantics"],
)
def test_a_folder_that_is_not_the_set_is_named(tmp_path, read, name):
    with pytest.raises(InputError, match=rf"absent cannot be read .*expected KITTI {name} .*www\.cvlibs\.net"):
        read(tmp_path / "absent", 37, 124)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=rf"other is empty: expected KITTI {name}"):
        read(tmp_path / "other", 37, 124)
    (tmp_path / "other" / "holiday").mkdir()
    with pytest.raises(InputError, match=rf"other is not KITTI {name}, .*found holiday"):
        read(tmp_path / "other", 37, 124)


def test_the_real_raw_drive():
    root = real_set("kitti_raw")
    before = snapshot(root)
    video = kitti_raw.video(root, 96, 320, depth=True)
    assert video.images.shape == (78, 3, 96, 320) and len(video.triplets()) == 76
    assert np.allclose(video.intrinsics[0, 0], [721.5377 * 320 / 1242, 0, (609.5593 + 0.5) * 320 / 1242 - 0.5])
    with_scan = np.flatnonzero(video.depth.any((1, 2)))
    assert with_scan.tolist() == [0, 25, 50, 75]
    metres = video.depth[0][video.depth[0] > 0].astype(float)
    assert 2 < metres.min() and metres.max() < 90 and len(metres) > 5000
    rows = np.arange(96)[:, None]
    for depth in video.depth[with_scan].astype(float):
        below = (depth * (rows - video.intrinsics[0, 1, 2]) / video.intrinsics[0, 1, 1])[(depth > 0) & (rows > 75)]
        assert 1.55 < np.percentile(below, 90) < 1.75  # KITTI's cameras stand 1.65 m above the road
    assert snapshot(root) == before


def test_the_real_odometry_clips():
    root = real_set("kitti_odometry")
    before = snapshot(root)
    video = kitti_odometry.video(root, 96, 128, crop=True)
    assert video.images.shape == (102, 3, 96, 128) and len(video.triplets()) == 98
    focal = [707.0912 * 96 / 370, 718.856 * 96 / 376]
    assert np.allclose(video.intrinsics[[0, 51], 1, 1], focal)
    assert (video.images[:, 0] == video.images[:, 1]).all()
    travelled = np.linalg.norm(np.diff(video.poses[:51, :3, 3], axis=0), axis=1)
    assert 0.5 < travelled.min() and travelled.max() < 2  # metres per frame
    assert snapshot(root) == before


def test_the_real_semantic_pairs_of_different_sizes_are_refused():
    root = real_set("kitti_semantics")
    expected = r"image_2/000000_10\.png is 1224x370, but its label image .*semantic/000000_10\.png is 1242x375"
    with pytest.raises(InputError, match=expected):
        kitti.labelled(root, 96, 320)
