"""Grad-CAM against its equations, in plain autograd and by hand; the boundary score against hand-computed cases."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import planted
from torch import nn

from depthseg_lib.analysis.measurements.activations import (
    border_band,
    border_reach,
    energy_share,
    enlarged,
    image_gradient,
    label_borders,
)
from depthseg_lib.analysis.measurements.grad_cam import (
    LAYERS,
    border_bands,
    grad_cam,
    image_shares,
    layer_modules,
    predicted_score,
)
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.errors import InputError
from depthseg_lib.models.networks import SegmentationNetwork

HALVES = np.repeat(np.array([[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]], np.uint8), 6, axis=0)
"""Two labels side by side, 6 rows of 10 pixels."""


def columns(mask) -> list[int]:
    assert (mask == mask[0]).all()  # every row alike
    return np.flatnonzero(mask[0]).tolist()


def test_both_sides_of_a_border_are_border_pixels():
    assert columns(label_borders(HALVES)) == [4, 5]
    corner = np.zeros((3, 3), np.uint8)
    corner[1, 1] = 1
    assert label_borders(corner).tolist() == [[False, True, False], [True, True, True], [False, True, False]]


def test_the_band_reaches_as_far_as_asked():
    assert columns(border_band(HALVES, 0)) == [4, 5]
    assert columns(border_band(HALVES, 2)) == [2, 3, 4, 5, 6, 7]
    corner = np.zeros((5, 5), np.uint8)
    corner[0, 0] = 1  # border pixels (0,0), (0,1), (1,0); (1,1) is at distance 1, (2,2) at the root of 5
    assert border_band(corner, 1).sum() == 6 and not border_band(corner, 2)[2, 2] and border_band(corner, 2.3)[2, 2]
    assert not border_band(np.zeros((4, 4), np.uint8), 2).any()


def test_void_is_no_label_and_in_no_band():
    labels = HALVES.copy()
    labels[:, 5:7] = VOID  # between the two labels: no border is left
    assert not label_borders(labels).any() and not border_band(labels, 2).any()
    labels[:, 5:7] = (1, VOID)
    assert columns(border_band(labels, 2)) == [2, 3, 4, 5, 7]


def test_the_reach_grows_with_the_image():
    assert (border_reach(64), border_reach(192)) == (2, 6)


def test_share_of_a_uniform_map_is_that_of_the_area():
    labelled = np.ones(HALVES.shape, bool)
    band = border_band(HALVES, 1)
    assert band.mean() == 0.4
    assert energy_share(np.full(HALVES.shape, 0.3), band, labelled) / 0.4 == pytest.approx(1)


def test_a_map_on_the_border_alone_has_all_its_energy_there():
    labelled = np.ones(HALVES.shape, bool)
    band = border_band(HALVES, 1)
    assert energy_share(label_borders(HALVES) * 5.0, band, labelled) / band.mean() == pytest.approx(1 / 0.4)
    assert energy_share(1.0 * ~band, band, labelled) == 0


def test_by_hand_with_void():
    labels = HALVES.copy()
    labels[:, 9] = VOID
    energy = np.tile(np.arange(10.0), (6, 1))  # labelled columns 0..8 hold 36 a row, the band's 3..6 hold 18
    share = energy_share(energy, border_band(labels, 1), labels != VOID)
    assert share == pytest.approx(18 / 36)


def test_an_empty_map_has_no_share():
    assert np.isnan(energy_share(np.zeros((6, 10)), border_band(HALVES, 1), np.ones((6, 10), bool)))


@pytest.mark.parametrize("energy", [np.zeros((3, 5)), np.full((6, 10), -1.0)])
def test_other_sizes_and_negative_energy_are_refused(energy):
    with pytest.raises(InputError, match="expected one of shape \\(6, 10\\) without negative values"):
        energy_share(energy, border_band(HALVES, 1), np.ones((6, 10), bool))


def test_enlarging_is_linear_between_pixel_centres():
    ramp = enlarged(np.array([[0.0, 4.0]]), 2, 8)
    assert ramp.dtype == np.float32 and np.allclose(ramp, [[0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]] * 2)


def test_the_gradient_of_an_image_lies_on_its_edge():
    image = np.zeros((3, 64, 96), np.uint8)
    image[:, :, 48:] = 255
    strength = image_gradient(image)
    assert columns(strength > 0.9 * strength.max()) == [47, 48]
    assert image_gradient(np.full((3, 64, 96), 200, np.uint8)).max() == pytest.approx(0, abs=1e-6)


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = SegmentationNetwork("resnet18-slim", 7)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics as after training, so that no two channels are alike
            module.running_mean.normal_(0, 0.1), module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture
def images():
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def plain(network, images) -> dict[str, np.ndarray]:
    """The same maps by the equations of Grad-CAM, from gradients of the encoder's maps themselves."""
    features = network.encoder(images.clone().requires_grad_())
    logits = network.decode(features)
    chosen = logits.argmax(1, keepdim=True)
    gradients = torch.autograd.grad(logits.gather(1, chosen).sum(), features)
    weights = [gradient.mean((2, 3), keepdim=True) for gradient in gradients]
    maps = [torch.relu((w * f).sum(1)).detach().numpy() for w, f in zip(weights, features, strict=True)]
    return dict(zip(LAYERS, maps, strict=True))


def cams(network, images):
    return grad_cam(network, layer_modules(network.encoder), images)


def test_maps_are_those_of_plain_autograd(network, images):
    found, expected = cams(network, images), plain(network, images)
    assert list(found) == list(LAYERS)
    assert [found[name].shape for name in LAYERS] == [(2, 64 >> s, 96 >> s) for s in range(1, 6)]
    for name in LAYERS:
        assert found[name].max() > 0 and found[name].min() >= 0
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5 * expected[name].max())


def test_every_image_of_a_batch_is_explained_as_if_it_were_alone(network, images):
    together = cams(network, images)["stem"]
    for image, expected in zip(images, together, strict=True):
        alone = cams(network, image[None])["stem"][0]
        np.testing.assert_allclose(alone, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_a_frozen_encoder_is_explained_all_the_same(network, images):
    expected = cams(network, images)
    network.encoder.requires_grad_(False)
    found = cams(network, images)
    assert all(np.array_equal(found[name], expected[name]) for name in LAYERS)
    assert not any(p.requires_grad for p in network.encoder.parameters())


class Pixelwise(nn.Module):
    """Three channels of an image, a ReLU, and scores that are a sum over channels: small enough to do by hand."""

    def __init__(self, weights):
        super().__init__()
        self.relu, self.head = nn.ReLU(), nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor(weights)[:, :, None, None])
            self.head.bias.zero_()

    def forward(self, images):
        return self.head(self.relu(images))


def test_by_hand_where_one_label_wins_everywhere():
    """The gradient is the winner's weights at every pixel, so the map is the ReLU of the winner's own score."""
    network = Pixelwise([[1.0, 2.0, -1.0], [-9.0, -9.0, -9.0]])
    image = torch.tensor([[[[1.0, 0.0]], [[0.0, 2.0]], [[0.5, 5.0]]]])
    assert cam_of(network, image).tolist() == [[[0.5, 0.0]]]  # 1 - 0.5, and 4 - 5 cut off


def test_by_hand_where_labels_share_the_image():
    """Three pixels of the first label, one of the second: each channel's weight is the mean over the four."""
    network = Pixelwise([[1.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    image = torch.tensor([[[[1.0, 2.0, 3.0, 0.0]], [[0.0, 0.0, 0.5, 1.0]], [[7.0, 7.0, 7.0, 7.0]]]])
    assert cam_of(network, image).tolist() == [[[0.75, 1.5, 2.75, 1.0]]]  # 0.75 * first + 1 * second channel


def cam_of(network, image):
    return grad_cam(network, {"relu": network.relu}, image)["relu"]


def test_the_target_is_the_sum_of_the_highest_scores():
    logits = torch.tensor([[[1.0, -2.0]], [[0.0, -1.0]]], requires_grad=True)
    score = predicted_score(logits)
    score.backward()
    assert score.item() == 0 and logits.grad.tolist() == [[[1, 0]], [[0, 1]]]


def test_the_network_is_left_as_it_was(network, images):
    network.train()
    network.encoder.eval().requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    cams(network, images)
    assert network.training and not network.encoder.training and network.decoder.training
    assert not any(p.requires_grad for p in network.encoder.parameters())
    assert all(p.requires_grad for p in network.decoder.parameters())
    assert all(p.grad is None for p in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not images.requires_grad


def test_hooks_go_even_when_the_network_fails(network):
    with pytest.raises(InputError, match="multiples of 32"):
        cams(network, torch.rand(1, 3, 50, 96))
    assert not any(module._forward_hooks for module in network.modules())


def test_boundary_scores_are_means_over_images():
    full = planted.laptop().select(setting="full", images=16)
    active = planted.activations(full)
    scores = active.scores.copy()
    here = (scores["name"] == scores["name"].iloc[0]) & (scores["layer"] == "stem")
    scores.loc[here, "energy"], scores.loc[here, "area"] = [0.2, 0.4, np.nan, 0.1, 0.9], [0.1, 0.4, 0.5, 0.2, np.nan]
    row = replace(active, scores=scores).boundary_scores().iloc[0]
    assert row["ratio"] == pytest.approx((2 + 1 + 0.5) / 3) and row["scored"] == 3
    assert row["highest"] == pytest.approx((10 + 2.5 + 2 + 5) / 4) and row["edges"] == pytest.approx(0.6 * 19.5 / 4)


def test_scenes_are_the_last_images_with_void_left_out():
    labels = np.zeros((80, 64, 96), np.uint8)
    labels[:, :, 48:] = 1
    labels[:, 60:] = VOID
    labels[-1] = 4  # no border at all
    images = np.zeros((80, 3, 64, 96), np.uint8)
    seen = Labelled(images, labels, KITTI, tuple(map(str, range(80)))).subset(np.arange(8, 80))
    found = image_shares(seen, border_bands(seen))
    assert found["area"][0] == pytest.approx(6 * 60 / (96 * 60)) and np.isnan(found["area"][-1])
    assert np.isnan(found["edges"]).all()  # black images have no gradient


@pytest.mark.parametrize(
    "context",
    [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)],
    ids=["no_grad", "inference_mode", "autocast"],
)
def test_what_the_caller_switched_off_changes_no_map(context, network, images):
    expected = cams(network, images)
    with context():
        found = cams(network, images * 1.0)
    for name in LAYERS:
        np.testing.assert_array_equal(found[name], expected[name])


def test_a_network_in_bfloat16_gives_the_maps_of_its_own_arithmetic(network, images):
    expected, half = cams(network, images)["stem"], cams(network.bfloat16(), images)["stem"]
    assert half.dtype == np.float32 and half.shape == expected.shape
    alike = np.corrcoef(half.ravel(), expected.ravel())[0, 1]
    assert alike > 0.9, alike
