"""What the results of a profile consist of, and how they are stored: all within 5 MiB."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from depthseg_lib.analysis.store import Stored
from depthseg_lib.data.labels import from_mapping

_CENTIMETRES = 100
"""Depth is stored in 16-bit centimetres: 0.01 to 655 m, 0 for no depth."""


@dataclass(frozen=True)
class Examples:
    """Validation images with truth and predictions."""

    indices: tuple[int, ...]
    """Their places in the annotated set."""
    images: np.ndarray
    """(K, 3, H, W) uint8 RGB."""
    truth: np.ndarray
    """(K, H, W) uint8 class indices, 255 for void."""
    predictions: dict[str, np.ndarray]
    """(K, H, W) uint8 class indices by run name."""


@dataclass(frozen=True)
class DepthExamples:
    """Frames with true and predicted depth."""

    images: np.ndarray
    """(K, 3, H, W) uint8 RGB."""
    truth: np.ndarray
    """(K, H, W) metres, 0 without truth."""
    prediction: np.ndarray
    """(K, H, W) metres, after median scaling."""


@dataclass(frozen=True)
class FlowExamples:
    """Pairs of frames with predicted and exact flow."""

    images: np.ndarray
    """(K, 2, 3, H, W) uint8 RGB."""
    flow: np.ndarray
    """(K, 2, H, W) pixels, from the first frame to the second."""
    true_flow: np.ndarray | None
    """The same, exact; None where it is not known."""


@dataclass(frozen=True)
class Contents:
    """Everything that the runs of a profile left, as tidy tables and examples."""

    about: dict
    """profile and data_set by name, and label_set as `labels.to_mapping` has it."""
    frames: dict[str, pd.DataFrame]
    """The tables metrics, history, confusion and pretrain, as `Results` describes them."""
    examples: Examples
    depth_examples: dict[str, DepthExamples]
    flow_examples: dict[str, FlowExamples]


def stored(contents: Contents) -> Stored:
    """The contents as they are stored: confusion tables by setting and size, labels in their colours."""
    confusion = contents.frames["confusion"]
    parts = {
        f"confusion-{setting}-n{images}": part.assign(images=np.int16(images), trial=part["trial"].astype(np.int8))
        for (setting, images), part in confusion.groupby(["setting", "images"], observed=True)
    }
    tables = {name: frame for name, frame in contents.frames.items() if name != "confusion"}
    tables |= parts or {"confusion-none": confusion}  # every trial diverged
    examples = contents.examples
    pictures = {"examples": examples.images.transpose(0, 2, 3, 1), "examples_truth": examples.truth}
    pictures |= {f"predictions/{name}": predicted for name, predicted in examples.predictions.items()}
    for name, of in contents.depth_examples.items():
        pictures[f"depth/{name}-image"] = of.images.transpose(0, 2, 3, 1)
        for part, depth in (("truth", of.truth), ("prediction", of.prediction)):
            centimetres = np.clip(np.nan_to_num(depth) * _CENTIMETRES, 0, 65535)
            pictures[f"depth/{name}-{part}"] = centimetres.round().astype(np.uint16)
    flows = {f"flow/{name}": _small(of) for name, of in contents.flow_examples.items()}
    palette = from_mapping(contents.about["label_set"]).colour(np.arange(256, dtype=np.uint8))
    return Stored(contents.about | {"examples": list(examples.indices)}, tables, flows, pictures, palette)


def restored(found: Stored) -> Contents:
    """What `stored` was given."""
    parts = [table for name, table in sorted(found.tables.items()) if name.startswith("confusion-")]
    frames = {name: table for name, table in found.tables.items() if not name.startswith("confusion-")}
    pictures, folders = found.pictures, {"predictions": {}, "depth": {}}
    for name in pictures:
        folder, _, own = name.rpartition("/")
        folders.setdefault(folder, {})[own] = pictures[name]
    images = pictures["examples"].transpose(0, 3, 1, 2)
    examples = Examples(tuple(found.about["examples"]), images, pictures["examples_truth"], folders["predictions"])
    depth = {
        name: DepthExamples(
            folders["depth"][f"{name}-image"].transpose(0, 3, 1, 2),
            *(folders["depth"][f"{name}-{part}"] / _CENTIMETRES for part in ("truth", "prediction")),
        )
        for name in (own.removesuffix("-image") for own in folders["depth"] if own.endswith("-image"))
    }
    flow = {name.removeprefix("flow/"): flow_examples(of) for name, of in found.arrays.items()}
    return Contents(found.about, frames | {"confusion": _joined(parts)}, examples, depth, flow)


def flow_examples(arrays: dict[str, np.ndarray]) -> FlowExamples:
    """The examples that a flow run left in a file, or that are stored."""
    known = arrays["true_flow"].astype(np.float32) if "true_flow" in arrays else None
    return FlowExamples(arrays["images"], arrays["flow"].astype(np.float32), known)


def _small(of: FlowExamples) -> dict[str, np.ndarray]:
    flows = {"flow": of.flow, "true_flow": of.true_flow}
    return {"images": of.images} | {name: f.astype(np.float16) for name, f in flows.items() if f is not None}


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all parts, whose texts are categories of their own."""
    joined = {}
    for name in parts[0].columns:
        columns = [part[name] for part in parts]
        categorical = isinstance(columns[0].dtype, pd.CategoricalDtype)
        joined[name] = pd.api.types.union_categoricals(columns) if categorical else np.concatenate(columns)
    return pd.DataFrame(joined)
