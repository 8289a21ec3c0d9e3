"""Which frames of a video are kept for evaluation: those that its split names, else those of whole sequences."""

import numpy as np

from depthseg_lib.data.arrays import Video
from depthseg_lib.errors import InputError


def split_triplets(video: Video, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Triplets (T 3) to train on, and those that are held out for evaluation."""
    triplets = video.triplets(step)
    if video.held_out is not None:
        held_out = video.held_out[triplets[:, 1]]
    else:
        held_out = np.isin(video.sequence[triplets[:, 1]], held_out_sequences(video))
    if held_out.all() or not held_out.any():
        raise InputError(
            f"{len(triplets)} triplets of the video, {held_out.sum()} of them held out for evaluation: pre-training "
            "needs some of both; give longer or further clips, or another split"
        )
    return triplets[~held_out], triplets[held_out]


def held_out_sequences(video: Video) -> np.ndarray:
    """The sequences kept for evaluation of a video whose set names no frames: the last tenth, one at least, so that no
    street is trained on; of a single sequence, none can be."""
    sequences = np.unique(video.sequence)
    if len(sequences) < 2:
        raise InputError("pre-training on video needs two sequences at least, one of them for evaluation; found one")
    return sequences[-max(1, len(sequences) // 10) :]


def with_truth(video: Video, triplets: np.ndarray) -> np.ndarray:
    """The triplets whose target has true depth somewhere, or all where none has: laser scans are rare."""
    if video.depth is None:
        return triplets
    known = video.measured(triplets[:, 1])
    return triplets[known] if known.any() else triplets


def spread(rows: np.ndarray, count: int) -> np.ndarray:
    """`count` rows evenly over all of them, or all."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]
