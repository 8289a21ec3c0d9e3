"""Scores of activations, and the networks and images that they are of."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import planted
from helpers.small import finetuning

from depthseg_lib.analysis.measurements import grad_cam, networks
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.data.sources import load_annotated
from depthseg_lib.training import finetune


def test_boundary_scores_are_means_over_images():
    full = planted.laptop().select(setting="full", images=16)
    active = planted.activations(full)
    scores = active.scores.copy()
    here = (scores["name"] == scores["name"].iloc[0]) & (scores["layer"] == "stem")
    scores.loc[here, "energy"], scores.loc[here, "area"] = [0.2, 0.4, np.nan, 0.1, 0.9], [0.1, 0.4, 0.5, 0.2, np.nan]
    row = replace(active, scores=scores).boundary_scores().iloc[0]
    assert row["ratio"] == pytest.approx((2 + 1 + 0.5) / 3) and row["scored"] == 3
    assert row["highest"] == pytest.approx((10 + 2.5 + 2 + 5) / 4) and row["edges"] == pytest.approx(0.6 * 19.5 / 4)


def test_the_network_of_a_run_is_the_one_that_predicted(tmp_path):
    config = finetuning(iterations=2)
    run = finetune.run(config, tmp_path, lambda _: None)
    network = networks.network_of(config, tmp_path / "weights.safetensors", 19)
    shown = load_annotated(config, config.images)[1].images[run.shown]
    images = torch.from_numpy(shown).float() / 255
    with torch.no_grad():
        again = network(images).argmax(1).numpy()
    assert (again == run.predictions).mean() > 0.999  # sums in another order may tip a pixel


def test_scenes_are_the_last_images_with_void_left_out():
    labels = np.zeros((80, 64, 96), np.uint8)
    labels[:, :, 48:] = 1
    labels[:, 60:] = VOID
    labels[-1] = 4  # no border at all
    seen = grad_cam.scenes(Labelled(np.zeros((80, 3, 64, 96), np.uint8), labels, KITTI, tuple(map(str, range(80)))))
    assert seen.names[0] == "8" and len(seen.images) == 72
    assert seen.area[0] == pytest.approx(6 * 60 / (96 * 60)) and np.isnan(seen.area[-1])
    assert np.isnan(grad_cam.edge_shares(seen)).all()  # black images have no gradient
