"""What lies in a user's folder, guessed: which files are images with label images, and which folders are video."""

import glob
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import folders, image_files
from depthseg_lib.data.proposed_labels import is_label
from depthseg_lib.data.sets.listing import evenly
from depthseg_lib.errors import InputError

_EXPECTED = "images and label images whose names match, such as images/0001.jpg and labels/0001.png"


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
    found = [pair for label in groups if label.is_label and (pair := _counterpart(label, groups))]
    found = [pair for pair in found if not any(_is_better(other, pair) for other in found)]
    if not found:
        raise InputError(
            f"{folder} has no images with label images: expected {_EXPECTED}, {folders.found(folder)}; arrange the "
            "files so, or write the description by hand (README, Your own data)"
        )
    test = [pair for pair in found if re.search(r"(^|/)test", pair[0].folder)]
    test = test if len(test) < len(found) else []
    video = _video(groups, [image for image, _, _ in found], [image for image, _, _ in test])
    if not video:
        raise InputError(
            f"{folder} has no video: expected folders of at least 9 frames that follow one another, found "
            f"{', '.join(sorted({group.folder for group in groups}))}; put some there, in a folder of its own"
        )
    first = folders.image_files(folder / video[0])[0]
    training, apart = _globs(pair for pair in found if pair not in test), _globs(test) if test else None
    files = tuple(file for _, label, _ in found for file in label.files)
    return Layout(*training, apart, _shortened(folder, video), image_files.size(first), files)


def _groups(folder: Path) -> Iterator[Group]:
    for place, inner, names in os.walk(folder, followlinks=True):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        files = [Path(place, n) for n in names if n.lower().endswith(folders.IMAGE_SUFFIXES) and not n.startswith(".")]
        endings = defaultdict(list)
        for file in sorted(files, key=folders.natural):
            endings[re.search(r"(?<=\d)\D*$|$", file.stem)[0]].append(file)  # nothing where there is no number
        if len(endings) > 6:  # they are no kinds of files, but names
            endings = {"": sorted(files, key=folders.natural)}
        for ending, of in endings.items():
            yield Group(os.path.relpath(place, folder), ending, tuple(of), all(map(is_label, evenly(of, 2))))


def _counterpart(label: Group, groups: Iterable[Group]) -> tuple[Group, Group, int] | None:
    """The images for the most of the label images, and for how many; None where there are none."""
    found = [(len(_common(image, label)), image) for image in groups if not image.is_label]
    count, image = max(found, key=lambda one: (one[0], one[1].folder != label.folder), default=(0, None))
    return (image, label, count) if count * 2 > len(label.files) else None


def _common(image: Group, label: Group) -> set[str]:
    """What names of both have before their endings."""
    return {_stem(file, image) for file in image.files} & {_stem(file, label) for file in label.files}


def _stem(file: Path, group: Group) -> str:
    return file.stem.removesuffix(group.ending) if group.ending else file.stem


def _is_better(other: tuple, pair: tuple) -> bool:
    """Whether `other` has label images for the same images that rather are ids: one channel, and not instances."""
    if other is pair or other[0] is not pair[0]:
        return False
    return _rank(other[1]) < _rank(pair[1])


def _rank(label: Group) -> tuple[bool, bool, str]:
    return _is_rgb(label.files[0]), "instance" in str(label.files[0]).lower(), label.glob


def _is_rgb(file: Path) -> bool:
    with Image.open(file) as image:
        return image.mode not in ("L", "P")


def _globs(found: Iterable[tuple[Group, Group, int]]) -> tuple[list[str], list[str]]:
    """Globs where every file of both groups has a counterpart, else the files one by one."""
    both: tuple[list[str], list[str]] = ([], [])
    for image, label, count in found:
        if count == len(image.files) == len(label.files):
            both[0].append(image.glob)
            both[1].append(label.glob)
            continue
        common = _common(image, label)
        for globs, group in zip(both, (image, label), strict=True):
            files = [file for file in group.files if _stem(file, group) in common]
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
    here, near, far = ([_tiny(group.files[i + step]) for i in places] for step in (0, 1, half))
    differences = [np.median([np.abs(a - b).mean() for a, b in zip(here, other, strict=True)]) for other in (near, far)]
    return float(differences[0] / max(differences[1], 1e-6))


def _tiny(file: Path) -> np.ndarray:
    grey = image_files.photograph(file).convert("L")
    return np.asarray(grey.resize((48, 32), Image.Resampling.BOX)).astype(float)


def _shortened(folder: Path, video: list[str]) -> list[str]:
    """A parent instead of its folders, where all folders of images in it are video."""
    parents = {str(Path(name).parent) for name in video} - {"."}
    whole = {p for p in parents if {str(Path(p, s.name)) for s in folders.subfolders(folder / p)} <= set(video)}
    whole = {parent for parent in whole if not folders.holds_images(folder / parent)}
    return sorted(whole | {name for name in video if str(Path(name).parent) not in whole})
