"""What lies in a user's folder, guessed: which files are images with label images, and which folders are video."""

import colorsys
import glob
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files
from depthseg_lib.data.labels import CAMVID, KITTI, TRANSPARENT, unpacked_colour
from depthseg_lib.data.sets.description import VOID
from depthseg_lib.data.sets.listing import evenly
from depthseg_lib.errors import InputError

MANY = 64
"""Different ids or colours in an image, above which it is none of labels."""
_CALLED = re.compile(r"image|img|rgb|photo|picture|left", re.IGNORECASE)
"""Names of folders of images."""
_SPLITS = re.compile(r"(trainval|trainextra|train|val|test)(?:ing|idation|annot|labels?|images?|masks?|gt|s)?")
"""Words in the names of folders that say which split they hold."""
_NUMBERS = re.compile(r"\d+(?=[^/]*/)")
"""Numbers in the names of folders."""
LABELS, SMOOTHED = "labels", "the colours of label images with smoothed borders"
"""What an image that is no camera's holds, in words; smoothed ones are left aside."""
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


def labels_of(files: Sequence[Path]) -> Labels:
    """Classes for all ids or colours in a sample of the label images `files`; these are all of one kind."""
    chosen = evenly(files, 40)
    coloured = is_coloured(chosen[0])
    read = [np.unique(image_files.label_ids(file, coloured, chosen[0])) for file in chosen]
    found = [number for number in np.unique(np.concatenate(read)).tolist() if number != TRANSPARENT]
    shown = [unpacked_colour(number) if coloured else (number,) for number in found]
    key = " ".join(["{0}"] * len(shown[0])) if all(len({*one}) == 1 for one in shown) else ""
    if coloured and all(one[1:] == (0, 0) and one[0] < MANY for one in shown):
        key = "{0} 0 0"
    if key:  # ids, which simulators and tools of annotation keep in all channels of a colour, or in red alone
        names = _named_by_id([one[0] for one in shown])
        keys = {number: key.format(number) for number in names}
    else:
        names, keys = _named_by_colour(found), {n: " ".join(map(str, unpacked_colour(n))) for n in found}
    colours = {name: list(colour) for name, colour in names.values() if name != VOID}
    label_map = {keys[number]: name for number, (name, _) in names.items()}
    made_up = all(name.split()[0] in ("class", "colour") for name in colours)
    return Labels(colours, label_map, made_up, len(chosen))


def is_coloured(file: Path) -> bool:
    """Whether a label image holds colours, and no ids."""
    try:
        image_files.label_size(file)
    except InputError:
        return True
    return False


def _named_by_id(found: list[int]) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """Ids like KITTI's get its names, all of them; others are made up, with hues a golden angle apart.

    255 is void, but for masks, which have one other id and nothing else.
    """
    if set(found) <= {*KITTI.ids, *KITTI.void_ids} and set(found) >= LIKE_KITTI:
        known = dict(zip(KITTI.ids, zip(KITTI.classes, KITTI.colours, strict=True), strict=True))
        return known | {i: (VOID, (0, 0, 0)) for i in found if i in KITTI.void_ids}
    names = {}
    for n, i in enumerate(found):
        shade = colorsys.hsv_to_rgb(n * 0.618 % 1, (0.85, 0.5)[n % 2], (0.95, 0.6, 0.8)[n % 3])
        names[i] = (f"class {i}", tuple(round(255 * channel) for channel in shade))
    return names | ({255: (VOID, (0, 0, 0))} if 255 in names and len(names) > 2 else {})


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
    aside: str = ""
    """What these have that neither frames nor label images have, in words; empty for those."""

    def stem(self, file: Path) -> str:
        """What the name of one of its files has before the ending."""
        return file.stem.removesuffix(self.ending)

    @cached_property
    def stems(self) -> set[str]:
        return set(map(self.stem, self.files))

    @property
    def splits(self) -> set[str]:
        """The splits that its folder's path names, of which an image and its label image have the same."""
        words = re.split(r"[^a-z]+", self.folder.lower())
        return {match[1] for word in words if (match := _SPLITS.fullmatch(word))}

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
    aside: dict[str, str]
    """Folders of images that take part in nothing, and why."""
    unread: list[str]
    """What there is in a form that is not read, in a sentence each."""


def layout_of(folder: Path) -> Layout:
    """The layout of `folder`; raises `InputError` where there are no pairs, or no video."""
    everything = list(_groups(folder))
    groups = [group for group in everything if not group.aside]
    found = [(of, label) for label in groups if label.is_label and (of := _counterpart(label, groups))]

    def rank(label: Group) -> tuple[bool, bool]:  # of several for the same images rather ids, and not instances
        return is_coloured(label.files[0]), "instance" in str(label.files[0]).lower()

    others = {}
    for image, label in found:
        first, *same = sorted((other for of, other in found if of is image), key=rank)
        if rank(first) < rank(label):
            others[label.glob] = f"another form of the labels that {first.glob} holds as ids"
        elif same and rank(same[0]) == rank(first):
            raise InputError(
                f"the images in {image.folder} have several versions of label images, {first.glob} and {same[0].glob}: "
                "expected one of them; take the other out of the folder while `make describe` runs, or write the "
                "description by hand (docs/data.md, Your own data)"
            )
    found = [(image, label) for image, label in found if label.glob not in others]
    smoothed = [group for group in everything if group.aside == SMOOTHED]
    if not found and smoothed:
        raise InputError(
            f"{folder / smoothed[0].folder}: the images there have {SMOOTHED}, such as {smoothed[0].files[0].name}: "
            "expected label images with nothing but the colours of the classes; write them without anti-aliasing"
        )
    aside = {str(Path(group.folder, f"*{group.ending}")): group.aside for group in everything if group.aside} | others
    unread = [line for place, names in image_files.below(folder) for line in image_files.unread_of(place, names)]
    if not found:
        left = [*(f"{place} has {what}" for place, what in aside.items()), *unread]
        raise InputError(
            f"{folder} has no images with label images: expected images and label images whose names match, such as "
            f"images/0001.jpg and labels/0001.png, {image_files.found(folder)}; "
            + "; ".join([*left, "arrange the files so, or write the description by hand (docs/data.md, Your own data)"])
        )
    test = [pair for pair in found if re.search(r"(^|/)test", pair[0].folder)]
    test = test if len(test) < len(found) else []
    video = _video(groups, [image for image, _ in found], [image for image, _ in test])
    if not video:
        raise InputError(
            f"{folder} has no video: expected folders of at least 9 frames that follow one another, found "
            f"{', '.join(sorted({group.folder for group in groups}))}; "
            + "; ".join([*unread, "put some there, in a folder of its own"])
        )
    first = image_files.image_files(folder / video[0])[0]
    training = _globs(folder, [pair for pair in found if pair not in test])
    apart = _globs(folder, test) if test else None
    files = tuple(file for _, label in found for file in label.files)
    # a parent instead of its folders, where all folders of images in it are video
    parents = {str(Path(name).parent) for name in video} - {"."}
    whole = {p for p in parents if {str(Path(p, s.name)) for s in image_files.subfolders(folder / p)} <= set(video)}
    whole = {parent for parent in whole if not image_files.holds_images(folder / parent)}
    video = sorted(whole | {name for name in video if str(Path(name).parent) not in whole})
    return Layout(*training, apart, video, image_files.size(first), files, aside, unread)


def _groups(folder: Path) -> Iterator[Group]:
    for place, names in image_files.below(folder):
        files = [Path(place, name) for name in names if image_files.is_image(name)]
        endings = defaultdict(list)
        for file in sorted(files, key=image_files.natural):
            endings[re.search(r"(?<=\d)\D*$|$", file.stem)[0]].append(file)  # nothing where there is no number
        if len(endings) > 6:  # they are no kinds of files, but names; a last word that many have may still be a kind
            words = {file: re.search(r"(?:[_-][a-zA-Z]+)?$", file.stem)[0] for file in files}
            counts, endings = Counter(words.values()), defaultdict(list)
            for file in sorted(files, key=image_files.natural):
                endings[words[file] if 4 * counts[words[file]] > len(files) else ""].append(file)
        for ending, of in endings.items():
            inner = evenly(of[len(of) // 4 : len(of) - len(of) // 4], 2)  # the first and last frames may be black
            kinds = {_kind(file) for file in inner}
            label = kinds == {LABELS}
            aside = "" if label else SMOOTHED if kinds == {SMOOTHED} else image_files.looks_like(inner[0])
            yield Group(os.path.relpath(place, folder), ending, tuple(of), label, aside)


def _kind(file: Path) -> str:
    """`LABELS` where `file` holds ids or colours of classes: PNG, with few different ones; `SMOOTHED` where it would
    but for borders that anti-aliasing has smoothed; else nothing."""
    if file.suffix.lower() != ".png":
        return ""
    try:
        ids, counts = np.unique(image_files.label_ids(file, coloured := is_coloured(file)), return_counts=True)
    except InputError:
        return ""
    if len(ids) > MANY:
        return SMOOTHED if np.sort(counts)[-MANY // 2 :].sum() > 0.8 * counts.sum() else ""
    return LABELS if coloured or ids[-1] <= 255 else ""  # depth in 16 bits has larger numbers


def _counterpart(label: Group, groups: Iterable[Group]) -> Group | None:
    """The images of the label images; None where there are none.

    They have the names of most of the label images and the size of the first, and lie in no other split. Of several,
    those whose folder differs in fewer names from that of the label images; then those that all have a label image, and
    those whose folder is called so. Raises `InputError` where two are alike in all of that.
    """
    rated = []
    for image in groups:
        common = image.stems & label.stems
        if image.is_label or 2 * len(common) <= len(label.files) or image.splits != label.splits:
            continue
        name = min(common)
        first = [next(file for file in group.files if group.stem(file) == name) for group in (image, label)]
        if image_files.size(first[0]) != image_files.size(first[1]):
            continue
        parts = [Path(group.folder).parts for group in (image, label)]
        same = sum(a == b for a, b in zip(*parts, strict=False)) if len(parts[0]) == len(parts[1]) else -1
        same = min(same, len(parts[1]) - 1)  # the label images' own folder is as near as one beside it
        whole, called = len(common) == len(image.files), bool(_CALLED.search(image.folder))
        rated.append(((same, whole, called, len(common)), image))
    rated.sort(key=lambda one: one[0], reverse=True)
    if len(rated) > 1 and rated[0][0] == rated[1][0]:
        raise InputError(
            f"the label images in {label.folder} could be those of {rated[0][1].folder} or of {rated[1][1].folder}, "
            "which have the same names: expected one of the two; take the other out of the folder while `make "
            "describe` runs, or write the description by hand (docs/data.md, Your own data)"
        )
    return rated[0][1] if rated else None


def _globs(folder: Path, found: Iterable[tuple[Group, Group]]) -> tuple[list[str], list[str]]:
    """Globs where every file of both groups has a counterpart, else the files one by one.

    Folders that differ in numbers alone have one glob together, if it matches their files and no others.
    """
    both: tuple[list[str], list[str]] = ([], [])
    alike = defaultdict(list)  # those whose folders differ in numbers alone
    for pair in found:
        alike[tuple(_NUMBERS.sub("*", group.glob) for group in pair)].append(pair)
    for patterns, pairs in alike.items():
        matched = [{folder / name for name in glob.iglob(pattern, root_dir=folder)} for pattern in patterns]
        exact = matched == [{file for pair in pairs for file in pair[side].files} for side in (0, 1)]
        if len(pairs) > 1 and exact and all(image.stems == label.stems for image, label in pairs):
            both[0].append(patterns[0])
            both[1].append(patterns[1])
            continue
        for image, label in pairs:
            common = image.stems & label.stems
            for globs, group in zip(both, (image, label), strict=True):
                files = [file for file in group.files if group.stem(file) in common]
                names = [glob.escape(str(Path(group.folder, file.name))) for file in files]
                globs += [group.glob] if image.stems == label.stems else names
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
