"""How long runs should take and how much disk they need, before any has run: estimates, and what they rest on."""

from collections.abc import Mapping

SIZE = 192 * 640
"""Pixels of the images that the rates are for."""
DEPTH_RATE = 18.4
"""Triplets per second of Monodepth2 with ResNet-18 at 192x640 on a Titan Xp (its paper's repository)."""
FINETUNE_RATE = 20_000 * 16 / (2.5 * 3600)
"""Images per second of the paper's fine-tuning: a trial of 20,000 steps of 16 took about 2.5 hours."""
COST = {"resnet18": 1.0, "resnet50": 30 / 19, "resnet18-slim": 1 / 6}
"""Cost of an encoder against ResNet-18: for ResNet-50 from the paper's pre-training on NYU-V2 (30 and 19 hours); for
the quarter-width one assumed."""
WEIGHTS = {"resnet18": 58e6, "resnet50": 135e6, "resnet18-slim": 5e6}
"""Bytes of a run's weights; those of pre-training on video have a second network beside them."""
BASIS = (
    "An estimate for one GPU of the class of a Titan Xp (2017), a job at a time: no GPU has run this "
    "profile yet. They are iterations x batch over 18.4 triplets/s for depth and flow (Monodepth2, ResNet-18, 192x640) "
    "and 35.6 images/s for the rest (the paper's 2.5 h a trial), in proportion to pixels; ResNet-50 costs 1.6 times "
    "ResNet-18, as in the paper. A present GPU is several times as fast."
)
"""What an estimate of GPU hours rests on, in a paragraph."""
CORE_BASIS = "A rough estimate for one core of a laptop or server."
"""The same for profiles that need no GPU."""


def on_gpu(encoder: str) -> bool:
    """Whether a run with this encoder is one for a GPU; the quarter-width one is for a CPU."""
    return bool(encoder) and encoder != "resnet18-slim"


def gpu_seconds(kind: str, run: Mapping) -> float:
    """Seconds of training on the GPU that `BASIS` names; `run` are the run's parameters, with the number of trials."""
    video = kind == "pretrain" and run["initialisation"] not in ("classification", "depth-supervised")
    rate = DEPTH_RATE if video else FINETUNE_RATE
    photographs = kind == "pretrain" and run["initialisation"] == "classification"
    pixels = run["photograph_size"] ** 2 if photographs else run["height"] * run["width"]
    share = 0.7 if run.get("setting") == "frozen" else 1.0
    work = run["iterations"] * run["batch"] * run.get("trials", 1) * share
    return work / rate * pixels / SIZE * COST[run["encoder"]]


def run_bytes(kind: str, run: Mapping) -> float:
    """Bytes that a run leaves: weights, and a megabyte of tables, pictures and log per trial."""
    trials = run.get("trials", 1)
    networks = 1.9 if kind == "pretrain" and run["initialisation"] != "classification" else 1.0
    return trials * (networks * WEIGHTS[run["encoder"]] + 1e6)


def cache_bytes(frames: int, labelled: int, height: int, width: int, depth: bool) -> int:
    """Bytes of the packed images: three per pixel of a frame, four with labels, and two more with measured depth."""
    return (frames * (5 if depth else 3) + labelled * 4) * height * width
