"""The study's figures, one function each: data frame in, matplotlib Figure out; nothing is computed but the drawing."""
# ruff: noqa: F401

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
from depthseg_lib.plots.trials import paired_trials, power
