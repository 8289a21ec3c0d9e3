"""The `cityscapes` profile's data: the training split's video and labels, tested on the validation split."""

import re
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
from depthseg_lib.errors import InputError

FOLDERS = {"images": "leftImg8bit", "labels": "gtFine", "video": "leftImg8bit_sequence", "cameras": "camera"}
"""The folders of the set; below each are the splits, and below those the cities."""
_SITE = "https://www.cityscapes-dataset.com/downloads/"
_FRAME = re.compile(r"(?P<city>.+)_(?P<sequence>\d{6})_(?P<frame>\d{6})")
_CAMERA = (
    'a json object with "intrinsic": {"fx": 2262.52, "fy": 2265.30, "u0": 1096.98, "v0": 513.13}, in pixels of the '
    "frames, of camera_trainvaltest.zip"
)
Name = tuple[str, str, str]
"""City, sequence and frame."""


class Cityscapes(Listing):
    """Images are kept whole, squeezed where the shapes differ, bonnet and all."""

    LAYOUT = f"one that holds {', '.join(FOLDERS.values())} of Cityscapes"
    label_set = CITYSCAPES

    def check(self) -> None:
        """Raise `InputError` unless all parts are there."""
        super().check()
        image_files.existing(self.folder, _packages(FOLDERS.values()))
        missing = [name for name in FOLDERS.values() if not (self.folder / name).is_dir()]
        if missing:
            raise InputError(
                f"{self.folder} lacks {', '.join(missing)}: expected Cityscapes' {_packages(missing)}, "
                f"{image_files.found(self.folder)}; unpack them there, or give the folder that holds them"
            )

    @cached_property
    def labelled(self) -> Mapping[str, Sequence[Annotated]]:
        """The 2975 training images, of which a run takes some, and the 500 of val (those of test have no labels)."""
        return {split: self._pairs(split) for split in ("train", "val")}

    @cached_property
    def sequences(self) -> Mapping[str, Sequence[Path]]:
        """The 2975 snippets of the training split: 30 consecutive frames of a city's sequence at 17 Hz, by the 1st."""
        return {"_".join(next(iter(snippet))): tuple(snippet.values()) for snippet in self._snippets()}

    @property
    def parts(self) -> Sequence[Path]:
        return [self.folder / name for name in FOLDERS.values()]

    def video(self, height: int, width: int, progress: Progress = None) -> Video:
        """The snippets of the training split: the test images' cities are not among them.

        Raises `InputError` where a snippet has no camera or one without intrinsics, or a file is broken or of another
        size.
        """
        cameras, clips = self._files("train", "cameras", "_camera.json"), []
        for snippet in self._snippets():
            names, files = list(snippet), tuple(snippet.values())
            known = [cameras[name] for name in names if name in cameras]  # the set has that of one of its frames
            if not known:
                raise InputError(
                    f"the frames {'_'.join(names[0])} to {'_'.join(names[-1])} have no camera: expected "
                    f"{'_'.join(names[len(names) // 2])}_camera.json, or that of another of them, below "
                    f"{FOLDERS['cameras']}; fetch camera_trainvaltest.zip from {_SITE}"
                )
            fx, fy, u0, v0 = image_files.numbers(known[0], ("fx", "fy", "u0", "v0"), _CAMERA, within="intrinsic")
            matrix = np.array([[fx, 0, u0], [0, fy, v0], [0, 0, 1]], float)
            clips.append(ingest.Clip(files, image_files.size(files[0]), matrix))
        return ingest.video(clips, height, width, progress=progress)

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
