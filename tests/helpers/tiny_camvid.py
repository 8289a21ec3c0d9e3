"""The folder of small real sets that the camvid profile reads, in the formats of the sets, for tests."""

import json
from pathlib import Path

import numpy as np
from helpers import tiny


def write(root: Path) -> Path:
    """A folder as the camvid profile needs it, in each set's own format, with as few files as it accepts."""
    camera = dict(width=80, height=60, fx=60, fy=60, cx=40, cy=30)
    for i in range(5):
        tiny.picture(root / "highway" / "clip" / f"{i}.jpg", 60, 80, seed=i)
        tiny.picture(root / "kitti_odometry" / "sequences" / "00" / "image_0" / f"{i:06}.png", 60, 80, 1, seed=i)
    for i in range(6):
        drive = root / "kitti_raw" / "2011_09_26" / "2011_09_26_drive_0001_sync"
        tiny.picture(drive / "image_02" / "data" / f"{i:010}.png", 60, 80, seed=i)
    scan = root / "kitti_raw" / "2011_09_26" / drive.name / "velodyne_points" / "data" / "0000000004.bin"
    scan.parent.mkdir(parents=True)
    np.tile(np.array([10, 0, 0, 1], np.float32), (5, 1)).tofile(scan)  # straight ahead
    (root / "highway" / "intrinsics.json").write_text(json.dumps(camera))
    matrix = "60 0 40 0 0 60 30 0 0 0 1 0"
    (root / "kitti_odometry" / "sequences" / "00" / "calib.txt").write_text(f"P0: {matrix}\n")
    (root / "kitti_raw" / "2011_09_26" / "calib_cam_to_cam.txt").write_text(
        f"S_rect_02: 80 60\nP_rect_02: {matrix}\nR_rect_00: 1 0 0 0 1 0 0 0 1\n"
    )
    laser = root / "kitti_raw" / "2011_09_26" / "calib_velo_to_cam.txt"
    laser.write_text("R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n")
    for split, count in (("train", 16), ("val", 5), ("test", 3)):
        for i in range(count):
            tiny.picture(root / "camvid" / split / f"{i}.jpg", 60, 80, seed=i)
            halves = np.repeat(np.array([i % 12, (i + 1) % 12], np.uint8), 30)[:, None]
            tiny.label(root / "camvid" / f"{split}annot" / f"{i}.png", np.tile(halves, 80))
    return root
