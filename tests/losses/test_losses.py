"""Losses against independent computations and hand-made cases."""

import numpy as np
import pytest
import torch

from depthseg_lib.data.labels import VOID
from depthseg_lib.losses import losses
from depthseg_lib.losses.geometry import warp_by_flow
from depthseg_lib.losses.photometric import Photometric


def images(seed, batch=2, height=10, width=14):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


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
        error = Photometric(first, 0.15, 0.15)
        return error.least([warp_by_flow(second, flow)])[0] + losses.edge_aware(flow, first)

    assert torch.autograd.gradcheck(loss, flow)
