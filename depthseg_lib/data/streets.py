"""The embedded world: street video and annotated street images, made from a seed and cached on disk."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from depthseg_lib import world
from depthseg_lib.data import labels as label_sets
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress, cached, load_arrays, require_space, reserved
from depthseg_lib.data.labels import KITTI
from depthseg_lib.fingerprint import source_hash
from depthseg_lib.world.layout import build_street
from depthseg_lib.world.render import intrinsics, render

_VIDEO, _ANNOTATED = 0, 1  # the second number of a street's seed, so that the two sets share no street
_CLIP = 12


@dataclass(frozen=True)
class StreetsConfig:
    """Which streets, and how large their images are."""

    height: int = 64
    """Of an image, pixels."""
    width: int = 192
    """Of an image, pixels."""
    streets: int = 60
    """Of the video, one sequence each."""
    frames: int = 40
    """In each sequence, 0.6 to 1.2 metres apart."""
    seed: int = 0
    """Of everything: another seed is another world."""


def video(config: StreetsConfig, device: str = "cpu", progress: Progress = None) -> Video:
    """Drives through `config.streets` streets, with exact depth and intrinsics; rendered once, then cached."""
    seeds = [(config.seed, _VIDEO, number) for number in range(config.streets)]
    key = {"what": "video", **asdict(config)}
    folder = cached(
        "streets", key | _source(device), lambda to: _render(to, config, seeds, config.frames, device, progress)
    )
    images, depth = load_arrays(folder, "images", "depth")
    count = config.streets * config.frames
    matrix = np.tile(intrinsics(config.height, config.width).float().numpy(), (count, 1, 1))
    return Video(images, np.repeat(np.arange(config.streets, dtype=np.int32), config.frames), matrix, depth)


def annotated(config: StreetsConfig, count: int = 200, device: str = "cpu", progress: Progress = None) -> Labelled:
    """`count` images with KITTI labels, each of a street of its own, none of them a street of the video."""
    seeds = [(config.seed, _ANNOTATED, number) for number in range(count)]
    key = {"what": "annotated", "count": count, "size": [config.height, config.width], "seed": config.seed}
    folder = cached("streets", key | _source(device), lambda to: _render(to, config, seeds, 1, device, progress))
    images, labels = load_arrays(folder, "images", "labels")
    return Labelled(images, labels, KITTI, tuple(f"street {number:04d}" for number in range(count)))


def _source(device: str) -> dict[str, str]:
    """What else a key of the cache holds: the code, and the kind of device, since a GPU rounds otherwise than a CPU and
    single pixels may differ."""
    files = sorted(Path(world.__file__).parent.glob("*.py"))
    return {"source": source_hash(__file__, label_sets.__file__, *files), "device": device}


def _render(folder: Path, config: StreetsConfig, seeds: list, frames: int, device: str, progress: Progress) -> None:
    """Render `frames` frames of each street into arrays under `folder`; a single frame is from within a drive."""
    count, size = len(seeds) * frames, (config.height, config.width)
    require_space(folder, 6 * count * size[0] * size[1])
    arrays = {
        "images": reserved(folder / "images.npy", (count, 3, *size), np.uint8),
        "labels": reserved(folder / "labels.npy", (count, *size), np.uint8),
        "depth": reserved(folder / "depth.npy", (count, *size), np.float16),
    }
    if progress:
        progress(f"streets: {count} images of {size[0]}x{size[1]} have to be rendered, once for all runs")
    begin = time.monotonic()
    for number, seed in enumerate(seeds):
        street = build_street(seed, frames if frames > 1 else _CLIP).to(device)
        for offset in range(frames):
            moment = offset if frames > 1 else number % _CLIP
            row, frame = number * frames + offset, render(street, moment, *size)
            arrays["images"][row] = frame.image.cpu().numpy()
            arrays["labels"][row] = KITTI.encode(frame.labels.cpu().numpy(), "streets")
            arrays["depth"][row] = frame.depth.cpu().numpy()
        if progress and (number == 2 or (number + 1) % max(1, len(seeds) // 20) == 0):  # the first is slow
            left = (time.monotonic() - begin) / (number + 1) * (len(seeds) - number - 1)
            progress(f"streets: {number + 1} of {len(seeds)} rendered, about {left:.0f} s left")
    for array in arrays.values():
        array.flush()


@dataclass(frozen=True)
class DepthCamera:
    """A camera that measures semi-dense depth, as NYU-V2's does, with a range made for streets instead of rooms."""

    nearest: float = 0.5
    """Metres below which nothing is measured."""
    farthest: float = 40.0
    """Metres beyond which nothing is measured: the sky, the street's end."""
    jump: float = 0.2
    """Relative step of depth from which both neighbours lie in the projector's shadow; flat ground has less."""
    blobs: int = 6
    """Round patches per frame that give no echo, as glass, wet and black surfaces don't."""
    radius: tuple[float, float] = (0.02, 0.1)
    """Least and largest radius of a patch, as a share of the image's height."""

    def measure(self, depth: np.ndarray, frames: np.ndarray, seed: int) -> np.ndarray:
        """Semi-dense depth (N H W float32 metres, 0 where nothing was measured) of exact depth (N H W).

        `frames` (N) are numbers that tell the frames apart: with the `seed` they are the seed of a frame's patches,
        which so are the same whenever the frame is seen, as in a recorded data set. No noise is added.
        """
        depth = np.asarray(depth, np.float32)
        missing = (depth < self.nearest) | (depth > self.farthest) | at_discontinuities(depth, self.jump)
        height, width = depth.shape[1:]
        rows, columns = np.arange(height)[:, None], np.arange(width)
        for hidden, frame in zip(missing, frames, strict=True):
            rng = np.random.default_rng((seed, int(frame)))
            radii = height * rng.uniform(*self.radius, (self.blobs, 1, 1))
            y, x = rng.uniform(0, height, radii.shape), rng.uniform(0, width, radii.shape)
            hidden |= ((rows - y) ** 2 + (columns - x) ** 2 < radii**2).any(0)
        return np.where(missing, np.float32(0), depth)


def at_discontinuities(depth: np.ndarray, jump: float) -> np.ndarray:
    """The pixels (N H W bool) on either side of a relative step of more than `jump` across or down, N H W metres.

    A step is measured against the nearer of the two; no depth (0) beside some is a step too.
    """
    found = np.zeros(depth.shape, bool)
    for axis in (1, 2):
        first, second = (np.take(depth, range(s, depth.shape[axis] - 1 + s), axis) for s in (0, 1))
        step = np.abs(first - second) > jump * np.minimum(first, second)
        edge = np.zeros_like(step[:, :1] if axis == 1 else step[:, :, :1])
        found |= np.concatenate([step, edge], axis) | np.concatenate([edge, step], axis)
    return found


def flow(config: StreetsConfig, frames: np.ndarray, device: str = "cpu", progress: Progress = None) -> np.ndarray:
    """Flow (N 2 H W float32 pixels, along x and y) from the `frames` (N numbers) of `streets.video` to the next ones.

    It is that of every pixel's own point, moving objects and the sky included, whether or not it is still in sight.
    """
    size, (numbers, times) = (config.height, config.width), np.divmod(frames, config.frames)

    def build(folder: Path) -> None:
        require_space(folder, 8 * len(frames) * size[0] * size[1])
        found = np.zeros((len(frames), 2, *size), np.float32)
        if progress:
            progress(f"streets: exact flow of {len(frames)} frames")
        for number in np.unique(numbers):
            street = build_street((config.seed, _VIDEO, int(number)), config.frames).to(device)
            for row in np.flatnonzero(numbers == number):
                found[row] = render(street, int(times[row]), *size).flow.cpu().numpy()
        np.save(folder / "flow.npy", found)

    chosen = np.asarray(frames).tolist()  # not called `frames`: that is how many a street has
    key = {"what": "flow", "chosen": chosen, **asdict(config)}
    return load_arrays(cached("streets", key | _source(device), build), "flow")[0]
