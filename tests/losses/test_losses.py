"""Losses against independent computations and hand-made cases."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from depthseg_lib.data.labels import VOID
from depthseg_lib.losses import losses
from depthseg_lib.losses.geometry import warp_by_flow


def images(seed, batch=2, height=10, width=14):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_ssim_is_that_of_scipys_box_filter():
    first, second = images(0), images(1)

    def mean(x):  # 'mirror' repeats no border pixel, as reflect padding
        return uniform_filter(x, size=(1, 1, 3, 3), mode="mirror")

    a, b = first.double().numpy(), second.double().numpy()
    covariance = mean(a * b) - mean(a) * mean(b)
    variances = mean(a * a) - mean(a) ** 2 + mean(b * b) - mean(b) ** 2
    theirs = (2 * mean(a) * mean(b) + 1e-4) * (2 * covariance + 9e-4)
    theirs = theirs / ((mean(a) ** 2 + mean(b) ** 2 + 1e-4) * (variances + 9e-4))
    np.testing.assert_allclose(losses.Photometric(second).ssim(first).numpy(), theirs, atol=2e-4)


def test_photometric_error_of_equal_images_is_zero_and_of_flat_ones_analytic():
    assert losses.Photometric(images(0))(images(0)).abs().max() < 1e-6
    a, b = torch.full((1, 3, 5, 5), 0.2), torch.full((1, 3, 5, 5), 0.6)
    similarity = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    expected = 0.85 * (1 - similarity) / 2 + 0.15 * 0.4
    np.testing.assert_allclose(losses.Photometric(b)(a).numpy(), expected, rtol=1e-4)


def test_minimum_reprojection_takes_the_best_source_and_masks_what_stands_still():
    warped = torch.tensor([[[[0.5, 0.1, 0.4]], [[0.2, 0.3, 0.6]]]], requires_grad=True)
    identity = torch.tensor([[[[0.9, 0.9, 0.3]], [[0.8, 0.7, 0.5]]]])
    loss, kept = losses.minimum_reprojection(warped, identity)
    loss.backward()
    assert loss.item() == pytest.approx((0.2 + 0.1 + 0.3) / 3)
    assert kept.item() == pytest.approx(2 / 3)
    third = 1 / 3
    np.testing.assert_allclose(warped.grad[0, :, 0], [[0, third, 0], [third, 0, 0]])


def test_smoothness_by_hand_and_free_of_scale():
    disparity = torch.tensor([[[[1.0, 3.0], [1.0, 3.0]]]])
    image = torch.zeros(1, 3, 2, 2)
    image[..., 1] = 0.7
    # divided by the mean 2: steps of 1 across x, none down y
    assert losses.smoothness(disparity, image).item() == pytest.approx(np.exp(-0.7), rel=1e-5)
    assert losses.smoothness(5 * disparity, image).item() == pytest.approx(np.exp(-0.7), rel=1e-5)


def test_segmentation_nll_is_the_mean_over_labelled_pixels():
    logits = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 4, (2, 3, 5), generator=torch.Generator().manual_seed(1))
    labels[0, 0] = VOID
    chance = np.exp(logits.double().numpy())
    chance = chance / chance.sum(1, keepdims=True)
    known = labels.numpy() != VOID
    picked = np.take_along_axis(chance, np.where(known, labels.numpy(), 0)[:, None], 1)[:, 0]
    assert losses.segmentation_nll(logits, labels).item() == pytest.approx(-np.log(picked[known]).mean(), rel=1e-5)


def test_segmentation_nll_without_labels_is_zero_not_nan():
    assert losses.segmentation_nll(torch.randn(1, 3, 2, 2), torch.full((1, 2, 2), VOID)).item() == 0


def test_masked_l1_by_hand_and_blind_where_nothing_was_measured():
    truth = torch.tensor([[2.0, 0.0, 5.0], [0.0, 1.0, 0.0]])
    prediction = torch.tensor([[3.0, 9.0, 4.5], [7.0, 1.0, -3.0]], requires_grad=True)
    loss = losses.masked_l1(prediction, truth)
    loss.backward()
    assert loss.item() == pytest.approx((1 + 0.5 + 0) / 3)
    np.testing.assert_allclose(prediction.grad, [[1 / 3, 0, -1 / 3], [0, 0, 0]], rtol=1e-6)
    assert losses.masked_l1(prediction, 0 * truth).item() == 0


def test_masked_l1_has_the_gradient_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 1, 3, 4, generator=generator, dtype=torch.float64) * (torch.arange(4) > 0)
    prediction = truth + 0.1 + torch.rand(truth.shape, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: losses.masked_l1(p, truth), prediction.requires_grad_())


def test_flow_photometric_of_flat_images_is_analytic():
    a, b = torch.full((1, 3, 5, 5), 0.2), torch.full((1, 3, 5, 5), 0.6)
    similarity = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    expected = 0.15 * 0.4 + 0.15 * (1 - similarity)
    assert losses.flow_photometric(losses.Photometric(b), a).item() == pytest.approx(expected, rel=1e-4)
    assert losses.flow_photometric(losses.Photometric(b), b).item() == pytest.approx(0, abs=1e-6)


def test_edge_aware_smoothness_sums_components_by_hand():
    flow = torch.tensor([[[[0.0, 2.0], [0.0, 2.0]], [[1.0, 1.0], [4.0, 4.0]]]])
    image = torch.zeros(1, 3, 2, 2)
    image[:, 0, :, 1] = 0.9  # a step of 0.3 in the mean over colours, across only
    assert losses.edge_aware(flow, image).item() == pytest.approx(2 * np.exp(-0.3) + 3, rel=1e-6)


def test_the_flows_losses_have_the_gradient_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 1, 3, 5, 6, generator=generator, dtype=torch.float64)
    flow = (0.25 + 0.5 * torch.rand(1, 2, 5, 6, generator=generator, dtype=torch.float64)).requires_grad_()

    def loss(flow):
        view = warp_by_flow(second, flow)
        return losses.flow_photometric(losses.Photometric(first), view) + losses.edge_aware(flow, first)

    assert torch.autograd.gradcheck(loss, flow)
