"""What every data source returns: packed uint8 arrays, usually memory maps from the cache."""

from dataclasses import dataclass, replace

import numpy as np

from depthseg_lib.data.labels import LabelSet
from depthseg_lib.errors import InputError


@dataclass(frozen=True)
class PartialDepth:
    """Depth of some frames of a video, indexed by frame like the array of all of them: 0 where nothing is known.

    A long video is evaluated on a few frames, and zeros for all the others would take as much disk as their images.
    """

    frames: np.ndarray
    """(M,) int64, ascending: the frames whose depth is known."""
    maps: np.ndarray
    """(M, H, W) float16 metres, as `Video.depth` has them."""

    def __getitem__(self, wanted) -> np.ndarray:
        """The depth (..., H, W) of the frames `wanted` (...), a copy."""
        wanted = np.asarray(wanted)
        place = np.asarray(np.minimum(np.searchsorted(self.frames, wanted), len(self.frames) - 1))
        known = np.asarray(self.frames[place] == wanted)
        depth = np.zeros((*known.shape, *self.maps.shape[1:]), self.maps.dtype)
        depth[known] = self.maps[place[known]]
        return depth


@dataclass(frozen=True)
class Video:
    """Frames of one or more sequences, all of one size; the frames of a sequence are contiguous, in time order."""

    images: np.ndarray
    """(N, 3, H, W) uint8, RGB."""
    sequence: np.ndarray
    """(N,) int32, the sequence that each frame belongs to."""
    intrinsics: np.ndarray
    """(N, 3, 3) float32, in pixels of the H x W image, pixel centres at whole numbers."""
    depth: np.ndarray | PartialDepth | None = None
    """(N, H, W) float16 metres along the optical axis, 0 where there is no truth; None without any."""
    targets: np.ndarray | None = None
    """(N,) bool, the frames that may be the target of a triplet; None: all of them."""
    held_out: np.ndarray | None = None
    """(N,) bool, the targets that are kept for evaluation; None: those of the last sequences."""

    def triplets(self, step: int = 1) -> np.ndarray:
        """Indices (T, 3) of previous, target and next frame, `step` frames apart, within one sequence."""
        target = np.arange(step, len(self.sequence) - step)
        same = self.sequence[target - step] == self.sequence[target + step]
        target = target[same]
        if not len(target):
            raise InputError(
                f"a triplet needs {2 * step + 1} consecutive frames of one sequence, but the longest sequence has "
                f"{np.unique(self.sequence, return_counts=True)[1].max(initial=0)}: give longer clips or a smaller step"
            )
        if self.targets is not None:
            target = target[self.targets[target]]
        return np.stack([target - step, target, target + step], axis=1)

    def measured(self, frames: np.ndarray) -> np.ndarray:
        """Whether each of `frames` (T,) has a pixel of known depth (T,) bool; the video must have depth."""
        if isinstance(self.depth, PartialDepth):
            known = np.isin(self.depth.frames, frames)
            known[known] = [(self.depth.maps[row] > 0).any() for row in np.flatnonzero(known)]
            return np.isin(frames, self.depth.frames[known])
        middle = self.depth.shape[1] // 2  # one line tells of most, and of a long video that is a small part to read
        return np.array([bool(self.depth[frame, middle].any() or self.depth[frame].any()) for frame in frames])


class Rows:
    """Some rows of an array, in an order of their own, that are read when they are asked for.

    Of a memory map none is in memory before; `rows[k]` copies what `array[indices[k]]` does.
    """

    def __init__(self, array: "np.ndarray | Rows", indices: np.ndarray):
        self.array, self.indices = array, indices
        self.shape, self.dtype = (len(indices), *array.shape[1:]), array.dtype

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key) -> np.ndarray:
        return self.array[self.indices[key]]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype)


@dataclass(frozen=True)
class Labelled:
    """Images with a class for every pixel."""

    images: np.ndarray | Rows
    """(N, 3, H, W) uint8, RGB."""
    labels: np.ndarray | Rows
    """(N, H, W) uint8, index into `label_set.classes`, `labels.VOID` where unlabelled."""
    label_set: LabelSet
    names: tuple[str, ...]
    """One name per image, for figures and error messages."""

    def view(self, indices) -> "Labelled":
        """The images at `indices`, which stay where they are until they are asked for."""
        indices = np.asarray(indices)
        names = tuple(self.names[i] for i in indices)
        return Labelled(Rows(self.images, indices), Rows(self.labels, indices), self.label_set, names)

    def subset(self, indices) -> "Labelled":
        """The images at `indices`, copied into memory."""
        view = self.view(indices)
        return replace(view, images=view.images[:], labels=view.labels[:])


@dataclass(frozen=True)
class Photographs:
    """Images with one class each, as for classification."""

    images: np.ndarray
    """(N, 3, S, S) uint8, RGB."""
    labels: np.ndarray
    """(N,) int64, index into `classes`."""
    classes: tuple[str, ...]


def held_out_photographs(count: int) -> np.ndarray:
    """Which of `count` photographs are kept for evaluation (count,) bool: every tenth, from the first on."""
    return np.arange(count) % 10 == 0


def split_triplets(video: Video, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Triplets (T 3) to train on, and those that are held out for evaluation.

    Where the set names no frames, the last tenth of the sequences is held out, one at least, so that no street of them
    is trained on. Raises `InputError` where one of the two is empty.
    """
    triplets = video.triplets(step)
    if video.held_out is not None:
        held_out = video.held_out[triplets[:, 1]]
    else:
        sequences = np.unique(video.sequence)
        if len(sequences) < 2:
            raise InputError(
                "pre-training on video needs two sequences at least, one of them for evaluation; found one"
            )
        held_out = np.isin(video.sequence[triplets[:, 1]], sequences[-max(1, len(sequences) // 10) :])
    if held_out.all() or not held_out.any():
        raise InputError(
            f"{len(triplets)} triplets of the video, {held_out.sum()} of them held out for evaluation: pre-training "
            "needs some of both; give longer or further clips, or another split"
        )
    return triplets[~held_out], triplets[held_out]


def with_truth(video: Video, triplets: np.ndarray) -> np.ndarray:
    """The triplets whose target has true depth somewhere, or all where none has: laser scans are rare."""
    if video.depth is None:
        return triplets
    known = video.measured(triplets[:, 1])
    return triplets[known] if known.any() else triplets


def spread(rows: np.ndarray, count: int) -> np.ndarray:
    """`count` rows evenly over all of them, or all."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]
