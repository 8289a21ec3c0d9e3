"""Tiny image files of the true formats, for tests of readers."""

from pathlib import Path

import numpy as np
from PIL import Image


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Random smooth pixels (H, W[, 3]) uint8, grey for one channel."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, channels), dtype=np.uint8).squeeze()
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def picture(file: Path, height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Write `pixels` as `file`, with its folders, and return them."""
    image = pixels(height, width, channels, seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(file, quality=95)
    return image


def label(file: Path, ids: np.ndarray) -> None:
    """Write label ids (H, W) as a grey PNG of 8 or 16 bits, after their dtype, with its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids).save(file)


def truncate(file: Path) -> None:
    """Cut `file` in the middle, as a broken download does."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file and folder, to show that nothing was written."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))}
