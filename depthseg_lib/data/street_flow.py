"""Exact optical flow of frames of the embedded street video, rendered for the few frames that need it, then cached."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from depthseg_lib import world
from depthseg_lib.data import streets
from depthseg_lib.data.arrays import load_arrays
from depthseg_lib.data.cache import cached, require_space, source_hash


def flow(
    config: streets.StreetsConfig, frames: np.ndarray, device: str = "cpu", progress: streets.Progress | None = None
) -> np.ndarray:
    """Flow (N 2 H W float32 pixels, along x and y) from the `frames` (N numbers) of `streets.video` to the next ones.

    It is that of every pixel's own point, moving objects and the sky included, whether or not it is still in sight.
    """
    files = sorted(Path(world.__file__).parent.glob("*.py"))
    source = source_hash(__file__, streets.__file__, *files)
    chosen = np.asarray(frames).tolist()  # not called `frames`: that is how many a street has
    key = {"what": "flow", "chosen": chosen, **asdict(config), "source": source, "device": device}
    folder = cached("streets", key, lambda to: _render(to, config, frames, device, progress))
    return load_arrays(folder, "flow")[0]


def _render(folder: Path, config: streets.StreetsConfig, frames: np.ndarray, device: str, progress) -> None:
    size = (config.height, config.width)
    require_space(folder, 8 * len(frames) * size[0] * size[1])
    found = np.zeros((len(frames), 2, *size), np.float32)
    if progress:
        progress(f"streets: exact flow of {len(frames)} frames")
    numbers, times = np.divmod(frames, config.frames)
    for number in np.unique(numbers):
        street = streets.build_street((config.seed, streets._VIDEO, int(number)), config.frames).to(device)
        for row in np.flatnonzero(numbers == number):
            found[row] = streets.render(street, int(times[row]), *size).flow.cpu().numpy()
    np.save(folder / "flow.npy", found)
