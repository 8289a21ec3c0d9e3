"""The study's figures, one function each: data frame in, matplotlib Figure out; nothing is computed but the drawing."""

from depthseg_lib.plots.activation_maps import activations, boundary_scores
from depthseg_lib.plots.against import resize_factor, training_size
from depthseg_lib.plots.diagrams import question, setups
from depthseg_lib.plots.forest import claims
from depthseg_lib.plots.learning_curves import curves, finetuning_curves, frozen, pretraining_curves
from depthseg_lib.plots.object_sizes import scale_mismatch
from depthseg_lib.plots.pictures import contact_sheet, predictions
from depthseg_lib.plots.pretrained import depth_examples, flow_examples
from depthseg_lib.plots.resolutions import cross_resolution
from depthseg_lib.plots.tables import census, table1
from depthseg_lib.plots.trajectories import class_curves, miou_vs_accuracy

__all__ = [
    "activations",
    "boundary_scores",
    "census",
    "claims",
    "class_curves",
    "contact_sheet",
    "cross_resolution",
    "curves",
    "depth_examples",
    "finetuning_curves",
    "flow_examples",
    "frozen",
    "miou_vs_accuracy",
    "predictions",
    "pretraining_curves",
    "question",
    "resize_factor",
    "scale_mismatch",
    "setups",
    "table1",
    "training_size",
]
