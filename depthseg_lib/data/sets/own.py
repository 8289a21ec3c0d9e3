"""A user's own data: labelled images and video as a `dataset.json` describes them (see `description`).

The intrinsics of frames stand in the description, or in a file: one that the description names, else what lies beside
the frames or in the folder above, an `intrinsics.json` or a `calib.txt` of KITTI odometry, whose lines `P0:` to `P3:`
are for the folders `image_0` to `image_3`, else KITTI raw's `calib_cam_to_cam.txt` of a drive's date. Depth is
evaluated where frames lie as in KITTI raw and have velodyne scans; other depth is not read.
"""

import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import PartialDepth, Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.ingest import Annotated, Clip
from depthseg_lib.data.sets import description as descriptions
from depthseg_lib.data.sets import kitti_raw
from depthseg_lib.data.sets.description import INTRINSICS, NAME, Camera, Description, Globs
from depthseg_lib.data.sets.listing import Listing, Measured, evenly
from depthseg_lib.errors import InputError

_JSON = (
    'a json object like {"width": 640, "height": 320, "fx": 578.3, "fy": 575.7, "cx": 335.7, "cy": 194.6}, in pixels '
    "of the frames"
)


class Own(Listing):
    """Images and frames may have several sizes: each is cropped to the shape of the study's, and its labels with it."""

    LAYOUT = f"one with a {NAME} in it, which `make describe DATA=folder` writes"
    READ_FIRST = True
    crop = True

    @cached_property
    def description(self) -> Description:
        return descriptions.read(self.folder)

    @property
    def label_set(self):
        return self.description.label_set

    def check(self) -> None:
        """Raise `InputError` unless the description is right and what it names is there; decodes nothing."""
        super().check()
        least = 1 if "test" in self.labelled else 2
        if self.count < least:
            raise InputError(
                f"{self.description.where('images')}: expected two labelled images at least, one to train on and one "
                f"to validate on, found {self.count}; label more, or describe a 'test' split"
            )
        self._clips()

    @cached_property
    def labelled(self) -> Mapping[str, Sequence[Annotated]]:
        """The described images, in the order of the globs and then of names; and those of the test split, if any."""
        test = self.description.keys.test
        splits = {"training": self._pairs(self.description.keys)}
        splits |= {"test": self._pairs(test, "test")} if test else {}
        if shared := {p.files[0] for p in splits["training"]} & {p.files[0] for p in splits.get("test", ())}:
            raise InputError(
                f"{self.description.where('test', 'images')}: expected images of the test split alone, found "
                f"{len(shared)} that are trained on too, such as {min(shared)}; correct the globs, so that no image is "
                "in both"
            )
        return splits

    @property
    def usable(self) -> int:
        """The largest training set that leaves enough to validate on: all with a test split, else three quarters."""
        return self.count if "test" in self.labelled else max(1, self.count * 3 // 4)

    @cached_property
    def sequences(self) -> Mapping[str, Sequence[Path]]:
        found = {}
        for _, _, files in self._parts[0]:
            name = os.path.relpath(files[0].parent, self.description.root)
            found[f"{name} from {files[0].name}" if name in found else name] = files
        return found

    @property
    def parts(self) -> Sequence[Path]:
        """The folders of images, labels, frames and scans, and the files of intrinsics; the description is apart."""
        found = {file.parent for of in self.labelled.values() for pair in of for file in pair.files}
        for _, camera, files in self._parts[0]:
            place = files[0].parent
            found |= {place} if isinstance(camera, Camera) else {place, camera}
            scans = place.absolute().parents[1] / "velodyne_points" / "data"  # there if they lie as in KITTI raw
            found |= {scans, place.parents[2] / "calib_velo_to_cam.txt"} if scans.is_dir() else set()
        return sorted(found)

    @property
    def digest(self) -> str:
        """Of the files, and of what the description says; but where it says that they lie, and notes, don't count."""
        return image_files.digest(self.parts, self.description.keys.model_dump_json(exclude={"root", "note"}))

    @property
    def depth(self) -> Sequence[Measured]:
        scanned = [frame for of in self.sequences.values() for frame in of if _is_scanned(frame)]
        return [kitti_raw.measured(frame) for frame in evenly(scanned, 4)]

    @property
    def remarks(self) -> Sequence[str]:
        cameras = [one.intrinsics for one in self.description.keys.video]
        guessed = [
            f"{self.description.where('video', number, 'intrinsics')}: these intrinsics are guessed: correct them, "
            f"then take the key 'guessed' out ({camera.guessed})"
            for number, camera in enumerate(cameras)
            if isinstance(camera, Camera) and camera.guessed is not None
        ]
        return guessed + self._parts[1] + image_files.unread(place for place in self.parts if place.is_dir())

    def video(self, height: int, width: int, progress: Progress = None) -> Video:
        """All described frames.

        The last tenth of the sequences, one at least, is held out for evaluation; of a single one, its last tenth.
        Depth is that of velodyne scans, where some frames have one.
        """
        clips, held_out = self._clips()
        result = ingest.video(clips, height, width, self.crop, progress)
        held_out = np.repeat(held_out, [len(clip.files) for clip in clips])
        files = [file for clip in clips for file in clip.files]
        rows = np.array([row for row, file in enumerate(files) if _is_scanned(file)], int)
        if not len(rows):
            return replace(result, held_out=held_out)
        chosen, matrices = [files[row] for row in rows], result.intrinsics[rows]
        maps = kitti_raw.scanned_depth(chosen, matrices, height, width, progress)
        return replace(result, held_out=held_out, depth=PartialDepth(rows, maps))

    @cached_property
    def _parts(self) -> tuple[list[tuple[int, Camera | Path, tuple[Path, ...]]], list[str]]:
        """The sequences, and remarks on how they were found.

        Of each, the number of its entry of `video`, its camera or the file of that, and its frames, all that follow one
        another. A folder is cut at gaps; pieces that are too short for a triplet are left out, unless all are.
        """
        found, remarks, root = [], [], self.description.root
        for number, footage in enumerate(self.description.keys.video):
            where, camera = self.description.where("video", number, "folder"), footage.intrinsics
            camera = root / camera if isinstance(camera, str) else camera
            try:
                files_of = {folder: image_files.image_files(folder) for folder in sequences(root / footage.folder)}
                seen = {folder: [*map(image_files.looks_like, evenly(of, 3))] for folder, of in files_of.items()}
            except InputError as error:
                raise InputError(f"{where}: {error}") from error
            aside = {folder: what[0] for folder, what in seen.items() if all(what)}
            if len(aside) == len(files_of):
                first = next(iter(aside))
                raise InputError(
                    f"{where}: expected a camera's frames, but the images in {first} have {aside[first]}; give the "
                    "folder of the frames"
                )
            remarks += [f"{folder} is left out of the video: its images have {what}" for folder, what in aside.items()]
            for folder in (folder for folder in files_of if folder not in aside):
                pieces = image_files.runs(files_of[folder])
                whole = [files for files in pieces if len(files) >= self._triplet * footage.step]
                whole = whole or [max(pieces, key=len)]
                found += [(number, camera or beside(folder), files) for files in whole]
                if len(whole) > 1:
                    cut = "cut where numbers of frames are missing or names change"
                    remarks.append(f"{folder} is taken for {len(whole)} sequences, {cut}")
                if lost := len(files_of[folder]) - sum(map(len, whole)):
                    remarks.append(
                        f"{folder}: {lost} frames are left out, in pieces between gaps too short for a triplet"
                    )
        return found, remarks

    @property
    def _triplet(self) -> int:
        """Frames that a triplet reaches over."""
        return 2 * self.description.keys.frame_step + 1

    def _clips(self) -> tuple[list[Clip], list[bool]]:
        """The sequences of the video, each long enough for a triplet, and which of them are held out."""
        parts, triplet = self._parts[0], self._triplet
        steps = [self.description.keys.video[number].step for number, _, _ in parts]
        whole = [self._clip(*part) for part in parts]
        for (number, _, _), step, clip in zip(parts, steps, whole, strict=True):
            needed = triplet * step * (2 if len(whole) == 1 else 1)
            if len(clip.files) < needed:
                raise InputError(
                    f"{self.description.where('video', number)}: expected {needed} frames at least in each of "
                    f"{len(whole)} sequences, with frame_step {self.description.keys.frame_step} and step {step}, "
                    f"found {len(clip.files)} in {clip.files[0].parent}; give more of that video, leave "
                    "the folder out, or lower the step"
                )
        if len(whole) == 1:  # cut in two, of which the second, a tenth or a triplet, is held out
            files = whole[0].files
            cut = len(files) - max(triplet * steps[0], len(files) // 10)
            whole, steps = [replace(whole[0], files=part) for part in (files[:cut], files[cut:])], steps * 2
        first = len(whole) - max(1, len(whole) // 10)
        phases = [(part, place >= first) for place, clip in enumerate(whole) for part in clip.every(steps[place])]
        return [part for part, _ in phases], [held_out for _, held_out in phases]

    def _clip(self, number: int, camera: Camera | Path, files: tuple[Path, ...]) -> Clip:
        where = self.description.where("video", number)
        if isinstance(camera, Camera):
            size, matrix = _camera(*(getattr(camera, name) for name in INTRINSICS))
        elif not camera.is_file():
            raise InputError(
                f"{where}: the frames in {files[0].parent} have no intrinsics, there is no file {camera}: expected it, "
                f"or 'intrinsics' here with {', '.join(INTRINSICS)} in pixels of the frames; add them"
            )
        else:
            size, matrix = read_camera(camera, files)
        if (found := image_files.size(files[0])) != size:
            raise InputError(
                f"{where}: the intrinsics are for frames of {size[1]}x{size[0]}, but {files[0]} is "
                f"{found[1]}x{found[0]}: expected one size; give the intrinsics of these frames, and an entry of its "
                "own to each folder of another size"
            )
        try:
            return Clip(files, size, matrix)
        except InputError as error:
            raise InputError(f"{self.description.where('video', number, 'intrinsics')}: {error}") from None

    def _pairs(self, globs: Globs, *steps: str) -> list[Annotated]:
        """Pairs by what the stars of both globs stand for, named by the images' stems where these differ."""
        files = []
        for images, labels in zip(globs.images, globs.labels, strict=True):
            image_of, label_of = self._found(images, (*steps, "images")), self._found(labels, (*steps, "labels"))
            if apart := sorted(image_of.keys() ^ label_of.keys()):
                side, other = ("an image", "label image") if apart[0] in image_of else ("a label image", "image")
                file = {**image_of, **label_of}[apart[0]]
                raise InputError(
                    f"{self.description.where(*steps, 'labels')}: expected a label image for every image, where the "
                    f"stars of '{images}' and '{labels}' stand for the same text, found {len(apart)} of "
                    f"{len(image_of.keys() | label_of.keys())} with only one of the two: {file}, for one, is {side} "
                    f"without its {other}; correct the globs, or take out what has no counterpart"
                )
            pairs = [(image, label_of[key]) for key, image in image_of.items()]
            files += sorted(pairs, key=lambda of: [*map(image_files.natural, reversed((of[0], *of[0].parents)))])
        names = [image.stem for image, _ in files]
        if len(set(names)) < len(names):
            names = [os.path.relpath(image, self.description.root) for image, _ in files]
        coloured, like = self.label_set.coloured, files[0][1]
        return [
            ingest.pair(name, image, label, coloured, like) for name, (image, label) in zip(names, files, strict=True)
        ]

    def _found(self, pattern: str, steps: tuple[str, ...]) -> dict[tuple[str, ...], Path]:
        """The files that a glob matches, by what its stars stand for."""
        known = {"**/": "(.*/)?", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}
        text, suffix = (pattern[:-2], r"\.[^./]+") if pattern.endswith(".*") else (pattern, "")
        expression = "".join(  # the glob, with a group for each of its wildcards but for the suffix `.*`
            known.get(part, f"({part.replace('[!', '[^')})" if part[:1] == "[" else re.escape(part))
            for part in re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", text)
        )
        root, found = self.description.root, {}
        base = Path(
            *takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
        )  # glob would follow links back
        deep = (os.path.relpath(Path(at, name), root) for at, of in image_files.below(root / base) for name in of)
        for name in deep if "**" in pattern else glob.iglob(pattern, root_dir=root):
            if image_files.is_image(os.path.basename(name)) and (match := re.fullmatch(expression + suffix, name)):
                key = tuple(part or "" for part in match.groups())
                if (other := found.setdefault(key, root / name)) != root / name:
                    raise InputError(
                        f"{self.description.where(*steps)}: the glob '{pattern}' matches {other} and {root / name}, of "
                        "one name: expected one file of each; remove one of the two, or correct the glob"
                    )
        if not found:
            raise InputError(
                f"{self.description.where(*steps)}: expected the glob '{pattern}' to match PNG or JPEG files in "
                f"{root}, found none ({image_files.found(root)}); correct it there"
            )
        return found


def sequences(source: str | Path) -> list[Path]:
    """The folders of frames in `source`: itself, its sub-folders, or both; `InputError` where there are none."""
    expected = "frames as PNG or JPEG, directly or in one sub-folder per sequence"
    folder = image_files.existing(source, expected)
    found = [part for part in (folder, *image_files.subfolders(folder)) if image_files.holds_images(part)]
    if not found:
        raise InputError(
            f"{folder} holds no frames: expected {expected}, {image_files.found(folder)}; give another folder"
        )
    return found


def beside(folder: Path) -> Path:
    """The file with the intrinsics of the frames in `folder`, there or above; where there is none, what is expected."""
    above = folder.absolute().parent
    names = ["intrinsics.json"] + (["calib.txt"] if _number(folder) else [])
    places = [place / name for name in names for place in (folder, above)]
    if folder.name == "data" and _number(above):
        places.append(above.parents[1] / "calib_cam_to_cam.txt")
    return next((file for file in places if file.is_file()), places[0])


def read_camera(file: Path, frames: Sequence[Path]) -> tuple[tuple[int, int], np.ndarray]:
    """The size (height, width) that intrinsics are for, and their matrix (3, 3) in pixels of that size.

    `file` is a json, a `calib.txt` for the folder `image_N` of the `frames`, whose size is that of the first frame, or
    KITTI raw's for a drive. Raises `InputError` where it is missing, broken, or lacks a number or the camera.
    """
    folder = frames[0].absolute().parent
    if file.name == "calib_cam_to_cam.txt":
        return kitti_raw.calibration(folder.parents[1], _number(folder.parent))
    if file.suffix == ".txt":
        values = kitti_raw.read(file, "a calib.txt of KITTI odometry, with 12 numbers per camera")
        projection = kitti_raw.entry(values, f"P{_number(folder) or '0'}", (3, 4), file)
        return image_files.size(frames[0]), kitti_raw.camera_of(projection)[0]
    return _camera(*image_files.numbers(file, INTRINSICS, _JSON))


def _number(folder: Path) -> str:
    """The N of a folder `image_N`, as KITTI names the frames of a camera; empty for others."""
    return folder.name.removeprefix("image_") if re.fullmatch(r"image_\d+", folder.name) else ""


def _camera(
    width: float, height: float, fx: float, fy: float, cx: float, cy: float
) -> tuple[tuple[int, int], np.ndarray]:
    return (int(height), int(width)), np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], float)


def _is_scanned(frame: Path) -> bool:
    return bool(_number(frame.parents[1])) and kitti_raw.scan(frame).is_file()
