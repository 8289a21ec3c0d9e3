"""Grad-CAM through the library against the equations: in plain autograd, and by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from depthseg_lib.analysis.measurements.grad_cam import LAYERS, grad_cam, layer_modules, predicted_score
from depthseg_lib.errors import InputError
from depthseg_lib.models.networks import SegmentationNetwork


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


def cams(network, images, names=LAYERS):
    return grad_cam(network, layer_modules(network.encoder, names), images)


def test_maps_are_those_of_plain_autograd(network, images):
    found, expected = cams(network, images), plain(network, images)
    assert list(found) == list(LAYERS)
    assert [found[name].shape for name in LAYERS] == [(2, 64 >> s, 96 >> s) for s in range(1, 6)]
    for name in LAYERS:
        assert found[name].max() > 0 and found[name].min() >= 0
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5 * expected[name].max())


def test_every_image_of_a_batch_is_explained_as_if_it_were_alone(network, images):
    together = cams(network, images, ("stem",))["stem"]
    for image, expected in zip(images, together, strict=True):
        alone = cams(network, image[None], ("stem",))["stem"][0]
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


def test_an_unknown_layer_is_named(network):
    with pytest.raises(InputError, match="unknown layer 'layer9': expected one of stem, layer1"):
        layer_modules(network.encoder, ("layer9",))


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
    expected, half = cams(network, images, ("stem",))["stem"], cams(network.bfloat16(), images, ("stem",))["stem"]
    assert half.dtype == np.float32 and half.shape == expected.shape
    alike = np.corrcoef(half.ravel(), expected.ravel())[0, 1]
    assert alike > 0.9, alike
