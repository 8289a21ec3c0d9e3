"""Depth and flow errors against hand-computed cases."""

import numpy as np
import pytest
import torch

from depthseg_lib.losses import evaluation


def test_depth_errors_by_hand_after_median_scaling():
    truth = torch.tensor([[[2.0, 4.0, 8.0, 0.0]]])
    prediction = torch.tensor([[[1.0, 2.0, 8.0, 5.0]]])  # median 2 of the valid three: scaled by 2 to 2, 4, 16
    found = evaluation.depth_errors(prediction, truth)
    assert found == pytest.approx({"abs_rel": 1 / 3, "rmse": np.sqrt(64 / 3), "a1": 2 / 3})


def test_depth_errors_do_not_change_with_scale_and_skip_images_without_truth():
    generator = torch.Generator().manual_seed(1)
    truth = 1 + 20 * torch.rand(2, 8, 9, generator=generator)
    prediction = truth * (1 + 0.2 * torch.rand(truth.shape, generator=generator))
    found = evaluation.depth_errors(prediction, truth)
    with_empty = evaluation.depth_errors(torch.cat([3 * prediction, prediction[:1]]), torch.cat([truth, 0 * truth[:1]]))
    assert with_empty == pytest.approx(found, rel=1e-5)
    assert all(np.isnan(v) for v in evaluation.depth_errors(prediction, 0 * truth).values())


def test_the_median_of_an_even_count_is_the_mean_of_the_middle_two():
    truth, prediction = torch.tensor([[2.0, 4.0, 8.0, 20.0, 0.0]]), torch.tensor([[1.0, 1.0, 2.0, 9.0, 7.0]])
    assert torch.equal(evaluation.median_scaled(prediction, truth), prediction * (6.0 / 1.5))


def test_depth_errors_of_metric_depth_by_hand():
    truth, prediction = torch.tensor([[[2.0, 4.0, 8.0, 0.0]]]), torch.tensor([[[1.0, 4.0, 9.0, 5.0]]])
    found = evaluation.depth_errors(prediction, truth, scaled=False)
    assert found == pytest.approx({"abs_rel": (0.5 + 0 + 0.125) / 3, "rmse": np.sqrt(2 / 3), "a1": 2 / 3})


def test_end_point_error_by_hand_over_valid_pixels():
    truth, flow = torch.zeros(1, 2, 1, 3), torch.zeros(1, 2, 1, 3)
    flow[0, :, 0] = torch.tensor([[3.0, 0.0, 50.0], [4.0, 1.0, 0.0]])
    valid = torch.tensor([[[True, True, False]]])
    assert evaluation.end_point_error(flow, truth, valid) == pytest.approx((5 + 1) / 2)
    assert np.isnan(evaluation.end_point_error(flow, truth, ~valid & False))


def test_a_pixel_stays_inside_up_to_the_centres_of_the_border():
    flow = torch.zeros(1, 2, 2, 3)
    flow[0, 0] = torch.tensor([[2.0, 1.1, -2.0], [-0.1, 0.0, 0.0]])
    flow[0, 1, 1] = torch.tensor([0.0, 0.1, -1.0])
    assert evaluation.stays_inside(flow)[0].tolist() == [[True, False, True], [False, False, True]]
