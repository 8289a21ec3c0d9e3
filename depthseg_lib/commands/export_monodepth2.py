"""A depth run as a checkpoint in Monodepth2's own format, which Monodepth2's code reads too.

python -m depthseg_lib.commands.export_monodepth2 runs/gpu/pretrain/resnet18-depth/t0 exported/mono_no_pt_640x192
"""

import argparse
import sys
from pathlib import Path

from depthseg_lib.errors import InputError, exit_status
from depthseg_lib.files import read_json
from depthseg_lib.models import checkpoints
from depthseg_lib.models.weights import load_weights
from depthseg_lib.settings import PretrainConfig


def export(run: str | Path, folder: str | Path) -> None:
    """Write the networks of the finished depth run in the folder `run` into `folder`, the pose network if it has one.

    Raises `InputError` for a run of another kind, an unfinished one, or an encoder that Monodepth2 does not have.
    """
    run = Path(run)
    settings = read_json(run / "params.json")
    if not settings.get("initialisation", "").startswith("depth") or "setting" in settings:
        raise InputError(f"{run} is no run that pre-trains depth: only those have networks that Monodepth2 has too")
    config = PretrainConfig(**settings)
    about = config.encoder, config.initialisation
    checkpoints.check_encoder(config.encoder)
    depth = load_weights(run / "weights.safetensors", *about)
    checkpoints.save_depth(depth, folder, config.encoder, config.height, config.width)
    if config.task == "depth":
        checkpoints.save_pose(load_weights(run / "pose.safetensors", *about), folder, config.encoder)
    print(f"written: {folder}")


def main() -> int:
    """The command line; returns the exit status."""
    prog = "python -m depthseg_lib.commands.export_monodepth2"
    parser = argparse.ArgumentParser(prog=prog, description=export.__doc__)
    parser.add_argument("run", help="folder of a finished pre-training run of depth")
    parser.add_argument("folder", help="where encoder.pth, depth.pth, pose_encoder.pth and pose.pth go")
    given = parser.parse_args()
    return exit_status(lambda: export(given.run, given.folder))


if __name__ == "__main__":
    sys.exit(main())
