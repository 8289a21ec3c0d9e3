"""The Kinect that recorded NYU-V2: raw depth to metres, and depth brought from its own camera into the colour image.

The constants are the calibration that NYU-V2 was published with (its toolbox's `camera_params.m`); lenses follow Brown
and Conrady: radial k1, k2, k3 and tangential p1, p2.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from depthseg_lib.data.resize import Resize
from depthseg_lib.errors import InputError

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


def raw_depth(file: Path) -> np.ndarray:
    """The raw values (480, 640) of a depth image of the dump: a 16-bit PGM whose bytes are swapped.

    Raises `InputError` where the file is missing, cut short, of another size, or in the other byte order.
    """
    check_pgm(file)
    rows, columns = SIZE
    try:
        values = np.fromfile(file, "<u2", rows * columns, offset=_header(file)).reshape(SIZE)
    except (OSError, ValueError) as error:
        raise _broken(file, getattr(error, "strerror", None) or str(error)) from error
    if values.max() > NO_DEPTH:
        raise InputError(
            f"{file} has raw depth up to {values.max()}: expected 0 to {NO_DEPTH} (11 bits, low byte first, as the "
            "dump has it); its bytes seem to be in the other order, so use the file as it was distributed"
        )
    return values


def check_pgm(file: Path) -> None:
    """Raise `InputError` unless the file's header and length are those of a depth image of the dump."""
    try:
        expected, found = _header(file) + 2 * SIZE[0] * SIZE[1], file.stat().st_size
    except OSError as error:
        raise _broken(file, error.strerror) from error
    if found != expected:
        raise _broken(file, f"it has {found} bytes, not {expected}")


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


def _header(file: Path) -> int:
    """The length of a PGM header in bytes; raises `InputError` unless it announces a 16-bit image of `SIZE`."""
    with file.open("rb") as opened:
        start = opened.read(64)
    fields = start.split(maxsplit=4)
    if fields[:4] != [b"P5", str(SIZE[1]).encode(), str(SIZE[0]).encode(), b"65535"]:
        raise _broken(file, f"it starts with {start[:24]!r}")
    position = 0
    for field in fields[:4]:
        position = start.index(field, position) + len(field)
    return position + 1  # one blank ends the header


def _broken(file: Path, reason: str) -> InputError:
    return InputError(
        f"{file} cannot be read ({reason}): expected a 16-bit PGM of {SIZE[1]}x{SIZE[0]}, as the raw dump of NYU-V2 "
        "has them; fetch it again, or remove it"
    )
