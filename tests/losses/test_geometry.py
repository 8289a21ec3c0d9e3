"""Geometry against SciPy, float64 and analytic cases."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from depthseg_lib.losses import geometry

INTRINSICS = torch.tensor([[[50.0, 0.0, 23.5], [0.0, 60.0, 15.5], [0.0, 0.0, 1.0]]])


def test_rotation_matrix_is_scipys():
    vectors = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) * 2
    theirs = Rotation.from_rotvec(vectors.double().numpy()).as_matrix()
    np.testing.assert_allclose(geometry.rotation_matrix(vectors).numpy(), theirs, atol=2e-6)


def test_rotation_matrix_at_zero_is_the_identity_with_finite_gradient():
    zero = torch.zeros(1, 3, requires_grad=True)
    rotation = geometry.rotation_matrix(zero)
    rotation[0, 2, 1].backward()  # the derivative of the skew matrix's entry by x is 1
    np.testing.assert_allclose(rotation[0].detach(), np.eye(3))
    np.testing.assert_allclose(zero.grad, [[1, 0, 0]], atol=1e-5)


def test_inverse_transform_undoes_the_transform():
    generator = torch.Generator().manual_seed(1)
    turn, shift = torch.randn(4, 3, generator=generator), torch.randn(4, 3, generator=generator)
    product = geometry.transform_matrix(turn, shift, invert=True) @ geometry.transform_matrix(turn, shift)
    np.testing.assert_allclose(product, np.tile(np.eye(4), (4, 1, 1)), atol=1e-5)


def test_disparity_to_depth_spans_the_range():
    depth = geometry.disparity_to_depth(torch.tensor([0.0, 1.0, 0.5]))
    np.testing.assert_allclose(depth, [100.0, 0.1, 1 / (0.01 + 9.99 * 0.5)], rtol=1e-5)


def test_a_camera_at_rest_sees_every_pixel_where_it_was():
    depth = 1 + 10 * torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(2))
    pixels = geometry.project(depth, INTRINSICS, torch.eye(4)[None])
    y, x = np.mgrid[:32, :48]
    np.testing.assert_allclose(pixels[0, 0].numpy(), np.stack([x, y], -1), atol=1e-3)


def test_sample_is_scipys_bilinear_with_repeated_border():
    generator = torch.Generator().manual_seed(3)
    image = torch.rand(1, 1, 12, 17, generator=generator)
    pixels = torch.rand(1, 9, 11, 2, generator=generator) * torch.tensor([22.0, 16.0]) - 3
    x, y = pixels[0].double().numpy().transpose(2, 0, 1)
    theirs = map_coordinates(image[0, 0].double().numpy(), [y, x], order=1, mode="nearest")
    np.testing.assert_allclose(geometry.sample(image, pixels)[0, 0].numpy(), theirs, atol=1e-5)


def test_warp_across_a_fronto_parallel_wall_shifts_by_focal_length_over_depth():
    image = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(4))
    motion = torch.eye(4)[None].clone()
    motion[0, 0, 3] = 0.4  # 50 px * 0.4 m / 5 m = 4 px
    (warped,) = geometry.warp(image, torch.full((1, 1, 32, 48), 5.0), INTRINSICS, motion)
    np.testing.assert_allclose(warped[..., :-4].numpy(), image[..., 4:].numpy(), atol=1e-4)


def scene(batch=2, depths=3, height=9, width=12):
    """Source, depths, intrinsics, axis-angle and translation in float64, without a point behind the camera."""
    generator = torch.Generator().manual_seed(7)
    draw = partial(torch.rand, generator=generator, dtype=torch.float64)
    intrinsics = torch.tensor([[10.0, 0, 5.5], [0, 9, 4], [0, 0, 1]], dtype=torch.float64).expand(batch, 3, 3)
    turns, shifts = 0.1 * draw(batch, 3) - 0.05, draw(batch, 3) - 0.5
    return draw(batch, 3, height, width), 2 + 5 * draw(batch, depths, height, width), intrinsics, turns, shifts


def test_a_warp_by_several_depths_is_a_sample_at_the_projection_of_each():
    source, depth, intrinsics, turns, shifts = scene()
    motion = geometry.transform_matrix(turns, shifts)
    views = geometry.warp(source, depth, intrinsics, motion)
    pixels = geometry.project(depth, intrinsics, motion)
    assert len(views) == depth.shape[1]
    for view, at in zip(views, pixels.unbind(1), strict=True):
        torch.testing.assert_close(view, geometry.sample(source.float(), at.float()).double(), atol=1e-4, rtol=0)


def test_the_warp_has_the_gradient_of_finite_differences_by_depth_and_motion():
    source, depth, intrinsics, turns, shifts = scene(height=4, width=5)

    def views(depth, turns, shifts):
        return geometry.warp(source, depth, intrinsics, geometry.transform_matrix(turns, shifts))

    assert torch.autograd.gradcheck(views, [x.requires_grad_() for x in (depth, turns, shifts)], eps=1e-7, atol=1e-4)


def test_a_point_behind_the_camera_gives_finite_views_and_gradients():
    source, depth, intrinsics, turns, shifts = scene()
    shifts[:, 2] = -4  # the camera drives past what lies between two and seven metres
    depth.requires_grad_()
    views = geometry.warp(source, depth, intrinsics, geometry.transform_matrix(turns, shifts))
    (gradient,) = torch.autograd.grad(sum(view.sum() for view in views), depth)
    assert all(view.isfinite().all() for view in views) and gradient.isfinite().all()
    # as autograd has it through the projection, whose division is held there
    pixels = geometry.project(depth, intrinsics, geometry.transform_matrix(turns, shifts))
    scale = 2 / (torch.tensor([source.shape[-1], source.shape[-2]], dtype=torch.float64) - 1)
    theirs = [
        torch.nn.functional.grid_sample(source, at * scale - 1, padding_mode="border", align_corners=True).sum()
        for at in pixels.unbind(1)
    ]
    torch.testing.assert_close(gradient, torch.autograd.grad(sum(theirs), depth)[0])


def test_warp_in_float32_is_that_of_float64():
    generator = torch.Generator().manual_seed(5)
    depth = 2 + 30 * torch.rand(1, 1, 32, 48, generator=generator)
    motion = geometry.transform_matrix(torch.tensor([[0.01, -0.02, 0.005]]), torch.tensor([[0.1, 0.0, 1.0]]))
    pixels = geometry.project(depth, INTRINSICS, motion)[0, 0].numpy()
    y, x = np.mgrid[:32, :48].astype(float)
    k, m = INTRINSICS[0].double().numpy(), motion[0].double().numpy()
    points = np.linalg.inv(k) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)]) * depth.double().numpy().ravel()
    moved = k @ (m[:3, :3] @ points + m[:3, 3:])
    np.testing.assert_allclose(pixels.reshape(-1, 2), (moved[:2] / moved[2]).T, atol=2e-3)


def test_depth_to_disparity_is_the_inverse():
    depth = torch.tensor([0.1, 0.2, 5.0, 100.0])
    torch.testing.assert_close(geometry.disparity_to_depth(geometry.depth_to_disparity(depth)), depth)
    torch.testing.assert_close(geometry.depth_to_disparity(depth)[[0, 3]], torch.tensor([1.0, 0.0]))


def test_warping_by_a_flow_reads_where_it_leads():
    image = torch.arange(20.0).view(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0], flow[:, 1, 2] = 1.0, -2.0  # one to the right; the third row two up besides
    warped = geometry.warp_by_flow(image, flow)[0, 0]
    torch.testing.assert_close(warped[0], torch.tensor([1.0, 2.0, 3.0, 4.0, 4.0]))  # the border is repeated
    torch.testing.assert_close(warped[2], warped[0])
    half = geometry.warp_by_flow(image, torch.full((1, 2, 4, 5), 0.5))[0, 0]
    assert half[0, 0].item() == pytest.approx((0 + 1 + 5 + 6) / 4)
