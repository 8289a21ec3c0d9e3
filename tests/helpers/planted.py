"""Planted runs: real run folders with deterministic made-up numbers, for tests of everything drawn from results."""

import json
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from depthseg_lib.analysis.measurements import sizes as object_sizes
from depthseg_lib.analysis.measurements.activations import Activations
from depthseg_lib.analysis.measurements.grad_cam import LAYERS
from depthseg_lib.analysis.measurements.load import _small as small
from depthseg_lib.analysis.measurements.rescaling import Rescaling
from depthseg_lib.analysis.measurements.sizes import Sizes
from depthseg_lib.analysis.results import Results, load
from depthseg_lib.analysis.runs import RUN
from depthseg_lib.analysis.store import Stored
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.data.resize import FACTORS
from depthseg_lib.losses import metrics
from depthseg_lib.models.networks import SegmentationNetwork
from depthseg_lib.models.weights import save_weights
from depthseg_lib.study import plan

HEIGHT, WIDTH = 64, 192
CLASSES = len(KITTI.classes)
_NAMES = "road,sidewalk,building,pole,traffic sign,vegetation,terrain,sky,person,car,truck"
PRESENT = [KITTI.classes.index(name) for name in _NAMES.split(",")]
GAIN = {
    "none": 0.0,
    "classification": 0.05,
    "depth": 0.09,
    "depth-classification": 0.12,
    "imagenet": 0.06,
    "moco-v2": 0.07,
    "dino": 0.08,
    "depth-imagenet": 0.13,
    "depth-supervised": 0.08,
    "flow": -0.03,
}


@cache
def laptop() -> Results:
    """Results of the laptop profile's main comparison on few validation images, planted and read once."""
    return everything().main.select(setting=["full", "frozen"])


@cache
def everything() -> Results:
    """Results of the whole laptop profile, as `laptop`."""
    with TemporaryDirectory() as root:
        return load("laptop", plant(Path(root), "laptop", validation=12), root)


def plant(root: Path, profile="laptop", examples=4, validation=None, trials=3, published=plan.NONE) -> Path:
    """Write `root/<profile>/` with every run of the profile, or fewer `trials`, or fewer `validation` images."""
    images, truth = _scenes(examples)
    study = plan.plan(profile, runs=str(root), published=published)
    study = replace(study, runs=tuple(replace(run, trials=run.trials[:trials]) for run in study.runs))
    plan.write(study, root)
    for run in study.runs:
        for name, settings in run.settings().items():
            folder = root / profile / run.kind / name
            if run.kind == "pretrain":
                plant_pretrain(folder, settings, images)
            else:
                plant_finetune(folder, settings, images, truth, validation)
    return root


ENVIRONMENT = {"commit": "0123abc", "device": "2 CPU threads", "seconds": 30.0}
"""What a planted run says of its making."""


def plant_finetune(folder: Path, run: dict, images, truth, validation=None) -> None:
    """Write the results of one trial; the numbers follow from its name alone."""
    folder.mkdir(exist_ok=True)
    seed = np.random.default_rng(hash_of(f"{folder.parent.name}-{folder.name}"))
    quality = _quality(run) + seed.normal(0, 0.012)
    whole, drawn_from = run["images"] == run["annotated"], run["annotated"]  # the whole set is validated on itself
    numbers = range(drawn_from) if whole else range(drawn_from, drawn_from + run["validation"])
    names = [f"street{i:03d}" for i in numbers][-(validation or len(numbers)) :]
    confusion = _confusions(len(names), quality, seed)
    history = _history(confusion, quality, seed, run["iterations"])
    history.to_parquet(folder / "history.parquet")
    np.savez_compressed(folder / "confusion.npz", images=confusion, names=np.array(names))
    wrong = seed.random(truth.shape) > 0.55 + quality / 2
    predictions = np.where(wrong | (truth == VOID), np.roll(truth, 7, axis=2), truth)
    predictions = np.where(predictions == VOID, 0, predictions).astype(np.uint8)
    course = np.stack([np.zeros_like(predictions), np.where(wrong, 0, predictions), predictions])
    stored = {"images": images, "truth": truth, "predictions": course}
    stored |= {"indices": np.arange(len(truth)) - len(truth), "iterations": history["iteration"].iloc[[0, 3, -1]]}
    np.savez_compressed(folder / "predictions.npz", **stored)
    write(folder / "environment.json", ENVIRONMENT | {"settings": run})
    measured = metrics.segmentation_metrics(confusion, 0, KITTI.representative)
    iou = [None if np.isnan(v) else v for v in metrics.iou(confusion.sum(0))]
    last = {"iteration": run["iterations"], "nll": float(history["nll"].iloc[-1]), "train_loss": 0.1}
    write(
        folder / "metrics.json",
        {
            "fingerprint": run["fingerprint"],
            "diverged_at": None,
            **last,
            **measured,
            "iou": dict(zip(KITTI.classes, iou, strict=True)),
        },
    )


def plant_pretrain(folder: Path, run: dict, images) -> None:
    """Write the results of one pre-training run."""
    iterations = np.arange(0, 1501, 250)
    values = {"task": "classification", "accuracy": 0.81}
    if run["initialisation"] == "flow":
        values = {"task": "flow", "epe": 1.9, "epe_zero": 3.8, "epe_mean_map": 2.2}
        pairs = np.stack([images, images], axis=1)
        flow = np.zeros((len(images), 2, HEIGHT, WIDTH), np.float32) + np.linspace(-4, 4, WIDTH, dtype=np.float32)
        np.savez_compressed(folder / "flow_examples.npz", images=pairs, flow=flow, true_flow=flow * 1.1)
    elif run["initialisation"] != "classification":
        values = {
            "task": "depth",
            "abs_rel": 0.31,
            "rmse": 7.9,
            "a1": 0.55,
            "abs_rel_mean_map": 0.52,
            "abs_rel_untrained": 0.75,
        }
        rows = np.linspace(0.05, 1, HEIGHT)[None, :, None]
        depth = np.broadcast_to(4 / rows, (len(images), HEIGHT, WIDTH)).astype(np.float32)
        np.savez_compressed(folder / "examples.npz", images=images, truth=depth, prediction=depth * 1.1)
    course = {"iteration": iterations, "train_loss": np.exp(-iterations / 600)}
    course |= {name: np.linspace(1, value, len(iterations)) for name, value in values.items() if name != "task"}
    pd.DataFrame(course).to_parquet(folder / "history.parquet")
    write(folder / "environment.json", ENVIRONMENT | {"settings": run})
    write(
        folder / "metrics.json",
        {"fingerprint": run["fingerprint"], "diverged_at": None, "iteration": run["iterations"], **values},
    )


def plant_weights(root: Path, profile: str, images: int) -> list[Path]:
    """Write the weights of a random network for every planted run of the setting `full` with so many images."""
    files = []
    for run in plan.plan(profile).runs:
        about = run.parameters
        wanted = {"setting": "full", "images": images, "experiment": "main"}
        if run.kind != "finetune" or any(about[name] != value for name, value in wanted.items()):
            continue
        for folder in sorted((root / profile / run.kind / run.name).glob("t*")):
            torch.manual_seed(hash_of(f"{run.name}-{folder.name}"))
            files.append(folder / "weights.safetensors")
            network = SegmentationNetwork(about["encoder"], CLASSES)
            save_weights(network, files[-1], encoder=about["encoder"], initialisation=about["initialisation"])
    return files


def activations(results: Results, images: int = 5) -> Activations:
    """Made-up activations of exactly these results' runs: the first trials have maps, depth has the highest scores."""
    scores, maps = [], {}
    for run in results.metrics.to_dict("records"):
        seed = np.random.default_rng(hash_of(run["name"]))
        identity = {name: run[name] for name in ("name", *RUN)}
        for level, layer in enumerate(LAYERS):
            energy = 0.4 * (1 + GAIN[run["initialisation"]] * (5 - level) + seed.normal(0, 0.02, images))
            shares = {"layer": layer, "energy": energy, "area": 0.4, "edges": 0.6}
            scores.append(pd.DataFrame({"image": [f"street{i:03d}" for i in range(images)], **shares, **identity}))
        if run["trial"] == 0:
            sizes = {layer: (3, HEIGHT >> s, WIDTH >> s) for s, layer in enumerate(LAYERS, 1)}
            maps[run["name"]] = {layer: seed.integers(0, 256, size, np.uint8) for layer, size in sizes.items()}
    table = pd.concat(scores, ignore_index=True)
    flat = {f"{name}.{layer}": of for name, layers in maps.items() for layer, of in layers.items()}
    return Activations("planted", _stored("activations", table, {"maps": flat}), table, (), maps)


def rescaling(results: Results, images: int = 3) -> Rescaling:
    """Made-up predictions of rescaled images by exactly these results' runs: depth loses least."""
    rows, predictions, truth = [], {}, results.examples.truth[:images]
    for run in results.metrics.to_dict("records"):
        seed = np.random.default_rng(hash_of(run["name"]))
        for factor in FACTORS:
            lost = (0.3 - GAIN[run["initialisation"]]) * abs(np.log2(factor)) + seed.normal(0, 0.004) * (factor != 1)
            kept = {name: run[name] - lost for name in ("miou_seven", "miou", "accuracy")}
            rows.append({name: run[name] for name in ("name", *RUN)} | {"factor": factor, **kept, "scored": 72})
        if run["trial"] == 0:
            rolled = [np.where(truth == VOID, 0, np.roll(truth, 4 * n, axis=2)) for n in range(len(FACTORS))]
            predictions[run["name"]] = np.where(np.stack(rolled) == VOID, 0, np.stack(rolled)).astype(np.uint8)
    table = pd.DataFrame(rows)
    stored = _stored("rescaled predictions", table, {"predictions": predictions})
    return Rescaling("planted", stored, table, (), predictions)


def sizes(things=("car", "truck", "person", "traffic sign", "bicycle"), images: bool = True) -> Sizes:
    """Made-up sizes: those of photographs are close together, those in streets anywhere."""
    parts, shown, examples, seed = [], [], {}, np.random.default_rng(5)
    for thing in things:
        for where, height in (("photographs", seed.uniform(30, 50, 40)), ("streets", np.exp(seed.normal(2, 1, 90)))):
            height = np.maximum(1, height.astype(int))
            box = {"height": height, "width": height + 2, "pixels": height**2, "image": np.arange(len(height))}
            parts.append(pd.DataFrame({"thing": thing, "where": where, "top": 0, "left": 0, **box}))
    for thing, (kind, side) in ((t, k) for t in things[:3] for k in (("photograph", 40), ("small", 5), ("large", 50))):
        if images or kind == "photograph":
            box = {"top": (64 - side) // 2, "left": (64 - side) // 2, "height": side, "width": side, "size": side}
            shown.append({"thing": thing, "kind": kind, **box})
            examples[f"{thing}.{kind}"] = seed.integers(60, 200, (3, 64, 64), np.uint8)
    objects = pd.concat(parts, ignore_index=True)
    objects["size"] = object_sizes.size(objects["height"], objects["width"])
    return Sizes("planted", Stored({}), objects, pd.DataFrame(shown), examples)


def _stored(name: str, scores: pd.DataFrame, arrays: dict) -> Stored:
    return Stored({"profile": "laptop", "measurement": name}, {"scores": small(scores)}, arrays)


def crossed(results: Results, without: tuple[str, ...] = ()) -> Results:
    """Results with made-up runs at two resolutions besides, but for the experiments `without`."""
    usual = results.metrics[(results.metrics["setting"] == "full") & (results.metrics["images"] == results.base_images)]
    parts, gain = [results.metrics], {"high": 0.05, "large-to-small": 0.03, "small-to-large": -0.06}
    for experiment in (name for name in gain if name not in without):
        starts = ["none", "classification", "depth"] if experiment == "high" else ["depth"]
        added = usual[usual["initialisation"].isin(starts)].assign(experiment=experiment)
        moved = {name: added[name] + gain[experiment] for name in ("miou_seven", "miou_occurring", "accuracy")}
        parts.append(added.assign(name=added["name"] + f"-{experiment}", **moved))
    return replace(results, metrics=pd.concat(parts, ignore_index=True))


def diverge(folder: Path, at: int = 200) -> None:
    """Turn a planted run into one that diverged at an iteration."""
    values = json.loads((folder / "metrics.json").read_text())
    write(folder / "metrics.json", values | {"diverged_at": at, "iteration": at})
    history = pd.read_parquet(folder / "history.parquet")
    history[history["iteration"] < at].to_parquet(folder / "history.parquet")


def write(path: Path, content) -> None:
    path.write_text(json.dumps(content))


def hash_of(text: str) -> int:
    """The same number for the same text in every process, unlike `hash`."""
    return zlib.crc32(text.encode())


def _quality(run: dict) -> float:
    size = min(1, np.log2(run["images"] / 4) / 5)
    gain = GAIN[run["initialisation"]] * (1 - 0.6 * size) * (1.6 if run["setting"] == "frozen" else 1)
    return 0.42 + 0.25 * size + gain - (0.14 if run["setting"] == "frozen" else 0)


def _confusions(count: int, quality: float, seed) -> np.ndarray:
    """One matrix per image; the images differ, a run's quality sets how much lies on the diagonal."""
    pixels = HEIGHT * WIDTH
    share = np.zeros(CLASSES)
    share[PRESENT] = np.array([30, 8, 18, 1, 0.5, 14, 6, 15, 0.5, 5, 2]) / 100
    matrices = np.zeros((count, CLASSES, CLASSES), np.uint32)
    truth = seed.multinomial(pixels, share / share.sum(), size=count)
    for row in PRESENT:
        right = np.clip(quality + 0.35 * np.sqrt(share[row]) + seed.normal(0, 0.05, count), 0.02, 0.99)
        hits = (truth[:, row] * right).astype(int)
        matrices[:, row, row] = hits
        misses = np.where(np.arange(CLASSES) == row, 0, share)
        for image in range(count):
            matrices[image, row] += seed.multinomial(truth[image, row] - hits[image], misses / misses.sum()).astype(
                np.uint32
            )
    return matrices


def _history(confusion, quality: float, seed, last: int) -> pd.DataFrame:
    measured = metrics.segmentation_metrics(confusion, 0, KITTI.representative)
    iterations = np.linspace(0, last, min(last, 8) + 1).round().astype(int)
    rise = 1 - np.exp(-iterations / last / (0.15 + 0.3 * (1 - quality)))
    columns = {
        name: value * (0.08 + 0.92 * rise) + seed.normal(0, 0.005, len(rise)) for name, value in measured.items()
    }
    loss = 2.6 * np.exp(-iterations / last / (0.2 + 0.3 * (1 - quality))) + 0.12 + seed.normal(0, 0.02, len(rise))
    share = confusion.sum((0, 2)) / confusion.sum()
    sooner = 1 - np.exp(-iterations[:, None] / last * (2 + 20 * share))  # large classes are learned first
    reached = (metrics.iou(confusion.sum(0)) * sooner).T
    classes = {f"iou_{name}": values for name, values in zip(KITTI.classes, reached, strict=True)}
    seconds = iterations * 0.11
    return pd.DataFrame(
        {
            "iteration": iterations,
            "train_loss": loss,
            "nll": 1.5 - quality - rise * 0.3,
            **columns,
            **classes,
            "learning_rate": 1e-3 * (1 + np.cos(np.pi * iterations / last)) / 2,
            "seconds": seconds,
        }
    )


def _scenes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and labels of a plain street: sky, buildings, vegetation, road, and a car that moves on."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / np.array([HEIGHT, WIDTH])[:, None, None]
    index = {name: KITTI.classes.index(name) for name in ("sky", "building", "vegetation", "terrain", "road", "car")}
    labels = np.full((count, HEIGHT, WIDTH), index["sky"], np.uint8)
    for k in range(count):
        labels[k][(y > 0.2 + 0.1 * np.sin(6 * x + k)) & (np.abs(x - 0.5) > 0.15)] = index["building"]
        labels[k][(y > 0.35) & (np.abs(x - 0.75) < 0.08)] = index["vegetation"]
        labels[k][y > 0.55] = index["terrain"]
        labels[k][(y > 0.55) & (np.abs(x - 0.5) < 0.5 * (y - 0.45))] = index["road"]
        labels[k][(np.abs(x - 0.35 - 0.08 * k) < 0.06) & (np.abs(y - 0.6) < 0.12)] = index["car"]
        labels[k][-2:] = VOID
    colours = KITTI.colour(labels).astype(int) // 2 + 90
    texture = np.random.default_rng(0).integers(-12, 13, colours.shape)
    return np.clip(colours + texture, 0, 255).astype(np.uint8).transpose(0, 3, 1, 2), labels
