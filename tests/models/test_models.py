"""One check for all encoders, and what each network promises."""

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models.segmentation import deeplabv3_resnet50

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
from depthseg_lib.settings import ENCODERS


def parameters(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder_gives_five_maps_of_its_channels(name):
    encoder = Encoder(name).eval()
    maps = encoder(torch.rand(1, 3, 64, 96))
    assert [m.shape[1] for m in maps] == list(encoder.channels)
    assert [tuple(m.shape[2:]) for m in maps] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]


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


def test_unknown_encoder_and_odd_image_size_are_named():
    with pytest.raises(InputError, match="unknown encoder 'resnet19'.*resnet18"):
        Encoder("resnet19")
    with pytest.raises(InputError, match="100x96.*multiples of 32"):
        Encoder("resnet18-slim")(torch.rand(1, 3, 100, 96))


def test_depth_network_gives_four_scales_of_sigmoids():
    outputs = DepthNetwork("resnet18-slim")(torch.rand(2, 3, 64, 96))
    assert [tuple(o.shape) for o in outputs] == [(2, 1, 64, 96), (2, 1, 32, 48), (2, 1, 16, 24), (2, 1, 8, 12)]
    assert all((o > 0).all() and (o < 1).all() for o in outputs)


def test_pose_network_sees_frames_in_time_order_and_inverts_for_the_earlier():
    pose = PoseNetwork("resnet18-slim").eval()
    torch.nn.init.normal_(pose.head.weight)
    frames = torch.rand(2, 3, 3, 64, 96)
    backward, forward = pose.transforms(frames)
    # the motion from the middle frame back is the inverse of the motion from the previous frame to the middle
    reversed_roles = pose.transforms(torch.stack([frames[:, 1], frames[:, 0], frames[:, 1]], 1))[1]
    product = backward @ reversed_roles
    torch.testing.assert_close(product, torch.eye(4).expand(2, 4, 4), atol=1e-5, rtol=0)
    assert not torch.allclose(backward, forward)


def test_motions_are_float32_while_the_network_runs_in_half_precision():
    pose, frames = PoseNetwork("resnet18-slim").eval(), torch.rand(2, 3, 3, 64, 96)
    torch.nn.init.normal_(pose.head.weight)
    with torch.autocast("cpu", torch.bfloat16):
        backward, forward = pose.transforms(frames)
        motions = pose(frames[:, 0], frames[:, 1])
    exact = transform_matrix(*(m.double() for m in motions), invert=True)
    assert backward.dtype == forward.dtype == torch.float32
    torch.testing.assert_close(backward.double(), exact, rtol=1e-5, atol=1e-6)


def test_pose_network_starts_at_a_standstill():
    for motion in PoseNetwork("resnet18-slim").transforms(torch.rand(2, 3, 3, 64, 96)):
        assert torch.equal(motion, torch.eye(4).expand(2, 4, 4))


def test_wide_stem_of_equal_frames_sees_what_the_narrow_one_sees():
    one, two = Encoder("resnet18-slim").eval(), Encoder("resnet18-slim", images=2).eval()
    two.load_single_image_stem(one.resnet.conv1.weight.detach())
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(two(torch.cat([image, image], 1))[0], one(image)[0], rtol=1e-4, atol=1e-5)


def test_segmentation_and_classification_outputs():
    assert SegmentationNetwork("resnet18-slim", 19)(torch.rand(2, 3, 64, 96)).shape == (2, 19, 64, 96)
    assert Classifier("resnet18-slim", 7)(torch.rand(2, 3, 64, 64)).shape == (2, 7)


def test_segmentation_keeps_the_depth_networks_names_but_for_the_head():
    depth, segmentation = DepthNetwork("resnet18-slim"), SegmentationNetwork("resnet18-slim", 19)
    shared = set(depth.state_dict()) & set(segmentation.state_dict())
    assert {n.split(".")[0] for n in set(depth.state_dict()) - shared} == {"heads"}
    assert {n.split(".")[0] for n in set(segmentation.state_dict()) - shared} == {"head"}


def test_same_seed_gives_the_same_fresh_decoder_whatever_the_normalisation():
    torch.manual_seed(3)
    first = SegmentationNetwork("resnet18-slim", 5, "depth").state_dict()
    torch.manual_seed(3)
    second = SegmentationNetwork("resnet18-slim", 5, "imagenet").state_dict()
    assert all(np.array_equal(first[n], second[n]) for n in first)


def test_deeplab_is_torchvisions_on_resnet50():
    torch.manual_seed(0)
    ours = DeepLab("resnet50", 19).eval()
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=19).eval()
    names = {"encoder.resnet.": "backbone.", "head.": "classifier."}
    state = ours.state_dict()
    for old, new in names.items():
        state = {name.replace(old, new, 1) if name.startswith(old) else name: t for name, t in state.items()}
    theirs.load_state_dict(state)  # every name and shape
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        normalised = (images - ours.encoder.mean) / ours.encoder.deviation
        torch.testing.assert_close(ours(images), theirs(normalised)["out"])


@pytest.mark.parametrize("encoder", ["resnet18-slim", "resnet18"])
def test_deeplab_keeps_an_eighth_of_the_resolution(encoder):
    network = DeepLab(encoder, 5).eval()
    with torch.no_grad():
        maps = network.encoder(torch.rand(1, 3, 64, 96))
        assert [tuple(m.shape[-2:]) for m in maps[2:]] == [(8, 12)] * 3
        assert network(torch.rand(2, 3, 64, 96)).shape == (2, 5, 64, 96)
    names = {name: tensor.shape for name, tensor in network.encoder.state_dict().items()}
    assert names == {name: tensor.shape for name, tensor in Encoder(encoder).state_dict().items()}


def test_flow_network_gives_four_scales_that_start_at_rest():
    flows = FlowNetwork("resnet18-slim")(torch.rand(2, 3, 64, 96), torch.rand(2, 3, 64, 96))
    assert [tuple(f.shape) for f in flows] == [(2, 2, 64, 96), (2, 2, 32, 48), (2, 2, 16, 24), (2, 2, 8, 12)]
    assert all((f == 0).all() for f in flows)


def test_flow_network_is_siamese_and_a_unit_of_its_heads_is_a_twentieth_of_the_image():
    network = FlowNetwork("resnet18-slim").eval()
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
