"""Image files: size from the header, decoded pixels, decoded label ids; whatever is broken is named."""

import hashlib
import json
import os
import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from depthseg_lib.data.labels import TRANSPARENT, packed_colour
from depthseg_lib.errors import InputError

_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for files that are cut short, damaged or no image at all."""
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes of more than 8 bits per channel, which a conversion to RGB would clip without a word."""
FEW = 32
"""Different colours up to which a PNG is no camera's frame."""
_SMALL = 2**20
"""Bytes up to which a file's content is in a digest."""
_CALIBRATION = re.compile(r"calib.*\.txt|intrinsics\.json|.*_camera\.json")
_PICTURES = dict.fromkeys(
    (".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".tga", ".exr", ".dng"),
    "convert to PNG or JPEG",
) | dict.fromkeys((".jpe", ".jfif"), "rename to .jpg")
_VIDEO = dict.fromkeys(
    (".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts"),
    "take its frames out, each video's into a folder, such as with `ffmpeg -i FILE -qscale:v 2 FOLDER/%06d.jpg`",
)
"""Endings of files that a user may take for images or video, but that are not read, and what to do with them."""
_SYSTEM = re.compile(r"\..*|thumbs\.db|ehthumbs\.db|desktop\.ini|~\$.*|.*~|#.*#", re.IGNORECASE)
"""Names of what systems, editors and Jupyter leave in folders: hidden files, previews, locks, backups."""


def size(file: Path) -> tuple[int, int]:
    """Height and width in pixels, from the header alone; of an image that EXIF turns, as it is displayed."""
    with _opened(file) as image:
        return (image.width, image.height) if _orientation(image) > 4 else (image.height, image.width)


def label_size(file: Path, coloured: bool = False) -> tuple[int, int]:
    """Height and width of a label image, as it is displayed; raises `InputError` for any but PNGs of ids.

    These have one channel of 1 to 16 bits, or a palette; `coloured` ones have three of 8 bits, or a palette.
    """
    with _opened(file) as image:
        if not coloured and image.mode not in ("1", "L", "P", *_DEEP):
            raise InputError(
                f"{file} is no label image: expected one channel with an id per pixel, found "
                f"{_description(file, image)}; give the label-id images, not the coloured or the instance ones"
            )
        if coloured and (image.mode not in ("RGB", "RGBA", "P") or _bits(file) > 8):
            raise InputError(
                f"{file} is no coloured label image: expected 8-bit RGB with its class's colour in every pixel, found "
                f"{_description(file, image)}; give the coloured images, or map ids to classes and not colours"
            )
        if image.format == "JPEG":
            raise InputError(
                f"{file} is a JPEG, which changes ids and colours near every border: expected PNG label images; take "
                "them as they were before they were compressed"
            )
        return (image.width, image.height) if _orientation(image) > 4 else (image.height, image.width)


def photograph(file: Path) -> Image.Image:
    """The decoded image, grey (mode L) or RGB, turned as its EXIF says, as it is displayed.

    Raises `InputError` where it is broken or has more than 8 bits per channel.
    """
    with _opened(file) as image:
        if image.mode in _DEEP or _bits(file) > 8:
            raise InputError(
                f"{file} has {_description(file, image)}: expected 8-bit grey or colour; where this is a depth map or "
                "a label image, give the folder of the camera's images, else convert these to 8 bits"
            )
        upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
        upright.load()
        if upright.mode in ("L", "RGB"):
            return upright.copy()
        # a palette's transparency has to become a channel of its own first, or Pillow warns
        return (upright.convert("RGBA") if "transparency" in upright.info else upright).convert("RGB")


def label_ids(file: Path, coloured: bool = False, like: Path | None = None) -> np.ndarray:
    """The ids (H, W) of a label image as they stand in the file, uint8, or int32 where that has 16 bits.

    Of a `coloured` one, the colours as numbers (H, W) int32, as `labels.packed_colour` makes them, and `TRANSPARENT`
    where alpha is 0. A label image belongs to its image as both are displayed: it is turned by its own EXIF alone.
    Raises `InputError` where it is broken or no label image, where ids are transparent, and where their colours are not
    those that they have in `like`, another label image of the set.
    """
    label_size(file, coloured)
    with _opened(file) as image:
        upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
        if coloured:
            red, green, blue, alpha = np.asarray(upright.convert("RGBA")).astype(np.int32).transpose(2, 0, 1)
            return np.where(alpha > 0, packed_colour(red, green, blue), TRANSPARENT).astype(np.int32)
        if upright.mode in _DEEP:
            return np.asarray(upright).astype(np.int32)
        ids = np.asarray(upright).astype(np.uint8)
        if upright.mode != "P":  # Pillow spreads ids of 2 and 4 bits over 0..255
            return ids // (255 // (2 ** _bits(file) - 1)) if upright.mode == "L" else ids
        used, alpha, own = np.unique(ids), upright.info.get("transparency", b""), upright.getpalette()
    if hidden := [i for i in used if (i == alpha if isinstance(alpha, int) else i < len(alpha) and not alpha[i])]:
        raise InputError(
            f"{file}: the pixels of id {hidden[0]} are transparent: expected opaque ids; write the file without "
            "transparency, with an id of its own, named in 'void', for pixels that have no label"
        )
    with _opened(like or file) as other:
        theirs = other.getpalette() if other.mode == "P" else []
    for i in used:
        here, there = own[3 * i : 3 * i + 3], theirs[3 * i : 3 * i + 3]
        if there and here != there:
            raise InputError(
                f"{file}: id {i} has the colour {tuple(here)}, but {tuple(there)} in {like}: expected one palette in "
                "all label images of a set; write them with the same one, or say in 'label_map' which class each "
                "colour stands for: then palettes are read by their colours"
            )
    return ids


def looks_like(file: Path) -> str:
    """What an image holds that is no camera's frame, in words; empty for one that may be a frame."""
    with _opened(file) as image:
        if image.mode in _DEEP:
            return "a single channel of more than 8 bits, as depth images have"
        if _bits(file) > 8:
            return "16 bits per channel, with a class in one of them perhaps: write that one as grey PNGs"
        if image.format != "PNG":  # compression blurs colours: masks alone, black and white, can be told then
            grey = np.asarray(image.convert("L"))
            white, between = (grey > 231).mean(), ((grey > 24) & (grey <= 231)).mean()
            return "nothing but black and white, as masks have" if white > 0.001 and between < 0.02 else ""
        pixels = np.asarray(image if image.mode == "P" else image.convert("RGB")).astype(np.int32)
        values = pixels if pixels.ndim == 2 else packed_colour(*pixels.transpose(2, 0, 1))
        few = len(np.unique(values)) <= FEW and values.max() > 0  # a frame may be black
        return "few different colours, as label images and masks have" if few else ""


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 where there is none; from 5 on height and width change places."""
    return image.getexif().get(0x0112, 1) if image.format == "JPEG" or "exif" in image.info else 1


def _bits(file: Path) -> int:
    """Bits per channel: a PNG's as its header has them, of which Pillow does not tell."""
    with open(file, "rb") as opened:
        header = opened.read(25)
    return header[24] if header.startswith(b"\x89PNG") and len(header) == 25 else 8


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(file) as image:
            yield image
    except InputError:
        raise
    except _DECODING_ERRORS as error:
        raise InputError(
            f"{file} cannot be read ({getattr(error, 'strerror', None) or error}): expected a whole PNG or JPEG "
            f"image; {remedy(Path(file))}"
        ) from error


def remedy(file: Path) -> str:
    """What to do about a file that cannot be read."""
    if file.is_symlink() and not file.exists():
        annex = ", such as with `git annex get` or `datalad get`" if ".git/annex" in str(file.readlink()) else ""
        return f"it is a link to {file.readlink()}, which is not there: fetch what it leads to{annex}"
    with suppress(OSError), file.open("rb") as opened:
        if opened.read(40).startswith(b"version https://git-lfs"):
            return "it stands for a file that git-lfs keeps: fetch it with `git lfs pull`"
    return "fetch or copy it again"


def _description(file: Path, image: Image.Image) -> str:
    if image.mode in _DEEP:
        return "a single channel of more than 8 bits"
    return "16 bits per channel" if _bits(file) > 8 else f"a {image.mode} image"


def existing(folder: str | Path, expected: str) -> Path:
    """`folder` as a path; raises `InputError`, saying what was `expected`, where it is missing, a file or empty."""
    folder = Path(folder).expanduser()
    if not entries(folder, expected):
        raise InputError(f"{folder} is empty: expected {expected}; put the data there, or give the right folder")
    return folder


def image_files(folder: Path, expected: str = "PNG or JPEG images") -> tuple[Path, ...]:
    """The image files of `folder` by name, numbers by value: `9.png` before `10.png`.

    Where names are times whose last zeros were dropped, `0.05.png` comes before `0.1.png`. Raises `InputError` where
    there are none, or two for the same name (`1.png` and `1.jpg`).
    """
    files = [file for file in entries(folder, expected) if is_image(file.name)]
    if not files:
        raise InputError(f"{folder} holds no images: expected {expected}, {found(folder)}; give the right folder")
    first_of = {}
    for file in files:
        if first_of.setdefault(file.stem, file) is not file:
            raise InputError(f"{folder} holds both {first_of[file.stem].name} and {file.name}: remove one of the two")
    ends = [_text_and_number(file)[2] for file in files]  # of counters some end in 0, of such times none
    dropped = all(end == "0" or end and not end.endswith("0") for end in ends) and len({*map(len, ends)}) > 1
    return tuple(sorted(files, key=(lambda file: _text_and_number(file)[:2]) if dropped else natural))


def runs(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """`files` of one folder, in order, cut where frames are missing: at gaps in their numbers, and at other names.

    A gap is more than one and a half of the median step, so that times may jitter; without numbers there is none.
    """
    named = {file: _text_and_number(file)[:2] for file in files}
    if any(number is None for _, number in named.values()):
        return [tuple(files)]
    steps = sorted(to - of for (text, of), (other, to) in pairwise(named.values()) if text == other) or [1]
    limit = steps[len(steps) // 2] * Fraction(3, 2)
    return pieces(files, lambda a, b: named[a][0] == named[b][0] and named[b][1] - named[a][1] <= limit)


def pieces(items: Sequence, follows: Callable[[Any, Any], bool]) -> list[tuple]:
    """`items` cut wherever one does not follow the one before: a triplet across a gap would hold a jump."""
    cuts = [i for i, (before, item) in enumerate(pairwise(items), 1) if not follows(before, item)]
    return [tuple(items[start:stop]) for start, stop in pairwise([0, *cuts, len(items)])]


def _text_and_number(file: Path) -> tuple[str, Fraction | None, str]:
    """What stands before the last number of a file's stem, that number, and its decimals, which times may have."""
    match = re.search(r"\d+(?:\.(\d+))?(?=\D*$)", file.stem)
    return (file.stem[: match.start()], Fraction(match[0]), match[1] or "") if match else (file.stem, None, "")


def digest(places: Sequence[Path], *texts: str) -> str:
    """A short digest of `places`: of a small file, its content; of a large one and of a folder, names and sizes.

    Those of a folder are of all files below it, with the content of calibrations, in which a digit may change alone.
    What is missing counts as an empty folder, and what a system or an editor leaves there does not count. `texts` do.
    """

    def one(file: Path) -> str:
        small = file.stat().st_size <= _SMALL
        return hashlib.sha256(file.read_bytes()).hexdigest() if small else f"{file.name} {file.stat().st_size}"

    lines = [*texts, *(one(place) for place in places if place.is_file())]
    for folder in places:
        for place, names in below(folder):
            files = [Path(place, name) for name in names]
            lines += [f"{folder.name}/{f.relative_to(folder).as_posix()} {f.stat().st_size}" for f in files]
            lines += [one(file) for file in files if _CALIBRATION.fullmatch(file.name)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def below(folder: str | Path) -> Iterator[tuple[str, list[str]]]:
    """Every folder in `folder`, itself first, with the names of its files, in order of characters; links are followed.

    What systems, editors and Jupyter leave there is left out, and so are links to where `folder` lies and to what was
    visited before: no folder comes twice.
    """
    seen = {os.path.realpath(parent) for parent in Path(folder).resolve().parents}
    for place, inner, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            inner.clear()
            continue
        seen.add(real)
        inner[:] = sorted(name for name in inner if not _SYSTEM.fullmatch(name))
        yield place, sorted(name for name in names if not _SYSTEM.fullmatch(name))


def unread(folders: Iterable[str | Path]) -> list[str]:
    """What lies in these folders and is pictures or video in a form that is not read, in a sentence each."""
    return [line for f in folders for line in unread_of(f, [file.name for file in entries(Path(f), "images")])]


def unread_of(folder: str | Path, names: Iterable[str]) -> list[str]:
    """Which of the files of these `names` below `folder` are in a form that is not read, a sentence for each ending."""
    kinds, lines = defaultdict(list), []
    for name in names:
        if (ending := os.path.splitext(name)[1].lower()) in _PICTURES or ending in _VIDEO:
            kinds[ending].append(name)
    for ending, of in kinds.items():
        what = f"{len(of)} {ending} files, such as {of[0]}, which are" if len(of) > 1 else f"{of[0]}, which is"
        lines.append(f"{folder} holds {what} not read: {(_PICTURES | _VIDEO)[ending]}")
    return lines


def is_image(name: str) -> bool:
    """Whether a file of this name is a PNG or JPEG image, and none that a system or an editor left."""
    return name.lower().endswith((".png", ".jpg", ".jpeg")) and not _SYSTEM.fullmatch(name)


def subfolders(folder: Path) -> tuple[Path, ...]:
    """The folders in `folder` in name order."""
    return tuple(entry for entry in entries(folder, "folders") if entry.is_dir())


def holds_images(folder: Path) -> bool:
    """Whether at least one image file lies directly in `folder`."""
    return any(is_image(file.name) for file in entries(folder, "images"))


def found(folder: Path) -> str:
    """What `folder` holds, in a few words for an error message."""
    names = [entry.name for entry in entries(folder, "a folder")]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"found {', '.join(names[:6])}{more}" if names else "found it empty"


def file_text(file: Path, expected: str) -> str:
    """The text of `file`; raises `InputError`, saying what was `expected` in it, where it cannot be read."""
    try:
        return file.read_text("utf-8-sig")  # with or without a byte-order mark
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{file} cannot be read ({reason}): expected {expected}; put that file there") from error


def numbers(file: Path, names: Sequence[str], expected: str, within: str = "") -> list[float]:
    """The numbers of these `names` in a json file, or `within` an object in it.

    Raises `InputError`, saying what was `expected`, where the file cannot be read or one of them is not positive.
    """
    try:
        values = json.loads(file_text(file, expected))
    except json.JSONDecodeError as error:
        raise InputError(f"{file} is not json ({error}): expected {expected}; correct it, or fetch it again") from error
    if within:
        values = values.get(within) if isinstance(values, dict) else None
    found = [values.get(name) if isinstance(values, dict) else None for name in names]
    numeric = [isinstance(one, int | float) and not isinstance(one, bool) and 0 < one < float("inf") for one in found]
    if wrong := [name for name, is_number in zip(names, numeric, strict=True) if not is_number]:
        raise InputError(
            f"{file} has no positive number for {', '.join(wrong)}: expected {expected}; add what is missing, or fetch "
            "it again"
        )
    return found


def entries(folder: Path, expected: str) -> list[Path]:
    """What `folder` holds, in name order, numbers by value; raises `InputError` where it cannot be read.

    What systems, editors and Jupyter leave there is left out.
    """
    try:
        entries = [entry for entry in folder.iterdir() if not _SYSTEM.fullmatch(entry.name)]
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be read ({error.strerror}): expected {expected}; give the right folder"
        ) from error
    return sorted(entries, key=natural)


def natural(file: Path) -> tuple:
    """The key by which files are sorted: names in order, numbers in them by value."""
    parts = re.split(r"(\d+)", file.name)  # text, number, text, ...
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), file.name
