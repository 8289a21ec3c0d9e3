"""One check for all encoders, and what each network promises."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models import resnet50
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation import deeplabv3_resnet50
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from depthseg_lib.errors import InputError
from depthseg_lib.losses.geometry import transform_matrix
from depthseg_lib.models.decoder import Decoder, DisparityHeads
from depthseg_lib.models.encoder import Encoder
from depthseg_lib.models.networks import (
    Classifier,
    DeepLab,
    DepthNetwork,
    FlowNetwork,
    PoseNetwork,
    SegmentationNetwork,
)
from depthseg_lib.models.weights import load_weights, save_weights, transfer
from depthseg_lib.settings import ENCODERS


def parameters(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


PLAIN = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/plain.py"))
SLIM = "resnet18-slim"
SCALES = [(64, 96), (32, 48), (16, 24), (8, 12)]
NETWORKS = {
    "depth": (lambda: DepthNetwork(SLIM), 1, [(2, 1, *size) for size in SCALES]),
    "pose": (lambda: PoseNetwork(SLIM), 2, [(2, 3), (2, 3)]),
    "flow": (lambda: FlowNetwork(SLIM), 2, [(2, 2, *size) for size in SCALES]),
    "classification": (lambda: Classifier(SLIM, 7), 1, [(2, 7)]),
    "segmentation": (lambda: SegmentationNetwork(SLIM, 19), 1, [(2, 19, 64, 96)]),
    "deeplab": (lambda: DeepLab(SLIM, 19), 1, [(2, 19, 64, 96)]),
}
"""How each network is made, the images that it takes, and the shapes that it gives for two of 64x96."""


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder_gives_five_maps_of_its_channels_and_learns_from_all(name):
    encoder = Encoder(name)
    maps = encoder(torch.rand(2, 3, 64, 96))
    assert [m.shape[1] for m in maps] == list(encoder.channels)
    assert [tuple(m.shape[2:]) for m in maps] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    maps[-1].square().mean().backward()
    assert all(p.grad.abs().max() > 0 for p in encoder.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_its_shapes_learns_everywhere_and_comes_back_from_a_file(name, tmp_path):
    make, images, shapes = NETWORKS[name]
    torch.manual_seed(3)
    network = make()
    outputs = network(*torch.rand(images, 2, 3, 64, 96))
    outputs = [outputs] if torch.is_tensor(outputs) else outputs
    assert [tuple(output.shape) for output in outputs] == shapes
    assert all(output.dtype == torch.float32 for output in outputs)
    sum((output - 0.3).square().mean() for output in outputs).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

    save_weights(network, tmp_path / "w.safetensors", encoder=SLIM, initialisation=name)
    state = load_weights(tmp_path / "w.safetensors", SLIM, name)
    assert state.keys() == network.state_dict().keys()
    torch.manual_seed(3)
    other = make()
    fresh = {n: p.detach().clone() for n, p in other.named_parameters()}
    assert all(torch.equal(fresh[n], p) for n, p in network.named_parameters())  # a seed draws the same
    taken = transfer(state, other, "a file")
    assert not taken.fresh and not taken.dropped
    assert all(torch.equal(other.state_dict()[n], t) for n, t in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "build"), [("resnet18", torchvision.models.resnet18), ("resnet50", torchvision.models.resnet50)]
)
def test_encoder_computes_what_torchvisions_resnet_computes(name, build):
    theirs = build(weights=None).eval()
    ours = Encoder(name, normalisation="imagenet").eval()
    ours.resnet.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})
    image = torch.rand(1, 3, 64, 64)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (image - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    logits = theirs.fc(ours(image)[-1].mean((2, 3)))
    torch.testing.assert_close(logits, theirs(normalised), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "count"), [("resnet18", 3_152_724), ("resnet50", 9_014_100)])
def test_decoder_has_monodepth2s_parameters(name, count):
    channels = Encoder(name).channels
    assert parameters(Decoder(channels), DisparityHeads()) == count


def test_decoder_is_that_of_up_sampled_joined_and_reflected_maps():
    """Its filters work on the small maps: the same numbers, and gradients, as the layers' on the large ones."""
    torch.manual_seed(0)
    channels = Encoder(SLIM).channels
    ours, plain = Decoder(channels).double(), PLAIN["PlainDecoder"](channels).double()
    plain.load_state_dict(ours.state_dict())
    sizes = [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    maps = [torch.randn(2, c, *s, dtype=torch.float64).requires_grad_() for c, s in zip(channels, sizes, strict=True)]
    found, expected = ours(maps), plain(maps)
    torch.testing.assert_close(found, expected)
    gradients = [
        torch.autograd.grad(sum(level.square().sum() for level in levels), [*network.parameters(), *maps])
        for network, levels in ((ours, found), (plain, expected))
    ]
    torch.testing.assert_close(*gradients)


def test_unknown_encoder_and_odd_image_size_are_named():
    with pytest.raises(InputError, match="unknown encoder 'resnet19'.*resnet18"):
        Encoder("resnet19")
    with pytest.raises(InputError, match="100x96.*multiples of 32"):
        Encoder(SLIM)(torch.rand(1, 3, 100, 96))


def test_depth_is_a_sigmoid_and_motion_and_flow_start_at_rest():
    first, second = torch.rand(2, 2, 3, 64, 96)
    assert all((o > 0).all() and (o < 1).all() for o in DepthNetwork(SLIM)(first))
    assert not any(flow.any() for flow in FlowNetwork(SLIM)(first, second))
    for motion in PoseNetwork(SLIM).transforms(torch.stack([first, second, first], 1)):
        assert torch.equal(motion, torch.eye(4).expand(2, 4, 4))


def test_pose_network_sees_frames_in_time_order_and_inverts_for_the_earlier():
    pose = PoseNetwork(SLIM).eval()
    torch.nn.init.normal_(pose.head.weight)
    frames = torch.rand(2, 3, 3, 64, 96)
    backward, forward = pose.transforms(frames)
    # the motion from the middle frame back is the inverse of the motion from the previous frame to the middle
    reversed_roles = pose.transforms(torch.stack([frames[:, 1], frames[:, 0], frames[:, 1]], 1))[1]
    product = backward @ reversed_roles
    torch.testing.assert_close(product, torch.eye(4).expand(2, 4, 4), atol=1e-5, rtol=0)
    assert not torch.allclose(backward, forward)


def test_motions_are_float32_while_the_network_runs_in_half_precision():
    pose, frames = PoseNetwork(SLIM).eval(), torch.rand(2, 3, 3, 64, 96)
    torch.nn.init.normal_(pose.head.weight)
    with torch.autocast("cpu", torch.bfloat16):
        backward, forward = pose.transforms(frames)
        motions = pose(frames[:, 0], frames[:, 1])
    exact = transform_matrix(*(m.double() for m in motions), invert=True)
    assert backward.dtype == forward.dtype == torch.float32
    torch.testing.assert_close(backward.double(), exact, rtol=1e-5, atol=1e-6)


def test_wide_stem_of_equal_frames_sees_what_the_narrow_one_sees():
    one, two = Encoder(SLIM).eval(), Encoder(SLIM, images=2).eval()
    two.load_single_image_stem(one.resnet.conv1.weight.detach())
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(two(torch.cat([image, image], 1))[0], one(image)[0], rtol=1e-4, atol=1e-5)


def test_segmentation_keeps_the_depth_networks_names_but_for_the_head():
    depth, segmentation = DepthNetwork(SLIM), SegmentationNetwork(SLIM, 19)
    shared = set(depth.state_dict()) & set(segmentation.state_dict())
    assert {n.split(".")[0] for n in set(depth.state_dict()) - shared} == {"heads"}
    assert {n.split(".")[0] for n in set(segmentation.state_dict()) - shared} == {"head"}


def test_same_seed_gives_the_same_fresh_decoder_whatever_the_normalisation():
    torch.manual_seed(3)
    first = SegmentationNetwork(SLIM, 5, "depth").state_dict()
    torch.manual_seed(3)
    second = SegmentationNetwork(SLIM, 5, "imagenet").state_dict()
    assert all(np.array_equal(first[n], second[n]) for n in first)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_deeplab_is_torchvisions_on_resnet50(output_stride):
    torch.manual_seed(0)
    ours = DeepLab("resnet50", 19, output_stride=output_stride).eval()
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=19).eval()
    if output_stride == 16:
        dilated = resnet50(replace_stride_with_dilation=[False, False, True])
        theirs.backbone = IntermediateLayerGetter(dilated, {"layer4": "out"}).eval()
        theirs.classifier = DeepLabHead(2048, 19, [6, 12, 18]).eval()
    names = {"encoder.resnet.": "backbone.", "head.": "classifier."}
    state = ours.state_dict()
    for old, new in names.items():
        state = {name.replace(old, new, 1) if name.startswith(old) else name: t for name, t in state.items()}
    theirs.load_state_dict(state)  # every name and shape
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        normalised = (images - ours.encoder.mean) / ours.encoder.deviation
        torch.testing.assert_close(ours(images), theirs(normalised)["out"])


@pytest.mark.parametrize("encoder", [SLIM, "resnet18"])
def test_deeplab_keeps_an_eighth_of_the_resolution(encoder):
    network = DeepLab(encoder, 5).eval()
    with torch.no_grad():
        maps = network.encoder(torch.rand(1, 3, 64, 96))
        assert [tuple(m.shape[-2:]) for m in maps[2:]] == [(8, 12)] * 3
        assert network(torch.rand(2, 3, 64, 96)).shape == (2, 5, 64, 96)
    names = {name: tensor.shape for name, tensor in network.encoder.state_dict().items()}
    assert names == {name: tensor.shape for name, tensor in Encoder(encoder).state_dict().items()}


def test_flow_network_is_siamese_and_a_unit_of_its_heads_is_a_twentieth_of_the_image():
    network = FlowNetwork(SLIM).eval()
    seen = []
    network.flow_decoder.register_forward_hook(lambda module, features, maps: seen.append(features[0]))
    first, second = torch.rand(2, 1, 3, 64, 96)
    network(first, second), network(second, first)
    for there, back, alone in zip(*seen, network.encoder(first), strict=True):
        width = there.shape[1] // 2
        torch.testing.assert_close(there[:, :width], alone, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(there, back.roll(width, dims=1))  # frames exchanged, features exchanged
    for head in network.flow_heads:
        torch.nn.init.ones_(head.bias)
    for flow in network(first, second):
        torch.testing.assert_close(flow[0, :, 0, 0], torch.tensor([95 / 20, 63 / 20]))
