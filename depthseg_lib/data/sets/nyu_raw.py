"""NYU-V2's raw dump: scene folders of `r-<time>-<n>.ppm` and `d-<time>-<n>.pgm`, paired by time."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest, resize
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.cache import Progress, failures, packed
from depthseg_lib.data.ingest import Clip
from depthseg_lib.data.resize import Resize
from depthseg_lib.errors import InputError, together
from depthseg_lib.fingerprint import source_hash

SIZE = (480, 640)
"""Height and width of colour and depth images."""
NO_DEPTH = 2047
"""The largest raw value, of 11 bits: nothing was measured."""
RANGE = (0.5, 10.0)
"""Metres that the Kinect measures; what is nearer or farther is left out."""
ROTATION = np.array(
    [
        [9.9997798940829263e-01, 5.0518419386157446e-03, 4.3011152014118693e-03],
        [-5.0359919480810989e-03, 9.9998051861143999e-01, -3.6879781309514218e-03],
        [-4.3196624923060242e-03, 3.6662365748484798e-03, 9.9998394948385538e-01],
    ]
)
TRANSLATION = np.array([2.5031875059141302e-02, -2.9342312935846411e-04, 6.6238747008330102e-04])
"""A point P of the depth camera lies at `ROTATION.T @ P - TRANSLATION` of the colour camera, metres: 2.5 cm apart."""


@dataclass(frozen=True)
class Lens:
    """A camera with a distorting lens."""

    focal: tuple[float, float]
    """fx, fy in pixels."""
    centre: tuple[float, float]
    """cx, cy in pixels."""
    distortion: tuple[float, float, float, float, float]
    """k1, k2, p1, p2, k3."""

    @property
    def matrix(self) -> np.ndarray:
        """The intrinsics (3, 3), without the distortion."""
        (fx, fy), (cx, cy) = self.focal, self.centre
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])

    def distorted(self, rays: np.ndarray) -> np.ndarray:
        """Where rays (2, N), x and y at depth 1, fall on a plane at depth 1 behind the lens."""
        x, y = rays
        k1, k2, p1, p2, k3 = self.distortion
        square = x**2 + y**2
        radial = 1 + square * (k1 + square * (k2 + square * k3))
        across = 2 * p1 * x * y + p2 * (square + 2 * x**2)
        down = p1 * (square + 2 * y**2) + 2 * p2 * x * y
        return np.stack([x * radial + across, y * radial + down])

    def pixels(self, rays: np.ndarray) -> np.ndarray:
        """The pixels (2, N) of rays (2, N)."""
        return self.distorted(rays) * np.array(self.focal)[:, None] + np.array(self.centre)[:, None]

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """The rays (2, N) of pixels (2, N): `pixels` turned round, by fixed-point iteration."""
        seen = (pixels - np.array(self.centre)[:, None]) / np.array(self.focal)[:, None]
        found = seen
        for _ in range(20):
            found = found + seen - self.distorted(found)
        return found


COLOUR = Lens(
    (518.85790117450188, 519.46961112127485),
    (325.58244941119034, 253.73616633400465),
    (0.20796615318809061, -0.58613825163911781, 0.00072231363135888329, 0.0010479627195765181, 0.49856986684705107),
)
DEPTH = Lens(
    (582.62448167737955, 582.69103270988637),
    (313.04475870804731, 238.44389626620386),
    (-0.099897236553084481, 0.39065324602765344, 0.0019290592870229277, -0.0019422022475975055, -0.51031725053400578),
)


def check_pgm(file: Path) -> int:
    """The length in bytes of the header of a depth image of the dump.

    Raises `InputError` unless it announces a 16-bit image of `SIZE`, and the file is as long as that.
    """
    rows, columns = SIZE
    try:
        with file.open("rb") as opened:
            start = opened.read(64)
        header, found = re.match(rb"P5\s+%d\s+%d\s+65535\s" % (columns, rows), start), file.stat().st_size
        expected = header.end() + 2 * rows * columns if header else 0
        if header and found == expected:
            return header.end()
        reason = f"it has {found} bytes, not {expected}" if header else f"it starts with {start[:24]!r}"
    except OSError as error:
        reason = error.strerror
    raise InputError(
        f"{file} cannot be read ({reason}): expected a 16-bit PGM of {columns}x{rows}, as the raw dump of NYU-V2 has "
        "them; fetch it again, or remove it"
    )


def metres(raw: np.ndarray) -> np.ndarray:
    """Raw values as float32 metres, 351.3 / (1092.5 - raw); 0 where nothing within `RANGE` was measured."""
    inverse = (1092.5 - raw.astype(np.float32)) / 351.3
    known = (inverse >= 1 / RANGE[1]) & (inverse <= 1 / RANGE[0])
    return np.divide(1, inverse, out=np.zeros_like(inverse), where=known)


def registered(depth: np.ndarray, how: Resize) -> np.ndarray:
    """Depth (480, 640 metres) of the depth camera as (H, W) of the colour image brought to another size by `how`.

    Every point is moved to the colour camera and seen through its lens, so that depth fits the image as recorded; of
    several points in a pixel the nearest counts, and where none falls there is 0.
    """
    known = depth.ravel() > 0
    points = _turned_rays()[:, known] * depth.ravel()[known] - TRANSLATION[:, None].astype(np.float32)
    x, y = COLOUR.pixels(points[:2] / points[2])
    column = np.floor((x + 0.5 - how.left) * how.width / how.columns).astype(int)
    row = np.floor((y + 0.5 - how.top) * how.height / how.rows).astype(int)
    seen = (column >= 0) & (column < how.width) & (row >= 0) & (row < how.height)
    image = np.full(how.height * how.width, np.inf, np.float32)
    np.minimum.at(image, row[seen] * how.width + column[seen], points[2, seen])
    return np.where(np.isinf(image), np.float32(0), image).reshape(how.height, how.width)


@cache
def _turned_rays() -> np.ndarray:
    """The ray of every pixel of the depth image at depth 1, in the colour camera's axes (3, 480 * 640 float32)."""
    pixels = np.indices(SIZE)[::-1].reshape(2, -1)
    rays = DEPTH.rays(pixels.astype(float))
    return (ROTATION.T @ np.concatenate([rays, np.ones((1, rays.shape[1]))])).astype(np.float32)


LATEST = 1 / 15
"""Seconds that colour and depth of a pair may lie apart: two frames of a camera of 30 Hz."""
GAP = 0.5
"""Seconds between two frames at which a recording is cut: cameras drop frames, but not fifteen in a row."""
_LAYOUT = (
    "the raw dump of NYU-V2 (scene folders such as basement_0001a with r-....ppm and d-....pgm), from "
    "https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html"
)
_NAME = re.compile(r"([rd])-(\d+\.?\d*)-\d+\.(?:ppm|pgm)", re.IGNORECASE)


@dataclass(frozen=True)
class Scene:
    """A scene's colour frames in time order, each with the depth frame nearest in time; its part without a gap."""

    name: str
    """The folder's, with the first frame's where the recording was cut."""
    colour: tuple[Path, ...]
    depth: tuple[Path, ...]
    """As many; two colour frames may share one."""
    left_out: int
    """Colour frames without a depth frame within `LATEST`."""


def video(found: Sequence[Scene], height: int, width: int, progress: Progress = None) -> Video:
    """All frames of these scenes with their depth in metres, at `height` x `width`; every scene is a sequence, cut
    where it pauses.

    Frames are as recorded: the colour lens distorts by up to 2 % of the image's width, which the intrinsics leave
    out, but depth is brought into the image through the lens, so that the two fit. Cameras drop frames, so neighbours
    in a sequence are not always 1/30 s apart. Raises `InputError` where a file is broken, of another size or, for
    depth, in the wrong byte order.
    """
    files, how = [file for scene in found for file in scene.depth], resize.plan(SIZE, height, width, crop=False)
    if wrong := failures(check_pgm, files):  # before hours of work
        raise together(wrong, f"of {len(files)} depth frames cannot be used")
    clips = [Clip(scene.colour, SIZE, COLOUR.matrix) for scene in found]
    frames = ingest.video(clips, height, width, progress=progress)
    key = {"how": asdict(how), "code": source_hash(__file__, resize.__file__)}
    arrays = {"depth": (np.float16, (height, width))}
    (maps,) = packed("nyu_depth", key, files, arrays, files, lambda file: (depth(file, how),), progress)
    return replace(frames, depth=maps)


def scenes(root: str | Path) -> list[Scene]:
    """The scenes of the dump by name, directly in `root` or in folders of it; nothing is read but folders."""
    root = image_files.existing(root, _LAYOUT)
    near = [root, *image_files.subfolders(root)]
    places = [*near, *(part for folder in near[1:] for part in image_files.subfolders(folder))]
    found = [scene for place in places for scene in _scenes(place)]
    if not found:
        raise InputError(
            f"{root} is not the raw dump of NYU-V2, it has no scenes: expected {_LAYOUT}, {image_files.found(root)}"
        )
    return found


def depth(file: Path, how: Resize) -> np.ndarray:
    """The depth frame `file`, a PGM whose bytes are swapped, in metres (H, W), as the colour image sees it, brought to
    another size by `how`; 0 for none. Raises `InputError` as `check_pgm` does, and for the other byte order."""
    values = np.fromfile(file, "<u2", offset=check_pgm(file)).reshape(SIZE)
    if values.max() > NO_DEPTH:
        raise InputError(
            f"{file} has raw depth up to {values.max()}: expected 0 to {NO_DEPTH} (11 bits, low byte first, as the "
            "dump has it); its bytes seem to be in the other order, so use the file as it was distributed"
        )
    return registered(metres(values), how)


def nearest(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of `times` the index of the nearest of `others` (seconds, both rising; the earlier of two as near)."""
    after = np.searchsorted(others, times).clip(1, max(1, len(others) - 1))
    if len(others) == 1:
        return np.zeros(len(times), int)
    return np.where(times - others[after - 1] <= others[after] - times, after - 1, after)


def _scenes(folder: Path) -> list[Scene]:
    """The pairs of a folder, cut at gaps in time; none where it holds no colour frames."""
    named = [(match, file) for file in folder.iterdir() if (match := _NAME.fullmatch(file.name))]
    colour, depth = (sorted((float(m[2]), file) for m, file in named if m[1].lower() == kind) for kind in "rd")
    if not colour:
        return []
    times, others = (np.array([time for time, _ in frames]) for frames in (colour, depth))
    chosen = nearest(times, others) if depth else np.zeros(len(times), int)
    fits = np.abs(others[chosen] - times) <= LATEST if depth else np.zeros(len(times), bool)
    if not fits.any():
        raise InputError(
            f"{folder} has {len(colour)} colour and {len(depth)} depth frames, but none within {LATEST:.3f} s of one "
            "another: expected both kinds of the same recording; fetch the scene again, or remove it"
        )
    cut = image_files.pieces(np.flatnonzero(fits), lambda a, b: times[b] - times[a] < GAP)
    found = []
    for part in cut:
        name = folder.name if len(cut) == 1 else f"{folder.name} from {colour[part[0]][1].name}"
        files = (tuple(colour[i][1] for i in part), tuple(depth[chosen[i]][1] for i in part))
        found.append(Scene(name, *files, left_out=int((~fits).sum()) if part is cut[0] else 0))
    return found
