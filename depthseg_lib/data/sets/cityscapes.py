"""The `cityscapes` profile's data: the training split's video and labels, tested on the validation split."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.ingest import Annotated
from depthseg_lib.data.labels import CITYSCAPES
from depthseg_lib.data.sets.listing import Listing
from depthseg_lib.errors import InputError, together

FOLDERS = {"images": "leftImg8bit", "labels": "gtFine", "video": "leftImg8bit_sequence", "cameras": "camera"}
"""The folders of the set; below each are the splits, and below those the cities."""
_SITE = "https://www.cityscapes-dataset.com/downloads/"
_FRAME = re.compile(r"(?P<city>.+)_(?P<sequence>\d{6})_(?P<frame>\d{6})")
_CAMERA = (
    'a json object with "intrinsic": {"fx": 2262.52, "fy": 2265.30, "u0": 1096.98, "v0": 513.13}, in pixels of the '
    "frames, of camera_trainvaltest.zip"
)
BEFORE, BEHIND = 19, 10
"""Frames of a snippet before and behind the one that is annotated, whose camera the set has."""
Name = tuple[str, str, str]
"""City, sequence and frame."""


class Cityscapes(Listing):
    """Images are kept whole, squeezed where the shapes differ, bonnet and all."""

    LAYOUT = f"one that holds {', '.join(FOLDERS.values())} of Cityscapes"
    label_set = CITYSCAPES

    def check(self) -> None:
        """Raise `InputError` unless all parts are there, with the camera of every snippet."""
        super().check()
        image_files.existing(self.folder, _packages(FOLDERS.values()))
        missing = [name for name in FOLDERS.values() if not (self.folder / name).is_dir()]
        if missing:
            raise InputError(
                f"{self.folder} lacks {', '.join(missing)}: expected Cityscapes' {_packages(missing)}, "
                f"{image_files.found(self.folder)}; unpack them there, or give the folder that holds them"
            )
        _ = self._cameras

    @cached_property
    def labelled(self) -> Mapping[str, Sequence[Annotated]]:
        """The 2975 training images, of which a run takes some, and the 500 of val (those of test have no labels)."""
        return {split: self._pairs(split) for split in ("train", "val")}

    @cached_property
    def sequences(self) -> Mapping[str, Sequence[Path]]:
        """The 2975 snippets of the training split: 30 consecutive frames of a city's sequence at 17 Hz, by the 1st."""
        return {"_".join(next(iter(snippet))): tuple(snippet.values()) for snippet in self._snippets}

    @property
    def remarks(self) -> Sequence[str]:
        counts, remarks = Counter(file.name for _, file, _ in self._cameras), []
        if cut := [name.removesuffix("_camera.json") for name, pieces in counts.items() if pieces > 1]:
            remarks.append(
                f"{len(cut)} of {len(counts)} snippets lack frames and are cut there, into sequences with the same "
                f"camera, such as that of {cut[0]}"
            )
        for kind, split in (("images", "train"), ("images", "val"), ("video", "train")):
            for city in image_files.subfolders(self.folder / FOLDERS[kind] / split):
                names = [file.name for file in image_files.entries(city, "images")]
                remarks += image_files.unread_of(city, names)
                others = [n for n in names if image_files.is_image(n) and not n.endswith("_leftImg8bit.png")]
                expected = f"whose names do not end in _leftImg8bit.png, such as {others[0]}" if others else ""
                remarks += [f"{city} holds {len(others)} images that are not read, {expected}"] if others else []
        return remarks

    @property
    def parts(self) -> Sequence[Path]:
        return [self.folder / name for name in FOLDERS.values()]

    def video(self, height: int, width: int, progress: Progress = None) -> Video:
        """The snippets of the training split: the test images' cities are not among them.

        Raises `InputError` where snippets have no camera or one without intrinsics, or files are broken or of another
        size.
        """
        clips = [ingest.Clip(files, image_files.size(files[0]), matrix) for files, _, matrix in self._cameras]
        return ingest.video(clips, height, width, progress=progress)

    @cached_property
    def _cameras(self) -> list[tuple[tuple[Path, ...], Path, np.ndarray]]:
        """Of each of `_snippets` its files, the file of its camera, and the intrinsics (3, 3).

        The camera is that of the first of its frames that has one; of a piece of a snippet that of the nearest frame
        whose snippet reaches as far. Raises one `InputError` for all that are missing or broken.
        """
        cameras, found, wrong, without = self._files("train", "cameras", "_camera.json"), [], {}, []
        of_sequence = defaultdict(list)
        for city, sequence, frame in cameras:
            of_sequence[city, sequence].append(int(frame))
        for snippet in self._snippets:
            names = list(snippet)
            (city, sequence, first), last = names[0], int(names[-1][2])
            known = [name for name in names if name in cameras]
            near = [
                (max(int(first) - frame, frame - last), frame)
                for frame in of_sequence[city, sequence]
                if frame - BEFORE <= last and int(first) <= frame + BEHIND
            ]
            if not known and not near:
                without.append(names)
                continue
            file = cameras[known[0] if known else (city, sequence, f"{min(near)[1]:06}")]
            try:
                fx, fy, u0, v0 = image_files.numbers(file, ("fx", "fy", "u0", "v0"), _CAMERA, within="intrinsic")
                matrix = np.array([[fx, 0, u0], [0, fy, v0], [0, 0, 1]], float)
                found.append((tuple(snippet.values()), file, matrix))
            except InputError as error:
                wrong[file] = error
        if without:
            names, cities = without[0], Counter(names[0][0] for names in without)
            usual = names[BEFORE if len(names) > BEFORE else len(names) // 2]
            wrong[None] = InputError(
                f"{len(without)} of {len(self._snippets)} snippets have no camera "
                f"({', '.join(f'{count} of {city}' for city, count in cities.items())}), such as the frames "
                f"{'_'.join(names[0])} to {'_'.join(names[-1])}: expected {'_'.join(usual)}_camera.json, or that of "
                f"another of them, below {FOLDERS['cameras']}/train; fetch camera_trainvaltest.zip from {_SITE}"
            )
        if wrong:
            raise together([*wrong.values()], "things are wrong with cameras")
        return found

    def _pairs(self, split: str) -> list[Annotated]:
        pictures = self._files(split, "images", "_leftImg8bit.png")
        annotations = self._files(split, "labels", "_gtFine_labelIds.png")
        if unpaired := pictures.keys() ^ annotations.keys():
            raise InputError(
                f"{self.folder / FOLDERS['images'] / split} and {self.folder / FOLDERS['labels'] / split} do not "
                f"match: expected an image and a label image for every name, found {len(unpaired)} with only one of "
                f"them, such as {'_'.join(min(unpaired))}; fetch what is missing"
            )
        like = next(iter(annotations.values()))
        return [ingest.pair("_".join(name), file, annotations[name], like=like) for name, file in pictures.items()]

    @cached_property
    def _snippets(self) -> list[dict[Name, Path]]:
        """Runs of consecutive frames of one sequence."""
        files = self._files("train", "video", "_leftImg8bit.png")
        runs = image_files.pieces(list(files), lambda a, b: a[:2] == b[:2] and int(b[2]) == int(a[2]) + 1)
        return [{name: files[name] for name in run} for run in runs]

    def _files(self, split: str, kind: str, ending: str) -> dict[Name, Path]:
        """The files of a split that end so, by city, sequence and frame, in that order."""
        place = self.folder / FOLDERS[kind] / split
        cities = image_files.subfolders(image_files.existing(place, f"the cities of Cityscapes' {split} split"))
        files = [file for city in cities for file in image_files.entries(city, f"files {ending}")]
        files = [file for file in files if file.name.endswith(ending)]
        found = {m.groups(): file for file in files if (m := _FRAME.fullmatch(file.name.removesuffix(ending)))}
        if not found:
            raise InputError(
                f"{place} holds no files city_000000_000019{ending} in folders of cities: expected those of "
                f"{FOLDERS[kind]}_trainvaltest.zip, {image_files.found(place)}; fetch them from {_SITE}"
            )
        return dict(sorted(found.items()))


def _packages(names: Iterable[str]) -> str:
    return f"{', '.join(names)} ({', '.join(f'{name}_trainvaltest.zip' for name in names)} from {_SITE})"
