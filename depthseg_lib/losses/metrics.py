"""Segmentation metrics from integer confusion matrices [truth, prediction], by NumPy alone; what counts as learned."""

import numpy as np

LEARNED = 0.95
"""A network has learned something of its image when its error is below this share of the error without an image."""


def iou(confusion: np.ndarray, on_void: np.ndarray | int = 0) -> np.ndarray:
    """Intersection over union per class, (..., C, C) -> (..., C); NaN where neither truth nor prediction has it.

    `on_void` (..., C) are pixels without truth that were predicted as each class, to be counted as false positives.
    """
    confusion = np.asarray(confusion, np.int64)
    intersection = np.diagonal(confusion, axis1=-2, axis2=-1)
    union = confusion.sum(-1) + confusion.sum(-2) - intersection + on_void
    return np.divide(intersection, union, out=np.full(union.shape, np.nan), where=union > 0)


def miou(confusion: np.ndarray, classes=None) -> float:
    """Dataset mIoU: one matrix over all images, mean over `classes` (default all) that occur at all.

    `confusion` is (C, C), or (N, C, C) which is summed first. NaN when no class occurs.
    """
    return _mean(iou(_summed(confusion)), classes)


def occurring(confusion: np.ndarray) -> np.ndarray:
    """The classes that any image's truth has, as indices; `confusion` is (C, C) or (N, C, C)."""
    return np.flatnonzero(_summed(confusion).sum(-1))


def miou_per_image(confusion: np.ndarray, classes=None, on_void: np.ndarray | int = 0) -> float:
    """Mean over images of each image's mean IoU over the classes that it holds or predicts, (N, C, C) -> float.

    `on_void` (N, C): see `iou`.
    """
    return _mean(np.array([_mean(of, classes) for of in iou(confusion, on_void)]))


def accuracy(confusion: np.ndarray) -> float:
    """Share of labelled pixels with the right class, over all images together; NaN without labelled pixels."""
    total = _summed(confusion)
    return float(np.trace(total) / total.sum()) if total.sum() else float("nan")


def accuracy_per_image(confusion: np.ndarray) -> float:
    """Mean over images of each image's pixel accuracy, (N, C, C) -> float."""
    return _mean(np.array([accuracy(matrix) for matrix in confusion]))


def segmentation_metrics(confusion: np.ndarray, on_void: np.ndarray, representative) -> dict[str, float]:
    """Every segmentation metric of the study, fractions 0..1, from one matrix per image (N, C, C).

    `miou` and `accuracy` are over the data set, as cityscapesScripts has them: a class that no image has counts as 0 as
    soon as a pixel is predicted as it. `miou_occurring` is over the classes that the images have. `*_image` are means
    over images, `*_seven` are over the `representative` classes alone. `miou_released` is what the paper's released
    code computes: per image, over the representative classes, with what was predicted `on_void` (N, C) as false
    positives.
    """
    return {
        "miou": miou(confusion),
        "miou_occurring": miou(confusion, occurring(confusion)),
        "miou_seven": miou(confusion, representative),
        "miou_image": miou_per_image(confusion),
        "miou_image_seven": miou_per_image(confusion, representative),
        "miou_released": miou_per_image(confusion, representative, on_void),
        "accuracy": accuracy(confusion),
        "accuracy_image": accuracy_per_image(confusion),
    }


def _summed(confusion: np.ndarray) -> np.ndarray:
    confusion = np.asarray(confusion, np.int64)
    return confusion.reshape(-1, *confusion.shape[-2:]).sum(0)


def _mean(values: np.ndarray, chosen=None) -> float:
    values = values if chosen is None else values[list(chosen)]
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
