"""`make describe DATA=folder`: write a `dataset.json` from what lies in a folder, to be looked over and corrected.

    python -m depthseg_lib.commands.describe FOLDER [--force]

It looks for images with label images, reads some labels for their ids or colours, proposes classes, and takes the
other folders of frames for video. Intrinsics that nobody wrote down are guessed, and it says so.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from depthseg_lib.commands.machine import device
from depthseg_lib.data import image_files, resize
from depthseg_lib.data.sets import description, own, proposal
from depthseg_lib.data.sets.description import VOID
from depthseg_lib.data.sets.proposal import Labels, Layout, labels_of, layout_of
from depthseg_lib.errors import InputError, exit_status
from depthseg_lib.files import replacing

FOCAL = 0.8
"""Focal length that is guessed, in widths of the image: a view of 64 degrees, as dash cameras and phones have it."""
PIXELS = 96 * 160
"""Pixels of the proposed image size for a CPU; eight times as many for a GPU."""


def describe(folder: Path, force: bool = False, say=print) -> None:
    """Write the description of `folder`, and say what was found and what to correct.

    Raises `InputError` where there are no pairs of images and labels, no video, or a description, without `force`.
    """
    if folder == Path():
        raise InputError("which folder? expected DATA=folder, one with your images, label images and video")
    folder = image_files.existing(folder, "your images, label images and video")
    file = folder / description.NAME
    if file.exists() and not force:
        raise InputError(
            f"{file} is there already, and is not overwritten: correct it by hand and look at it with `make check-data "
            f"PROFILE=folder DATA={folder}`, or give FORCE=1 to have it written anew"
        )
    layout = layout_of(folder)
    labels = labels_of(layout.label_files)
    values = _values(folder, layout, labels)
    # A line per class and entry, for people to edit, and short lists of numbers on one line.
    text = json.dumps(values, indent=2, ensure_ascii=False)
    text = re.sub(r"\[\n([-\d.,\s]+)\n\s*\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    try:
        with replacing(file) as scratch:
            scratch.write_text(f"{text}\n", "utf-8")
    except InputError as error:
        raise InputError(
            f"{error}; or put this {description.NAME} into a folder of your own, and give that as DATA:\n"
            + text.replace("{", f'{{\n  "root": {json.dumps(str(folder.absolute()))},', 1)
        ) from None
    try:
        own.Own(folder).check()
    except InputError as error:
        raise InputError(f"{file} is written, but has to be corrected first: {error}") from None
    _tell(folder, layout, labels, values, say)


def _values(folder: Path, layout: Layout, labels: Labels) -> dict:
    gpu = device().profile == "gpu"
    known = "class names are KITTI's, Cityscapes' or CamVid's where ids or colours look like theirs: see that they are"
    notes = [
        f"written by `make describe` from {labels.looked} of {len(layout.label_files)} label images; correct what "
        "is wrong",
        "class names are made up: give them theirs" if labels.made_up else known,
    ]
    values = {"name": folder.absolute().name, "note": notes}
    values |= {"image_size": _image_size(layout, PIXELS * (8 if gpu else 1))}
    values |= {"encoder": "resnet18" if gpu else "resnet18-slim", **_pair(layout.images, layout.labels)}
    if layout.test:
        values["test"] = _pair(*layout.test)
    values["classes"] = labels.classes
    void = [key for key, name in labels.label_map.items() if name == VOID]
    named = [key for key in labels.label_map if key not in void]
    # Nothing but void where ids are positions, so that a name stands in one place; else the whole map.
    positions = named == [str(i) for i in range(len(labels.classes))]
    values |= {"void": [int(key) for key in void]} if positions else {"label_map": labels.label_map}
    return values | {"frame_step": 1, "video": [_entry(folder, name) for name in layout.video]}


def _pair(*globs: list[str]) -> dict:
    return {key: of if len(of) > 1 else of[0] for key, of in zip(("images", "labels"), globs, strict=True)}


def _image_size(layout: Layout, pixels: int) -> list[int]:
    """Multiples of 32 that have about so many `pixels`, and the shape of the first frame as nearly as they can."""
    rows, columns = layout.size
    fits = [(h, w) for h in range(64, 1056, 32) for w in range(64, 2080, 32) if pixels / 1.6 <= h * w <= pixels * 1.6]
    return list(min(fits, key=lambda size: (abs(size[1] / size[0] - columns / rows), abs(size[0] * size[1] - pixels))))


def _entry(folder: Path, name: str) -> dict:
    first = image_files.image_files(own.sequences(folder / name)[0])[0]
    if own.beside(first.parent).is_file():
        return {"folder": name}
    rows, columns = image_files.size(first)
    centre = {"cx": (columns - 1) / 2, "cy": (rows - 1) / 2}
    guess = {"width": columns, "height": rows, "fx": FOCAL * columns, "fy": FOCAL * columns, **centre}
    note = f"GUESSED, nobody measured it: fx = fy = {FOCAL} of the width. Correct it, then take this line out"
    return {"folder": name, "intrinsics": guess | {"guessed": note}}


def _tell(folder: Path, layout: Layout, labels: Labels, values: dict, say) -> None:
    file = folder / description.NAME
    say(f"wrote {file}")
    apart = f"; the test split: {', '.join(layout.test[0])}" if layout.test else ""
    say(f"  {len(layout.label_files)} labelled images: {', '.join(layout.images)}{apart}")
    say(f"  {len(labels.classes)} classes in {labels.looked} label images: {', '.join(labels.classes)}")
    say(f"  video: {', '.join(layout.video)}")
    for place, what in layout.aside.items():
        say(f"  left aside: {place} ({what})")
    for line in layout.unread:
        say(f"  {line}")
    rows, columns = image_files.label_size(layout.label_files[0], proposal.is_coloured(layout.label_files[0]))
    kept = resize.plan((rows, columns), *values["image_size"], crop=True)
    share = 100 * kept.rows * kept.columns / (rows * columns)
    if share < 99:
        side, first, count = ("rows", kept.top, kept.rows) if kept.rows < rows else ("columns", kept.left, kept.columns)
        part = f"{side} {first} to {first + count - 1}, {share:.0f} % of the pixels"
        say(f"  of label images of {columns}x{rows} the crop to image_size keeps {part}")
    say("")
    say("TO DO, in that file:")
    say("  - give the classes their names" if labels.made_up else "  - see that the classes' names are right")
    say("  - say in 'void' or 'label_map' which ids have no class")
    guessed = [entry["folder"] for entry in values["video"] if "intrinsics" in entry]
    if guessed:
        say(f"  - !! the intrinsics of {', '.join(guessed)} are GUESSED: calibrate the camera, or look up its")
        say("       focal length, and correct fx, fy, cx, cy; with wrong ones depth is learned wrong")
    say(f"then look: make check-data PROFILE=folder DATA={folder}")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m depthseg_lib.commands.describe", description=about)
    parser.add_argument("folder", help="folder of your images, label images and video")
    parser.add_argument("--force", action="store_true", help="overwrite a description that is there")
    given = parser.parse_args(arguments)
    return exit_status(lambda: describe(Path(given.folder).expanduser(), given.force))


if __name__ == "__main__":
    sys.exit(main())
