"""`make check-data`: what a real set holds, what is wrong with it, a sheet of pictures to look at, and what it costs.

    python -m depthseg_lib.commands.check_data --profile folder --data FOLDER

Reads a sample, so that it takes less than a minute for a large set too. Exit status 1 when something is missing or
wrong.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from depthseg_lib import estimate, inspection, preflight
from depthseg_lib.commands.kernel import headless_environment
from depthseg_lib.commands.progress import estimated, jobs_of
from depthseg_lib.data.cache import cache_root
from depthseg_lib.data.sources import REAL_SETS
from depthseg_lib.errors import InputError
from depthseg_lib.files import replacing
from depthseg_lib.inspection import Report
from depthseg_lib.models.published import NONE, Published, add_options
from depthseg_lib.project import project_path
from depthseg_lib.study import plan as study_plan

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
        sample = report.attempt(REAL_SETS[settings.data_set].sample, project_path(data))
        if sample is not None:
            _look(plan, sample, report, Path(runs, profile, SHEET))
            _say_all(say, report.lines)
            say("")
            _cost(plan, sample, report, say, runs)
    return _conclude(report, say)


def _look(plan: study_plan.Plan, sample, report: Report, sheet: Path) -> None:
    report.remarks += sample.remarks
    report.lines.append(f"{sample.label_set.name}: {len(sample.label_set.classes)} classes")
    inspection.labels(sample, report)
    step = plan.profile.depth.get("frame_step", 1)
    inspection.motion(sample, step, report)
    inspection.depth(sample, report)
    if report.rows:
        from depthseg_lib.plots.data_sheet import data_sheet  # matplotlib, after `main` has named its folder

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
        report.attempt(preflight.writable, folder, purpose, int(needed))
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
