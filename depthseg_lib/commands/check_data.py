"""`make check-data`: what a real set holds, what is wrong with it, a sheet of pictures to look at, and what it costs.

    python -m depthseg_lib.commands.check_data --profile folder --data FOLDER

Reads a sample, so that it takes less than a minute for a large set too. Exit status 1 when something is missing or
wrong.
"""

import argparse
import os
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.commands import machine
from depthseg_lib.commands.kernel import headless_environment
from depthseg_lib.commands.progress import estimated, jobs_of
from depthseg_lib.data import image_files
from depthseg_lib.data.ingest import Annotated
from depthseg_lib.data.labels import VOID
from depthseg_lib.data.sets.listing import Listing, Measured, evenly
from depthseg_lib.data.sources import listed
from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root, project_path, replacing
from depthseg_lib.models.published import NONE, Published, add_options
from depthseg_lib.plots.pictures import COLUMNS, Row
from depthseg_lib.study import estimate
from depthseg_lib.study import plan as study_plan

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


def labels(sample: Listing, report: Report) -> None:
    """Decode label images of every split: ids of no class, shares of the classes, sizes."""
    for split, images in sample.labelled.items():
        chosen = evenly(images, LABELS)
        report.lines.append(f"{split}: {len(images)} labelled images" + _of(len(chosen), len(images)))
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


def motion(sample: Listing, step: int, report: Report) -> None:
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


def depth(sample: Listing, report: Report) -> None:
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


def _truth(sample: Listing, one: Annotated) -> np.ndarray:
    return sample.label_set.encode(one.ids(), one.where)


def _shares(sample: Listing, pixels: np.ndarray, occurs: Counter, count: int) -> list[str]:
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


def _show_labels(sample: Listing, report: Report) -> None:
    every = [one for images in sample.labelled.values() for one in images]
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


SHEET = "contact_sheet.png"


def check(profile: str, data: str, runs: str, published: Published = NONE, photographs: str = "", say=print) -> int:
    """Look at the set of a profile; says what is there, writes the sheet into the folder of its runs.

    Returns the number of things that are missing or wrong.
    """
    report = Report()
    report.attempt(lambda: study_plan.check(profile, data, published, photographs, decode=False))
    if not report.problems:
        plan = study_plan.plan(profile, data, runs, published, photographs)
        settings = plan.profile.data
        if settings.data_set == "streets":
            say(f"profile {profile} runs on the embedded street world: there is no data to check")
            return 0
        say(f"profile {profile}, {project_path(data)}")
        sample = report.attempt(_looked_up, listed(settings))
        if sample is not None:
            _look(plan, sample, report, Path(runs, plan.profile.name, SHEET))
            _say_all(say, report.lines)
            say("")
            _cost(plan, sample, report, say, runs)
    return _conclude(report, say)


def _looked_up(sample: Listing) -> Listing:
    """The listing with its files looked up, so that what is missing is said as one problem, and once."""
    return sample if sample.labelled and sample.sequences is not None else None


def _look(plan: study_plan.Plan, sample, report: Report, sheet: Path) -> None:
    report.remarks += sample.remarks
    report.lines.append(f"{sample.label_set.name}: {len(sample.label_set.classes)} classes")
    labels(sample, report)
    step = plan.profile.depth.get("frame_step", 1)
    motion(sample, step, report)
    depth(sample, report)
    if report.rows:
        from depthseg_lib.plots.pictures import data_sheet  # matplotlib, after `main` has named its folder

        shown = np.array(sorted(report.seen), int)
        figure = data_sheet(report.rows, shown if report.seen else None, sample.label_set, _footer(plan, sample))
        with replacing(sheet) as scratch:
            figure.savefig(scratch, format="png", dpi=110)
        report.lines.append(f"contact sheet to look at: {sheet}")


def _footer(plan: study_plan.Plan, sample) -> str:
    size = f"{plan.profile.data.height}x{plan.profile.data.width}"
    return (
        f"{sample.label_set.name}: a sample, as it is on the disk; the study takes images at {size} (height x width). "
        "Labels: void is black. Change: yellow is a lot, dark is none. Depth: dark is near, white is unknown."
    )


def _cost(plan: study_plan.Plan, sample, report: Report, say, runs: str) -> None:
    """Disk and hours of the whole study."""
    data = plan.profile.data
    frames, labelled = (sum(map(len, of.values())) for of in (sample.sequences, sample.labelled))
    cache = estimate.cache_bytes(frames, labelled, data.height, data.width, bool(sample.depth))
    left = sum(estimate.run_bytes(run.kind, run.parameters) for run in plan.runs)
    say(f"disk: about {_size(cache)} for the images in the cache {cache_root()}, {_size(left)} for the runs in {runs}")
    for folder, purpose, needed in ((cache_root(), "cached data", cache), (Path(runs), "runs", left)):
        report.attempt(machine.writable, folder, purpose, int(needed))
        if shutil.disk_usage(folder).free < 1.5 * needed:
            report.remarks.append(f"{folder}, the folder for {purpose}, is on a disk that this nearly fills")
    _say_all(say, estimated(jobs_of(plan.runs, plan.figures)))


def _conclude(report: Report, say) -> int:
    say("")
    _say_all(say, (f"note: {remark}" for remark in report.remarks))
    _say_all(say, (f"WRONG: {problem}" for problem in report.problems[:20]))
    if len(report.problems) > 20:
        say(f"WRONG: and {len(report.problems) - 20} more of the kind")
    say(f"{len(report.problems)} things are missing or wrong" if report.problems else "nothing is missing or wrong")
    return len(report.problems)


def _say_all(say, lines) -> None:
    for line in lines:
        say(line)


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m depthseg_lib.commands.check_data", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--profile", default="folder", help="a profile that reads a real set")
    parser.add_argument("--data", default="", help="folder of the real set")
    parser.add_argument("--runs", default="runs", help="folder of the runs, where the contact sheet is written")
    parser.add_argument("--photographs", default="", help="folder of photographs, with a folder per class")
    add_options(parser)
    given = parser.parse_args()
    os.environ.setdefault("MPLCONFIGDIR", headless_environment()["MPLCONFIGDIR"])  # not in the home folder
    try:
        published = Published.given(given.imagenet, given.monodepth2, given.weights)
        return int(bool(check(given.profile, given.data, given.runs, published, given.photographs)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
