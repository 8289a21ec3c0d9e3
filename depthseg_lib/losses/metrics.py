"""Segmentation metrics from integer confusion matrices [truth, prediction], by NumPy alone."""

import numpy as np


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union per class, (..., C, C) -> (..., C); NaN where neither truth nor prediction has it."""
    confusion = np.asarray(confusion, np.int64)
    intersection = np.diagonal(confusion, axis1=-2, axis2=-1)
    union = confusion.sum(-1) + confusion.sum(-2) - intersection
    return np.divide(intersection, union, out=np.full(union.shape, np.nan), where=union > 0)


def miou(confusion: np.ndarray, classes=None) -> float:
    """Dataset mIoU: one matrix over all images, mean over `classes` (default all) that occur at all.

    `confusion` is (C, C), or (N, C, C) which is summed first. NaN when no class occurs.
    """
    values = iou(_summed(confusion))
    return _mean(values if classes is None else values[list(classes)])


def miou_per_image(confusion: np.ndarray, classes=None) -> float:
    """Mean over images of each image's mean IoU over the classes that it holds or predicts, (N, C, C) -> float."""
    return _mean(np.array([miou(matrix, classes) for matrix in confusion]))


def accuracy(confusion: np.ndarray) -> float:
    """Share of labelled pixels with the right class, over all images together; NaN without labelled pixels."""
    total = _summed(confusion)
    return float(np.trace(total) / total.sum()) if total.sum() else float("nan")


def accuracy_per_image(confusion: np.ndarray) -> float:
    """Mean over images of each image's pixel accuracy, (N, C, C) -> float."""
    return _mean(np.array([accuracy(matrix) for matrix in confusion]))


def segmentation_metrics(confusion: np.ndarray, representative) -> dict[str, float]:
    """Every segmentation metric of the study, fractions 0..1, from one matrix per image (N, C, C).

    `miou` and `accuracy` are over the data set, `*_image` are means over images (the released code's way), `*_seven`
    are over the `representative` classes alone.
    """
    return {
        "miou": miou(confusion),
        "miou_seven": miou(confusion, representative),
        "miou_image": miou_per_image(confusion),
        "miou_image_seven": miou_per_image(confusion, representative),
        "accuracy": accuracy(confusion),
        "accuracy_image": accuracy_per_image(confusion),
    }


def _summed(confusion: np.ndarray) -> np.ndarray:
    confusion = np.asarray(confusion, np.int64)
    return confusion.reshape(-1, *confusion.shape[-2:]).sum(0)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
