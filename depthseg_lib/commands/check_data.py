"""`make check-data`: what a real set holds, what is wrong with it, a sheet of pictures to look at, and what it costs.

    python -m depthseg_lib.commands.check_data --profile folder --data FOLDER

Reads a sample: less than a minute for a large set too. Exit status 1 when something is missing or wrong.
"""

import argparse
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.commands import machine
from depthseg_lib.commands.progress import estimated
from depthseg_lib.data import image_files
from depthseg_lib.data.cache import failures
from depthseg_lib.data.ingest import Annotated
from depthseg_lib.data.labels import VOID
from depthseg_lib.data.sets import image_folder
from depthseg_lib.data.sets.listing import Listing, evenly
from depthseg_lib.data.sources import listed
from depthseg_lib.errors import InputError, exit_status
from depthseg_lib.files import cache_root, project_path, replacing
from depthseg_lib.models.published import NONE, Published, add_options
from depthseg_lib.plots.pictures import COLUMNS, Row
from depthseg_lib.settings import DataSettings
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.jobs import jobs_of

PHOTOGRAPHS = 1000
"""Photographs for classification that are decoded."""
LABELS = 120
"""Label images of a split that are decoded."""
NEIGHBOURS = 48
"""Pairs of neighbouring frames that are compared."""
STILL = 1.5
"""Mean difference in grey levels (of 255), at 160 pixels across, under which two frames hardly differ."""
HEADERS = 2000
"""Frames of a sequence whose sizes are looked up, at most."""
SHOWN = 480
"""Pixels across of a picture on the contact sheet, at most."""
WEIGHTS = {"resnet18": 58e6, "resnet50": 135e6, "resnet18-slim": 5e6}
"""Bytes of a run's weights."""


@dataclass
class Report:
    """What was seen: what is wrong, what to think of, and pictures; the rest is said at once, a line each."""

    say: Callable[[str], None]
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
            self.problems += [] if str(error) in self.problems else [str(error)]
            return None

    def each(self, items: Iterable, work: Callable) -> Iterator[tuple]:
        """Each of `items` with what `work` makes of it, one after another; those that it fails on are left out."""
        for item in items:
            if (made := self.attempt(work, item)) is not None:
                yield item, made


def check(profile: str, data: str, runs: str, published: Published = NONE, photographs: str = "", say=print) -> int:
    """Look at the set of a profile; says what is there, writes the sheet into the folder of its runs.

    Returns the number of things that are missing or wrong.
    """
    report = Report(say)
    report.attempt(lambda: study_plan.check(profile, data, published, photographs, decode=False))
    if not report.problems:
        plan = study_plan.plan(profile, data, runs, published, photographs)
        settings = plan.profile.data
        if settings.data_set == "streets":
            say(f"profile {profile} runs on the embedded street world: there is no data to check")
            return 0
        say(f"profile {profile}, {project_path(data)}")
        sample = listed(settings)
        # Its files are looked up first, so that what is missing is said as one problem, and once.
        if report.attempt(lambda: sample.labelled and sample.sequences is not None):
            report.remarks += sample.remarks
            say(f"{sample.label_set.name}: {len(sample.label_set.classes)} classes")
            labels(sample, report)
            motion(sample, plan.profile.depth.get("frame_step", 1), report)
            depth(sample, report)
            if photographs:
                by_class(photographs, report)
            if report.rows:
                report.attempt(
                    _write_sheet, Path(runs, plan.profile.name, "contact_sheet.png"), sample, settings, report
                )
            say("")
            cost(plan, sample, runs, report)
    say("")
    for remark in report.remarks:
        say(f"note: {remark}")
    for problem in report.problems[:20]:
        say(f"WRONG: {problem}")
    if len(report.problems) > 20:
        say(f"WRONG: and {len(report.problems) - 20} more of the kind")
    say(f"{len(report.problems)} things are missing or wrong" if report.problems else "nothing is missing or wrong")
    return len(report.problems)


def labels(sample: Listing, report: Report) -> None:
    """Decode label images of every split: ids of no class, shares of the classes, sizes; and show some."""

    def truth_of(one: Annotated) -> np.ndarray:
        return sample.label_set.encode(one.ids(), one.where)

    classes = [*enumerate(sample.label_set.classes), (VOID, "(void)")]
    width = max(len(name) for _, name in classes)
    for split, images in sample.labelled.items():
        chosen = evenly(images, LABELS)
        looked = "" if len(chosen) == len(images) else f", {len(chosen)} of them looked at"
        report.say(f"{split}: {len(images)} labelled images{looked}")
        pixels, occurs, sizes = np.zeros(256, np.int64), Counter(), Counter()
        for _, truth in report.each(chosen, truth_of):
            counts = np.bincount(truth.ravel(), minlength=256)
            pixels += counts
            occurs.update(np.flatnonzero(counts).tolist())
            sizes[truth.shape] += 1
        report.say(f"  sizes: {_sizes(sizes)}")
        for index, name in classes:
            share = 100 * pixels[index] / max(1, pixels.sum())
            report.say(f"    {name:{width}}  {share:5.1f} %  in {occurs[index]} of {len(chosen)}")
        never = [name for index, name in enumerate(sample.label_set.classes) if not occurs[index]]
        if sizes and not pixels[:VOID].any():
            report.problems.append(
                f"{split}: every pixel of the label images that were looked at is void: expected labels of "
                f"{', '.join(never[:3])} and others; look at the files, and at what is said to be void"
            )
        elif never and sizes:
            report.remarks.append(f"{split}: no pixel of {', '.join(never)} in the label images that were looked at")
    shown = []
    some = evenly([one for images in sample.labelled.values() for one in images], 2 * COLUMNS)
    for one, (image, truth) in report.each(some, lambda one: (one.image(), truth_of(one))):
        sizes = [f"{wide}x{high}" for wide, high in (truth.shape[::-1], image.size)]
        if sizes[0] == sizes[1]:
            shown.append((_name(one.where), image, truth))
        else:
            report.problems.append(f"{one.where} is {sizes[0]}, but its image is {sizes[1]}: expected one size")
    for start in range(0, len(shown), COLUMNS):
        names, pictures, truths = zip(*shown[start : start + COLUMNS], strict=True)
        report.seen |= {int(index) for truth in truths for index in np.unique(truth)}
        report.rows.append(Row("images", list(map(_small, pictures)), names))
        thin = (truth[:: (every := max(1, truth.shape[1] // SHOWN)), ::every] for truth in truths)
        report.rows.append(Row("labels", [sample.label_set.colour(truth) for truth in thin]))


def motion(sample: Listing, step: int, report: Report) -> None:
    """Compare frames that lie `step` apart, over all sequences: sizes, and how many hardly differ."""
    lengths = {name: len(files) for name, files in sample.sequences.items()}
    if not lengths:
        report.problems.append("there is no video: expected sequences of frames to learn depth from")
        return
    shortest, longest = min(lengths, key=lengths.get), max(lengths, key=lengths.get)
    ends = f"from {lengths[shortest]} ({shortest}) to {lengths[longest]} ({longest})"
    report.say(f"video: {sum(lengths.values())} frames in {len(lengths)} sequences, {ends}")
    for name, files in sample.sequences.items():
        found = list(report.each(evenly(files, HEADERS), image_files.size))
        if others := [(file, size) for file, size in found if size != found[0][1]]:
            other, first = (f"{file.name} is {size[1]}x{size[0]}" for file, size in (others[0], found[0]))
            wanted = "frames of one size in a sequence; give each size a folder and intrinsics of its own"
            report.problems.append(f"{name}: {other}, but {first}: expected {wanted}")
    still, sizes, shown = [], Counter(), []
    two = [frames for files in sample.sequences.values() for frames in zip(files, files[step:], strict=False)]
    two = evenly(two, NEIGHBOURS)
    for (file, _), pair in report.each(two, lambda files: [image_files.photograph(of).convert("RGB") for of in files]):
        sizes[pair[0].size[::-1]] += 1
        size = (160, max(1, 160 * pair[0].height // pair[0].width))
        grey = [np.asarray(o.convert("L").resize(size, Image.Resampling.BOX)).astype(float) for o in pair]
        change = np.abs(grey[1] - grey[0])
        still += [file] if change.mean() < STILL else []
        shown.append((file, _small(pair[0]), change))
    report.say(f"  sizes: {_sizes(sizes)}")
    report.say(f"  {len(still)} of {len(shown)} sampled frames hardly differ from the one {step} later")
    if len(still) > len(shown) // 4:
        report.remarks.append(
            f"{len(still)} of {len(shown)} sampled frames hardly move, such as {still[0]}: depth learns nothing from "
            "them; leave out where the camera stands still, or take frames further apart"
        )
    if shown := evenly(shown, COLUMNS):
        names = [f"{file.parent.name}/{file.name}" for file, _, _ in shown]
        report.rows.append(Row("video", [picture for _, picture, _ in shown], names))
        report.rows.append(Row(f"change, {step} later", [change for _, _, change in shown], limits=(0, 64)))


def depth(sample: Listing, report: Report) -> None:
    """Read what measured depth there is: its range, and how much of the image has some."""
    read = list(report.each(sample.depth[:COLUMNS], lambda one: one.depth()))
    if not read:
        report.say("measured depth: none; evaluation of depth needs some, training does not")
        return
    known = np.concatenate([metres[metres > 0].astype(float) for _, metres in read])
    share = known.size / sum(metres.size for _, metres in read)
    if not known.size:
        report.problems.append(f"{read[0][0].where}: no pixel has a measured depth; expected metres above 0 in some")
        return
    low, middle, high = np.percentile(known, (1, 50, 99))
    metres = f"{low:.1f} to {high:.1f} m, median {middle:.1f} m"
    report.say(f"measured depth, in {len(read)} images: {100 * share:.0f} % of pixels, {metres}")
    if pictures := list(report.each(read, lambda one: one[0].image())):
        names = [_name(one.where) for (one, _), _ in pictures]
        report.rows.append(Row("images", [_small(picture) for _, picture in pictures], names))
        logs = [_spread(metres) for (_, metres), _ in pictures]
        low, high = (np.nanpercentile(np.concatenate([log.ravel() for log in logs]), part) for part in (1, 99))
        report.rows.append(Row(f"{np.exp(low):.0f} to {np.exp(high):.0f} m", logs, limits=(low, high)))


def by_class(folder: str, report: Report) -> None:
    """Count the photographs for classification and decode some."""
    found = image_folder.listed(folder)
    counts = np.bincount(found.labels)
    few, many = (f"{counts[i]} ({found.classes[i]})" for i in (counts.argmin(), counts.argmax()))
    chosen = evenly(found.files, PHOTOGRAPHS)
    looked = "" if len(chosen) == len(found.files) else f", {len(chosen)} of them looked at"
    report.say(f"photographs in {found.root}: {len(found.files)}{looked}")
    report.say(f"  {len(counts)} classes, from {few} to {many}")
    report.problems += map(str, failures(image_files.photograph, chosen))
    report.remarks += found.remarks


def _sizes(sizes: Counter) -> str:
    parts = [f"{rows}x{columns} (h x w), {count}" for (rows, columns), count in islice(sizes.most_common(), 4)]
    return "; ".join(parts) + (f" and {len(sizes) - 4} sizes more" if len(sizes) > 4 else "") or "none could be read"


def _spread(metres: np.ndarray) -> np.ndarray:
    """Log depth, small, NaN where there is none: of each block of pixels the nearest, so that single points show."""
    every = max(1, metres.shape[1] // (SHOWN // 2))
    rows, columns = (length // every for length in metres.shape)
    far = np.where(metres > 0, metres.astype(float), np.inf)[: rows * every, : columns * every]
    near = far.reshape(rows, every, columns, every).min((1, 3))
    return np.log(np.where(np.isinf(near), np.nan, near))


def _small(picture: Image.Image) -> np.ndarray:
    copy = picture.convert("RGB")  # a new one
    copy.thumbnail((SHOWN, SHOWN))
    return np.asarray(copy)


def _name(where: str) -> str:
    return "/".join(where.rsplit("/", 2)[-2:])


def _write_sheet(file: Path, sample: Listing, size: DataSettings, report: Report) -> None:
    import matplotlib  # after `main` has named its folder

    from depthseg_lib.plots.pictures import data_sheet
    from depthseg_lib.plots.style import RC

    footer = (
        f"{sample.label_set.name}: a sample, as it is on the disk; the study takes images at "
        f"{size.height}x{size.width} (height x width). Labels: void is black. Change: yellow is a "
        "lot, dark is none. Depth: dark is near, white is unknown."
    )
    shown = np.array(sorted(report.seen)) if report.seen else None
    figure = data_sheet(report.rows, shown, sample.label_set, footer)
    with replacing(file) as scratch, matplotlib.rc_context(RC):
        figure.savefig(scratch, format="png", dpi=110)
    report.say(f"contact sheet to look at: {file}")


def cost(plan: study_plan.Plan, sample: Listing, runs: str, report: Report) -> None:
    """Say the disk and the hours that the whole study needs."""
    data = plan.profile.data
    frames, labelled = (sum(map(len, of.values())) for of in (sample.sequences, sample.labelled))
    # Bytes per pixel: three of a frame, four with labels, and two more with measured depth.
    packed = (frames * (5 if sample.depth else 3) + labelled * 4) * data.height * data.width
    left = 0.0  # weights, of two networks after video, and a megabyte of tables and pictures a trial
    for run in plan.runs:
        video = run.kind == "pretrain" and run.parameters["initialisation"] != "classification"
        left += len(run.trials) * ((1.9 if video else 1.0) * WEIGHTS[run.parameters["encoder"]] + 1e6)
    cached, written = (f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB" for n in (packed, left))
    report.say(f"disk: about {cached} for the images in the cache {cache_root()}, {written} for the runs in {runs}")
    for folder, purpose, needed in ((cache_root(), "cached data", packed), (Path(runs), "runs", left)):
        report.attempt(machine.writable, folder, purpose, int(needed))
        if shutil.disk_usage(folder).free < 1.5 * needed:
            report.remarks.append(f"{folder}, the folder for {purpose}, is on a disk that this nearly fills")
    for line in estimated(jobs_of(plan)):
        report.say(line)


def main() -> int:
    """The command line; returns the exit status."""
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m depthseg_lib.commands.check_data", description=about)
    parser.add_argument("--profile", default="folder", help="a profile that reads a real set")
    parser.add_argument("--data", default="", help="folder of the real set")
    parser.add_argument("--runs", default="runs", help="folder of the runs, where the contact sheet is written")
    parser.add_argument("--photographs", default="", help="folder of photographs, with a folder per class")
    add_options(parser)
    given = parser.parse_args()
    os.environ.setdefault("MPLCONFIGDIR", str(cache_root().absolute() / "jupyter/matplotlib"))  # not the home folder

    def work() -> bool:
        published = Published.given(given.imagenet, given.monodepth2, given.weights)
        return check(given.profile, given.data, given.runs, published, given.photographs) > 0

    return int(exit_status(work))


if __name__ == "__main__":
    sys.exit(main())
