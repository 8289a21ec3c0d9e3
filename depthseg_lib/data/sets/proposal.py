"""What lies in a user's folder, guessed: which files are images with label images, and which folders are video."""

import colorsys
import glob
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files
from depthseg_lib.data.labels import CAMVID, KITTI, unpacked_colour
from depthseg_lib.data.sets.description import VOID
from depthseg_lib.data.sets.listing import evenly
from depthseg_lib.errors import InputError

LIKE_KITTI = {7, 11, 21, 26}
"""Road, building, vegetation and car by KITTI's and Cityscapes' ids: with these, the others are theirs too."""


@dataclass(frozen=True)
class Labels:
    """What is proposed for the classes."""

    classes: dict[str, list[int]]
    """Colours by name."""
    label_map: dict[str, str]
    """Names by id or colour, as the description has them."""
    made_up: bool
    """Whether names are nothing but ids."""
    looked: int
    """Label images that were read."""
    count: int
    """All label images."""


def is_label(file: Path) -> bool:
    """Whether `file` holds ids or colours of classes: PNG, with few different ones."""
    if file.suffix.lower() != ".png":
        return False
    try:
        return len(np.unique(image_files.label_ids(file, _coloured(file)))) <= 64
    except InputError:
        return False


def labels_of(files: Sequence[Path]) -> Labels:
    """Classes for all ids or colours in a sample of the label images `files`; these are all of one kind."""
    chosen = evenly(files, 40)
    coloured = _coloured(chosen[0])
    found = np.unique(np.concatenate([np.unique(image_files.label_ids(file, coloured)) for file in chosen])).tolist()
    names = _named_by_colour(found) if coloured else _named_by_id(found)
    colours = {name: list(colour) for name, colour in names.values() if name != VOID}
    keys = {number: " ".join(map(str, unpacked_colour(number))) if coloured else str(number) for number in names}
    label_map = {keys[number]: name for number, (name, _) in names.items()}
    made_up = all(name.split()[0] in ("class", "colour") for name in colours)
    return Labels(colours, label_map, made_up, len(chosen), len(files))


def _coloured(file: Path) -> bool:
    try:
        image_files.label_size(file)
    except InputError:
        return True
    return False


def _named_by_id(found: list[int]) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """Ids like KITTI's get its names, all of them; others are made up, with hues a golden angle apart, dark and light."""
    if set(found) <= {*KITTI.ids, *KITTI.void_ids} and set(found) >= LIKE_KITTI:
        known = dict(zip(KITTI.ids, zip(KITTI.classes, KITTI.colours, strict=True), strict=True))
        return known | {i: (VOID, (0, 0, 0)) for i in found if i in KITTI.void_ids}
    names = {}
    for n, i in enumerate(found):
        shade = colorsys.hsv_to_rgb(n * 0.618 % 1, (0.85, 0.5)[n % 2], (0.95, 0.6, 0.8)[n % 3])
        names[i] = (f"class {i}", tuple(round(255 * channel) for channel in shade))
    return names | ({255: (VOID, (0, 0, 0))} if 255 in names else {})


def _named_by_colour(found: list[int]) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """Colours that a known set has for a class get its name; black is void."""
    palette = {c: name for known in (CAMVID, KITTI) for name, c in zip(known.classes, known.colours, strict=True)}
    names, taken = {}, set()
    for number in found:
        colour = unpacked_colour(number)
        plain = f"colour {' '.join(map(str, colour))}"
        name = palette.get(colour, plain)
        names[number] = (VOID if colour == (0, 0, 0) else plain if name in taken else name, colour)
        taken.add(name)
    return names


@dataclass(frozen=True)
class Group:
    """Image files of one folder whose names end alike."""

    folder: str
    """Its path below the user's folder."""
    ending: str
    """What all stems end in, such as `_labelIds`; empty where they end in nothing common."""
    files: tuple[Path, ...]
    is_label: bool
    """Whether these are label images, by their pixels."""

    def stem(self, file: Path) -> str:
        """What the name of one of its files has before the ending."""
        return file.stem.removesuffix(self.ending)

    @property
    def stems(self) -> set[str]:
        return set(map(self.stem, self.files))

    @property
    def glob(self) -> str:
        """The glob of all its files, from the user's folder."""
        suffixes = {file.suffix for file in self.files}
        suffix = suffixes.pop() if len(suffixes) == 1 else ".*"
        return str(Path(glob.escape(self.folder), f"*{glob.escape(self.ending)}{suffix}"))


@dataclass(frozen=True)
class Layout:
    """What is proposed for the description."""

    images: list[str]
    labels: list[str]
    test: tuple[list[str], list[str]] | None
    """Globs of images and of labels, where a folder is called so."""
    video: list[str]
    """Folders of frames."""
    size: tuple[int, int]
    """Height and width of the first frame of the video."""
    label_files: tuple[Path, ...]
    """All label images."""


def layout_of(folder: Path) -> Layout:
    """The layout of `folder`; raises `InputError` where there are no pairs, or no video."""
    groups = list(_groups(folder))
    found = []  # label images, the images for the most of them, and for how many
    for label in (group for group in groups if group.is_label):
        pairs = [(image, label, len(image.stems & label.stems)) for image in groups if not image.is_label]
        best = max(pairs, key=lambda pair: (pair[2], pair[0].folder != label.folder), default=(None, label, 0))
        found += [best] if best[2] * 2 > len(label.files) else []

    def rank(label: Group) -> tuple[bool, bool, str]:  # of several for the same images rather ids, and not instances
        with Image.open(label.files[0]) as first:
            return first.mode not in ("L", "P"), "instance" in str(label.files[0]).lower(), label.glob

    found = [of for of in found if not any(other[0] is of[0] and rank(other[1]) < rank(of[1]) for other in found)]
    if not found:
        raise InputError(
            f"{folder} has no images with label images: expected images and label images whose names match, such as "
            f"images/0001.jpg and labels/0001.png, {image_files.found(folder)}; arrange the "
            "files so, or write the description by hand (docs/data.md, Your own data)"
        )
    test = [pair for pair in found if re.search(r"(^|/)test", pair[0].folder)]
    test = test if len(test) < len(found) else []
    video = _video(groups, [image for image, _, _ in found], [image for image, _, _ in test])
    if not video:
        raise InputError(
            f"{folder} has no video: expected folders of at least 9 frames that follow one another, found "
            f"{', '.join(sorted({group.folder for group in groups}))}; put some there, in a folder of its own"
        )
    first = image_files.image_files(folder / video[0])[0]
    training, apart = _globs(pair for pair in found if pair not in test), _globs(test) if test else None
    files = tuple(file for _, label, _ in found for file in label.files)
    # a parent instead of its folders, where all folders of images in it are video
    parents = {str(Path(name).parent) for name in video} - {"."}
    whole = {p for p in parents if {str(Path(p, s.name)) for s in image_files.subfolders(folder / p)} <= set(video)}
    whole = {parent for parent in whole if not image_files.holds_images(folder / parent)}
    video = sorted(whole | {name for name in video if str(Path(name).parent) not in whole})
    return Layout(*training, apart, video, image_files.size(first), files)


def _groups(folder: Path) -> Iterator[Group]:
    for place, names in image_files.below(folder):
        files = [Path(place, name) for name in names if image_files.is_image(name)]
        endings = defaultdict(list)
        for file in sorted(files, key=image_files.natural):
            endings[re.search(r"(?<=\d)\D*$|$", file.stem)[0]].append(file)  # nothing where there is no number
        if len(endings) > 6:  # they are no kinds of files, but names
            endings = {"": sorted(files, key=image_files.natural)}
        for ending, of in endings.items():
            yield Group(os.path.relpath(place, folder), ending, tuple(of), all(map(is_label, evenly(of, 2))))


def _globs(found: Iterable[tuple[Group, Group, int]]) -> tuple[list[str], list[str]]:
    """Globs where every file of both groups has a counterpart, else the files one by one."""
    both: tuple[list[str], list[str]] = ([], [])
    for image, label, count in found:
        if count == len(image.files) == len(label.files):
            both[0].append(image.glob)
            both[1].append(label.glob)
            continue
        common = image.stems & label.stems
        for globs, group in zip(both, (image, label), strict=True):
            files = [file for file in group.files if group.stem(file) in common]
            globs += [glob.escape(str(Path(group.folder, file.name))) for file in files]
    return both


def _video(groups: list[Group], labelled: list[Group], test: list[Group]) -> list[str]:
    """Folders of photographs alone in which neighbours look alike; labelled ones only where they surely are video."""
    alone = [g for g in groups if not g.is_label and sum(other.folder == g.folder for other in groups) == 1]
    long = [group for group in alone if len(group.files) >= 9 and group not in test]
    found = [group for group in long if _apart(group) < (0.2 if group in labelled else 0.6)]
    return sorted({group.folder for group in found or [g for g in long if _apart(g) < 0.6]})


def _apart(group: Group) -> float:
    """How much neighbours differ, against frames half of the sequence apart."""
    half = len(group.files) // 2
    places = evenly(range(len(group.files) - half), 6)

    def tiny(file: Path) -> np.ndarray:
        grey = image_files.photograph(file).convert("L")
        return np.asarray(grey.resize((48, 32), Image.Resampling.BOX)).astype(float)

    here, near, far = ([tiny(group.files[i + step]) for i in places] for step in (0, 1, half))
    differences = [np.median([np.abs(a - b).mean() for a, b in zip(here, other, strict=True)]) for other in (near, far)]
    return float(differences[0] / max(differences[1], 1e-6))
