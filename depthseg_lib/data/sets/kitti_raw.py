"""KITTI raw: `date/date_drive_0001_sync/image_0N/data/*.png` with `calib_cam_to_cam.txt`, and velodyne scans."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files
from depthseg_lib.data.cache import Progress, packed
from depthseg_lib.data.sets.listing import Measured
from depthseg_lib.errors import InputError
from depthseg_lib.fingerprint import source_hash

_LAYOUT = (
    "KITTI raw (2011_09_26/2011_09_26_drive_0001_sync/image_02/data ... and 2011_09_26/calib_cam_to_cam.txt), from "
    "https://www.cvlibs.net/datasets/kitti/raw_data.php"
)
_DEPTH = "proj_depth"
"""The folder in a drive's of the improved and the raw depth maps of KITTI's depth benchmark, 16-bit PNGs."""
CROP = ((0.40810811, 0.99189189), (0.03594771, 0.96405229))
"""Rows and columns, as shares of height and width, on which depth on KITTI is evaluated (Garg et al. 2016): without
the sky, where no echo comes from, and the margins."""


def drives(root: Path) -> list[Path]:
    """The folders of the drives below `root` in name order, without those `aside`. Raises `InputError` where there are
    none.
    """
    apart = aside(root)
    found = [drive for drive in _named(root) if drive not in apart]
    if not found:
        only = f" but {', '.join(dict.fromkeys(apart.values()))}" if apart else ""
        raise InputError(
            f"{root} is not KITTI raw, it has no drives{only}: expected {_LAYOUT}, {image_files.found(root)}; give the "
            "folder that holds the dates"
        )
    return found


def aside(root: Path) -> dict[Path, str]:
    """Folders below `root` that are called as drives are and are none to read, and what they are, in words.

    These are unrectified recordings, the depth maps of KITTI's depth benchmark, and folders besides a date's with a
    drive that is there below its date.
    """
    named, found = _named(root), {}
    dated = {drive.name for drive in named if drive.name.startswith(f"{drive.parent.name}_")}
    for drive in named:
        inner = {entry.name for entry in image_files.entries(drive, "a drive")}
        if drive.name.endswith("_extract"):
            found[drive] = "unrectified recordings (_extract)"
        elif inner == {_DEPTH}:
            found[drive] = f"depth maps alone ({_DEPTH})"
        elif drive.name in dated and not drive.name.startswith(f"{drive.parent.name}_"):
            found[drive] = "drives that lie below their dates too"
    return found


def has_drives(root: Path) -> bool:
    """Whether there are `drives` below `root`, a folder."""
    return len(_named(root)) > len(aside(root))


def remarks(root: Path) -> list[str]:
    """What is `aside` below `root`, a sentence for each kind."""
    apart = aside(root)
    kinds = {kind: [drive for drive, of in apart.items() if of == kind] for kind in apart.values()}
    return [
        f"{root}: {len(of)} called as drives are left aside, {kind}, such as {of[0].relative_to(root)}"
        for kind, of in kinds.items()
    ]


def _named(root: Path) -> list[Path]:
    return [d for date in image_files.subfolders(root) for d in image_files.subfolders(date) if "_drive_" in d.name]


def frames(drive: Path, camera: str) -> dict[int, Path]:
    """The image files of a drive's camera (02, 03, ...) by frame number, in order.

    Raises `InputError` where there are none, or one is not named by a number.
    """
    folder = image_files.existing(drive / f"image_{camera}" / "data", f"the frames of camera {camera} of KITTI raw")
    files = image_files.image_files(folder)
    try:
        return {int(file.stem): file for file in files}
    except ValueError as error:
        raise InputError(
            f"{folder} holds frames that are not named by a number ({error}): expected names such as "
            "0000000000.png; remove what is no frame"
        ) from error


def cameras(found: Sequence[Path], wanted: Sequence[str]) -> tuple[dict[tuple[Path, str], dict[int, Path]], list]:
    """The frames of the `wanted` cameras of the drives `found`, by number, and an `InputError` for all that is wrong.

    The first of the cameras has to be in every drive; others may be, with frames. Dates have calibrations for both.
    """
    there, wrong = {}, {}
    for camera in wanted:
        for drive in found:
            if camera != wanted[0] and not (drive / f"image_{camera}").is_dir():
                continue
            for look in (frames, calibration, lambda drive, camera: velodyne_calibration(drive.parent, camera)):
                try:
                    read_now = look(drive, camera)
                    there |= {(drive, camera): read_now} if look is frames else {}
                except InputError as error:
                    wrong[str(error)] = error
    return there, list(wrong.values())


def scan(frame: Path) -> Path:
    """The scan of a frame, which need not exist: `drive/velodyne_points/data/N.bin` for `drive/image_0C/data/N.png`."""
    return frame.parents[2] / "velodyne_points" / "data" / f"{frame.stem}.bin"


def calibration(drive: Path, camera: str) -> tuple[tuple[int, int], np.ndarray]:
    """Height and width of a camera's rectified frames and its intrinsics (3, 3) in their pixels, those of the date.

    Raises `InputError` where the date's calibration is missing or lacks the camera.
    """
    file = drive.parent / "calib_cam_to_cam.txt"
    values = read(file, f"the calibration of the cameras on {drive.parent.name}")
    projection = entry(values, f"P_rect_{camera}", (3, 4), file)
    columns, rows = entry(values, f"S_rect_{camera}", (2,), file)
    return (int(rows), int(columns)), camera_of(projection)[0]


def velodyne_calibration(date: Path, camera: str) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) in metres from the velodyne's axes to those of a rectified camera.

    Raises `InputError` where a calibration file of the folder `date` is missing or lacks what is needed.
    """
    cameras, velodyne = date / "calib_cam_to_cam.txt", date / "calib_velo_to_cam.txt"
    to_camera = read(velodyne, f"the calibration of the velodyne on {date.name}")
    rotation = entry(to_camera, "R", (3, 3), velodyne)
    translation = entry(to_camera, "T", (3,), velodyne)
    values = read(cameras, f"the calibration of the cameras on {date.name}")
    rectify = entry(values, "R_rect_00", (3, 3), cameras)
    projection = entry(values, f"P_rect_{camera}", (3, 4), cameras)
    return rectify @ rotation, rectify @ translation + camera_of(projection)[1]


def read(file: Path, expected: str) -> dict[str, np.ndarray]:
    """The numbers of every line by its name; lines without a name (odometry) are `P0`, `P1`, ... in order.

    Lines that hold no numbers (dates) are left out. Raises `InputError` where the file is missing or has no such line.
    """
    values = {}
    for number, line in enumerate(image_files.file_text(file, expected).splitlines()):
        name, numbers = line.split(":", 1) if ":" in line else (f"P{number}", line)
        try:
            values[name.strip()] = np.array([float(part) for part in numbers.split()])
        except ValueError:
            continue
    if not values:
        raise InputError(f"{file} holds no calibration: expected {expected}; fetch it again")
    return values


def entry(values: dict[str, np.ndarray], name: str, shape: tuple[int, ...], file: Path) -> np.ndarray:
    """The matrix `name` of a calibration; raises `InputError` where it is missing or of another size than `shape`."""
    if name not in values or values[name].size != np.prod(shape):
        raise InputError(
            f"{file} has no line '{name}' of {np.prod(shape)} numbers: expected one for this camera, found "
            f"{', '.join(values)}; choose another camera, or fetch the calibration again"
        )
    return values[name].reshape(shape)


def camera_of(projection: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics K (3, 3) and offset t (3,) in metres of a projection P = K [I | t] (3, 4)."""
    intrinsics = projection[:, :3]
    return intrinsics, np.linalg.solve(intrinsics, projection[:, 3])


def measured(frame: Path) -> Measured:
    """A frame that has a velodyne scan, with its depth at the frame's own size."""
    camera = frame.parents[1].name.removeprefix("image_")

    def depth() -> np.ndarray:
        (rows, columns), matrix = calibration(frame.parents[2], camera)
        return scanned_depth([frame], matrix[None], rows, columns, None)[0]

    return Measured(str(scan(frame)), lambda: image_files.photograph(frame), depth)


def scanned_depth(
    frames: Sequence[Path],
    intrinsics: np.ndarray,
    height: int,
    width: int,
    progress: Progress,
    cropped: bool = False,
) -> np.ndarray:
    """Depth (N, H, W) float16 metres of KITTI raw `frames` from the scans of the same number, 0 where no point falls.

    `intrinsics` (N, 3, 3) are those of the H x W images. `cropped` depth is 0 outside of `CROP` too. Raises
    `InputError` where a scan is missing or not whole, or a calibration is missing or broken.
    """
    scans = [scan(frame) for frame in frames]
    cameras = [(frame.parents[3], frame.parents[1].name.removeprefix("image_")) for frame in frames]
    motions = {camera: velodyne_calibration(*camera) for camera in set(cameras)}
    kept = crop(height, width) if cropped else np.ones((height, width), bool)

    def one(index: int) -> tuple[np.ndarray]:
        try:
            content = scans[index].read_bytes()
        except OSError as error:
            raise InputError(
                f"{scans[index]} cannot be read ({error.strerror}): expected a velodyne scan; fetch it"
            ) from error
        if not content or len(content) % 16:
            raise InputError(
                f"{scans[index]} has {len(content)} bytes: expected a velodyne scan, 4 floats (16 bytes) a point; "
                "fetch it again"
            )
        rotation, translation = motions[cameras[index]]
        points = np.frombuffer(content, "<f4").reshape(-1, 4)[:, :3] @ rotation.T + translation  # the last: reflectance
        return (project(points, intrinsics[index], height, width) * kept,)

    names = [str(frame.absolute()) for frame in frames]
    digest = hashlib.sha256(repr((names, intrinsics.tolist())).encode()).hexdigest()
    code = source_hash(__file__)
    key = {"frames": digest, "size": [height, width], "cropped": cropped, "code": code}
    dates = sorted({frame.parents[3] for frame in frames})
    calibrations = [date / name for date in dates for name in ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt")]
    arrays = {"depth": (np.float16, (height, width))}
    return packed("velodyne", key, [*scans, *calibrations], arrays, range(len(frames)), one, progress)[0]


def project(points: np.ndarray, intrinsics: np.ndarray, height: int, width: int) -> np.ndarray:
    """Depth (H, W) in metres of `points` (P, 3) in the camera's axes: the nearest per pixel, 0 where none falls."""
    points = points[points[:, 2] > 0.1]
    pixels = points @ intrinsics.T
    x, y = np.rint(pixels[:, :2] / pixels[:, 2:]).T
    seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y, metres = x[seen].astype(int), y[seen].astype(int), points[seen, 2]
    image = np.full((height, width), np.inf)
    np.minimum.at(image, (y, x), metres)
    return np.where(np.isinf(image), 0.0, image)


def crop(height: int, width: int) -> np.ndarray:
    """The pixels (H, W) bool of an image of this size that lie within `CROP`."""
    (top, bottom), (left, right) = CROP
    inside = np.zeros((height, width), bool)
    inside[int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = True
    return inside
