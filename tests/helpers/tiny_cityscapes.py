"""A tiny Cityscapes in the true format: images, label ids, snippets of video and a camera json for each."""

import json
from pathlib import Path

import numpy as np
from helpers.tiny import label, picture

CAMERA = {
    "extrinsic": {"baseline": 0.209313, "pitch": 0.038, "roll": 0.0, "x": 1.7, "y": 0.1, "yaw": -0.0195, "z": 1.22},
    "intrinsic": {"fx": 110.0, "fy": 112.0, "u0": 48.0, "v0": 24.0},
}
IDS = np.repeat([23, 11, 21, 26, 24, 7, 7, 1], 12)[:, None] * np.ones(96, int)
"""Sky, building, vegetation, car, person, road and the bonnet (96, 96)."""


def annotated(root: Path, split: str, city: str, images: int, height: int = 48, width: int = 96) -> None:
    """Write images with label ids, and the other files that gtFine holds beside them."""
    for number in range(images):
        name = f"{city}_{number:06}_000019"
        picture(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", height, width, seed=number)
        ids = np.roll(IDS[:: 96 // height, :width], number, axis=0).astype(np.uint8)
        place = root / "gtFine" / split / city
        label(place / f"{name}_gtFine_labelIds.png", ids)
        label(place / f"{name}_gtFine_instanceIds.png", ids.astype(np.uint16) * 1000)
        (place / f"{name}_gtFine_polygons.json").write_text("{}")


def snippets(root: Path, split: str, city: str, starts: dict[str, tuple[int, ...]], frames: int = 5) -> None:
    """Write snippets of `frames` frames from the given numbers on, by sequence; the middle one has the camera."""
    for sequence, numbers in starts.items():
        for start in numbers:
            for frame in range(start, start + frames):
                file = root / "leftImg8bit_sequence" / split / city / f"{city}_{sequence}_{frame:06}_leftImg8bit.png"
                picture(file, 48, 96, seed=frame)
            camera = root / "camera" / split / city / f"{city}_{sequence}_{start + frames // 2:06}_camera.json"
            camera.parent.mkdir(parents=True, exist_ok=True)
            camera.write_text(json.dumps(CAMERA))


def whole(root: Path, train: int = 6, val: int = 4) -> Path:
    """Write all that the profile `cityscapes` needs."""
    annotated(root, "train", "aachen", train)
    annotated(root, "val", "lindau", val)
    snippets(root, "train", "aachen", {"000000": (0,), "000001": (0,)})
    snippets(root, "train", "hanover", {"000000": (164, 712)})
    return root
