"""Looking into a real set without reading it whole: label ids, sizes, motion and measured depth of a sample."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files
from depthseg_lib.data.labels import VOID
from depthseg_lib.data.sets.listing import LabelledImage, Measured, Sample, evenly
from depthseg_lib.errors import InputError
from depthseg_lib.plots.data_sheet import COLUMNS, Row

LABELS = 120
"""Label images of a split that are decoded."""
NEIGHBOURS = 48
"""Pairs of neighbouring frames that are compared."""
STILL = 1.5
"""Mean difference in grey levels (of 255), at 160 pixels across, under which two frames hardly differ."""
SHOWN = 480
"""Pixels across of a picture on the contact sheet, at most."""


@dataclass
class Report:
    """What was seen: lines to print, what is wrong, what to think of, and pictures."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    """Classes that the contact sheet shows."""

    def attempt(self, work, *arguments):
        """`work(*arguments)`; an `InputError` is noted as a problem, and the result is then None."""
        try:
            return work(*arguments)
        except InputError as error:
            self.problems.append(str(error))
            return None


def labels(sample: Sample, report: Report) -> None:
    """Decode label images of every split: ids of no class, shares of the classes, sizes."""
    for split, listed in sample.labelled.items():
        chosen = evenly(listed, LABELS)
        report.lines.append(f"{split}: {len(listed)} labelled images" + _of(len(chosen), len(listed)))
        pixels, occurs, sizes = np.zeros(256, np.int64), Counter(), Counter()
        for one in chosen:
            if (truth := report.attempt(_truth, sample, one)) is None:
                continue
            counts = np.bincount(truth.ravel(), minlength=256)
            pixels += counts
            occurs.update(np.flatnonzero(counts).tolist())
            sizes[truth.shape] += 1
        report.lines.append(f"  sizes: {_sizes(sizes)}")
        report.lines += _shares(sample, pixels, occurs, len(chosen))
        never = [name for index, name in enumerate(sample.label_set.classes) if not occurs[index]]
        if never and sizes:
            report.remarks.append(f"{split}: no pixel of {', '.join(never)} in the label images that were looked at")
    _show_labels(sample, report)


def motion(sample: Sample, step: int, report: Report) -> None:
    """Compare frames that lie `step` apart, over all sequences: sizes, and how many hardly differ."""
    lengths = {name: len(files) for name, files in sample.sequences.items()}
    if not lengths:
        report.problems.append("there is no video: expected sequences of frames to learn depth from")
        return
    shortest, longest = min(lengths, key=lengths.get), max(lengths, key=lengths.get)
    report.lines.append(
        f"video: {sum(lengths.values())} frames in {len(lengths)} sequences, from {lengths[shortest]} ({shortest}) to "
        f"{lengths[longest]} ({longest})"
    )
    places = [(files, i) for files in sample.sequences.values() for i in range(len(files) - step)]
    still, sizes, shown = [], Counter(), []
    for files, i in evenly(places, NEIGHBOURS):
        pair = report.attempt(
            lambda one=files, i=i: [image_files.photograph(one[j]).convert("RGB") for j in (i, i + step)]
        )
        if pair is None:
            continue
        sizes[pair[0].size[::-1]] += 1
        change = _change(*pair)
        still += [files[i]] if change.mean() < STILL else []
        shown.append((files[i], _small(pair[0]), change))
    report.lines.append(f"  sizes: {_sizes(sizes)}")
    report.lines.append(f"  {len(still)} of {len(shown)} sampled frames hardly differ from the one {step} later")
    if len(still) > len(shown) // 4:
        report.remarks.append(
            f"{len(still)} of {len(shown)} sampled frames hardly move, such as {still[0]}: depth learns nothing from "
            "them; leave out where the camera stands still, or take frames further apart"
        )
    _show_motion(evenly(shown, COLUMNS), step, report)


def depth(sample: Sample, report: Report) -> None:
    """Read what measured depth there is: its range, and how much of the image has some."""
    read = [(one, report.attempt(one.depth)) for one in sample.depth[:COLUMNS]]
    read = [(one, metres) for one, metres in read if metres is not None]
    if not read:
        report.lines.append("measured depth: none; evaluation of depth needs some, training does not")
        return
    known = np.concatenate([metres[metres > 0].astype(float) for _, metres in read])
    share = known.size / sum(metres.size for _, metres in read)
    if not known.size:
        report.problems.append(f"{read[0][0].where}: no pixel has a measured depth; expected metres above 0 in some")
        return
    low, middle, high = np.percentile(known, (1, 50, 99))
    report.lines.append(
        f"measured depth, in {len(read)} images: {100 * share:.0f} % of pixels, {low:.1f} to {high:.1f} m, median "
        f"{middle:.1f} m"
    )
    _show_depth(read, report)


def _truth(sample: Sample, one: LabelledImage) -> np.ndarray:
    return sample.label_set.encode(one.ids(), one.where)


def _shares(sample: Sample, pixels: np.ndarray, occurs: Counter, count: int) -> list[str]:
    """A line per class: its share of labelled pixels, and in how many of the images it is."""
    total = max(1, int(pixels.sum()))
    classes = [*enumerate(sample.label_set.classes), (VOID, "(void)")]
    width = max(len(name) for _, name in classes)
    shown = [f"{name:{width}}  {100 * pixels[i] / total:5.1f} %  in {occurs[i]} of {count}" for i, name in classes]
    return [f"    {line}" for line in shown]


def _sizes(sizes: Counter) -> str:
    parts = [f"{rows}x{columns} (h x w), {count}" for (rows, columns), count in islice(sizes.most_common(), 4)]
    return "; ".join(parts) + (f" and {len(sizes) - 4} sizes more" if len(sizes) > 4 else "") or "none could be read"


def _of(looked: int, count: int) -> str:
    return "" if looked == count else f", {looked} of them looked at"


def _show_labels(sample: Sample, report: Report) -> None:
    every = [one for listed in sample.labelled.values() for one in listed]
    shown = []
    for one in evenly(every, 2 * COLUMNS):
        pair = report.attempt(lambda one=one: (one.image(), _truth(sample, one)))
        if pair and pair[0].size[::-1] != pair[1].shape:
            sizes = [f"{wide}x{high}" for wide, high in (pair[1].shape[::-1], pair[0].size)]
            report.problems.append(f"{one.where} is {sizes[0]}, but its image is {sizes[1]}: expected one size")
        elif pair:
            shown.append((_name(one.where), *pair))
    for start in range(0, len(shown), COLUMNS):
        names, pictures, truths = zip(*shown[start : start + COLUMNS], strict=True)
        report.seen |= {int(index) for truth in truths for index in np.unique(truth)}
        report.rows.append(Row("images", [_small(picture.convert("RGB")) for picture in pictures], names))
        report.rows.append(Row("labels", [sample.label_set.colour(_thin(truth)) for truth in truths]))


def _show_motion(shown: Sequence[tuple], step: int, report: Report) -> None:
    if shown:
        names = [f"{file.parent.name}/{file.name}" for file, _, _ in shown]
        report.rows.append(Row("video", [picture for _, picture, _ in shown], names))
        changes = [change for _, _, change in shown]
        report.rows.append(Row(f"change, {step} later", changes, limits=(0, 64)))


def _show_depth(read: Sequence[tuple[Measured, np.ndarray]], report: Report) -> None:
    pictures = [(one, report.attempt(one.image), metres) for one, metres in read]
    pictures = [(one, picture, metres) for one, picture, metres in pictures if picture is not None]
    if pictures:
        small = [_small(picture.convert("RGB")) for _, picture, _ in pictures]
        report.rows.append(Row("images", small, [_name(one.where) for one, _, _ in pictures]))
        logs = [_spread(metres) for _, _, metres in pictures]
        low, high = (np.nanpercentile(np.concatenate([log.ravel() for log in logs]), part) for part in (1, 99))
        report.rows.append(Row(f"{np.exp(low):.0f} to {np.exp(high):.0f} m", logs, limits=(low, high)))


def _spread(metres: np.ndarray) -> np.ndarray:
    """Log depth, small, NaN where there is none: of each block of pixels the nearest, so that single points show."""
    every = max(1, metres.shape[1] // (SHOWN // 2))
    rows, columns = (length // every for length in metres.shape)
    far = np.where(metres > 0, metres.astype(float), np.inf)[: rows * every, : columns * every]
    near = far.reshape(rows, every, columns, every).min((1, 3))
    return np.log(np.where(np.isinf(near), np.nan, near))


def _change(first: Image.Image, second: Image.Image) -> np.ndarray:
    """The difference (h, 160) in grey levels of two frames."""
    size = (160, max(1, 160 * first.height // first.width))
    grey = [np.asarray(one.convert("L").resize(size, Image.Resampling.BOX)).astype(float) for one in (first, second)]
    return np.abs(grey[1] - grey[0])


def _small(picture: Image.Image) -> np.ndarray:
    copy = picture.copy()
    copy.thumbnail((SHOWN, SHOWN))
    return np.asarray(copy)


def _thin(truth: np.ndarray) -> np.ndarray:
    every = max(1, truth.shape[1] // SHOWN)
    return truth[::every, ::every]


def _name(where: str) -> str:
    return "/".join(where.rsplit("/", 2)[-2:])
