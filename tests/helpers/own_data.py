"""A user's own data as a folder of files, small enough for tests: labelled images, a drive, and their description."""

import json
from pathlib import Path

import numpy as np
from helpers.tiny import label, picture
from PIL import Image

CAMERA = dict(width=96, height=64, fx=70, fy=70, cx=47.5, cy=31.5)
DESCRIPTION = {
    "name": "my town",
    "image_size": [64, 96],
    "images": "images/*.jpg",
    "labels": "labels/*.png",
    "classes": {"road": [128, 64, 128], "house": [70, 70, 70], "car": [0, 0, 142]},
    "void": 255,
    "video": [{"folder": "drive", "intrinsics": CAMERA}],
}


def write(root: Path, images: int = 8, frames: int = 12, **changes) -> Path:
    """`images` labelled images and a drive of `frames`, 64x96; `changes` are keys of the description, None for none."""
    ids = np.repeat(np.array([0, 1, 2, 255], np.uint8), 24)
    for i in range(images):
        picture(root / "images" / f"{i}.jpg", 64, 96, seed=i)
        label(root / "labels" / f"{i}.png", np.tile(np.roll(ids, i), (64, 1)))
    drive(root / "drive", frames)
    describe(root, **changes)
    return root


def drive(folder: Path, frames: int = 12) -> None:
    """Frames 64x96 in which a picture slides by, so that neighbours look alike."""
    pixels = picture(folder / "000.jpg", 64, 96 + 20 * frames)
    for i in range(frames):
        Image.fromarray(pixels[:, 20 * i : 20 * i + 96]).save(folder / f"{i:03}.jpg")


def describe(root: Path, /, **changes) -> None:
    """Write the description, with `changes` of its keys; None takes a key out."""
    values = {key: value for key, value in (DESCRIPTION | changes).items() if value is not None}
    (root / "dataset.json").write_text(json.dumps(values, indent=1))
