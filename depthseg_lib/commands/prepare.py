"""Makes ready what runs read, before they start: renders the embedded world, decodes and resizes real sets.

    python -m depthseg_lib.commands.prepare PARAMS.json... --out FOLDER

The files hold the settings of runs, one for each task that reads the same data. All goes into the cache; what is there
already takes a moment. `ready.json` in FOLDER, beside the journal, says that it is done.
"""

import argparse
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

from depthseg_lib.commands import journal
from depthseg_lib.commands.machine import slot
from depthseg_lib.data.sources import load_annotated
from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json, write_json
from depthseg_lib.settings import FinetuneConfig, PretrainConfig
from depthseg_lib.training.pretrain import make_task


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m depthseg_lib.commands.prepare", description=__doc__.split("\n")[0])
    parser.add_argument("params", nargs="+", help="JSON files with the settings of runs")
    parser.add_argument(
        "--gpu", action="store_true", help="wait for a place on a GPU, which renders the embedded world"
    )
    parser.add_argument("--out", required=True, help="folder of the journal and of ready.json")
    options = parser.parse_args(arguments)
    folder = Path(options.out)

    def report(line: str) -> None:
        print(f"data {folder.name}  {line}", flush=True)
        journal.append(folder, journal.SAID, line)

    try:
        journal.append(folder, journal.STARTED)
        with slot() if options.gpu else nullcontext():
            for path in options.params:
                values = read_json(path)
                if "setting" in values:
                    config = FinetuneConfig(**values)
                    load_annotated(config, config.images, report)
                else:
                    make_task(PretrainConfig(**values), "cpu", report)
        write_json(folder / "ready.json", {"readers": options.params})
        journal.append(folder, journal.FINISHED)
        return 0
    except InputError as error:
        print(f"data {folder.name}  failed: {error}", file=sys.stderr, flush=True)
        with suppress(InputError):  # the disk that failed it is full for the journal too
            journal.append(folder, journal.FAILED, str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
