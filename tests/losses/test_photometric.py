"""The photometric error against SciPy, autograd and hand-made cases."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import uniform_filter

from depthseg_lib.losses.photometric import Photometric


def images(seed, batch=2, height=10, width=14, dtype=torch.float32):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def plain(target, image, structure=0.425, colour=0.15):
    """The error by the usual formula, left to autograd."""

    def mean(x):
        return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)

    a, b = mean(image), mean(target)
    covariance = mean(image * target) - a * b
    variances = mean(image**2) - a**2 + mean(target**2) - b**2
    ssim = (2 * a * b + 0.01**2) * (2 * covariance + 0.03**2) / ((a**2 + b**2 + 0.01**2) * (variances + 0.03**2))
    return (structure * (1 - ssim) + colour * (image - target).abs()).mean(1, keepdim=True)


def plain_least(target, warped, other):
    best = torch.cat([plain(target, image) for image in warped], dim=1).min(1).values
    least = torch.minimum(best, other.min(1).values)
    return least.mean(), (best <= least).to(least.dtype).mean()


def test_ssim_is_that_of_scipys_box_filter():
    first, second = images(0), images(1)

    def mean(x):  # 'mirror' repeats no border pixel, as reflect padding
        return uniform_filter(x, size=(1, 1, 3, 3), mode="mirror")

    a, b = first.double().numpy(), second.double().numpy()
    covariance = mean(a * b) - mean(a) * mean(b)
    variances = mean(a * a) - mean(a) ** 2 + mean(b * b) - mean(b) ** 2
    theirs = (2 * mean(a) * mean(b) + 1e-4) * (2 * covariance + 9e-4)
    theirs = theirs / ((mean(a) ** 2 + mean(b) ** 2 + 1e-4) * (variances + 9e-4))
    grey = (
        first.flatten(0, 1)[:, None],
        second.flatten(0, 1)[:, None],
    )  # each channel an image, for there is a mean over them
    ours = 1 - Photometric(grey[1], structure=1, colour=0)(grey[0])
    np.testing.assert_allclose(ours.view_as(first).numpy(), theirs, atol=2e-4)


def test_the_error_of_equal_images_is_zero_and_of_flat_ones_analytic():
    assert Photometric(images(0))(images(0)).abs().max() < 1e-5
    a, b = torch.full((1, 3, 5, 5), 0.2), torch.full((1, 3, 5, 5), 0.6)
    similarity = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    np.testing.assert_allclose(Photometric(b)(a).numpy(), 0.85 * (1 - similarity) / 2 + 0.15 * 0.4, rtol=1e-4)
    # of flow (equation 18), whose structure term is not halved
    expected = 0.15 * (1 - similarity) + 0.15 * 0.4
    assert Photometric(b, 0.15, 0.15).least([a])[0].item() == pytest.approx(expected, rel=1e-4)


def test_the_least_error_counts_and_what_stands_still_is_masked():
    target = torch.full((1, 3, 3, 12), 0.5)
    near, far = target.clone(), target.clone()
    near[..., :6] += 0.1  # the first source is right in the right half, the second in the left
    far[..., 6:] += 0.1
    still = torch.full((1, 1, 3, 12), 1.0)
    still[..., :3] = -1.0  # an unwarped source explains the first three columns better
    near.requires_grad_(), far.requires_grad_()
    loss, kept = Photometric(target).least([near, far], still)
    loss.backward()
    assert kept.item() == pytest.approx(9 / 12)
    # no error where a source is right, but for windows across the middle, and -1 in a quarter of the pixels
    assert loss.item() == pytest.approx(plain_least(target, (near, far), still)[0].item(), abs=1e-6)
    assert near.grad[..., 8:].abs().max() < 1e-4 and not far.grad[..., :2].any()


@pytest.mark.parametrize("shape", [(2, 10, 14), (3, 3, 3), (1, 5, 33)])
def test_the_gradient_is_autograds(shape):
    batch, height, width = shape
    target, *warped = (images(seed, batch, height, width, torch.float64) for seed in range(3))
    other = 0.9 * torch.rand(batch, 2, height, width, generator=torch.Generator().manual_seed(3)).double()
    warped = [image.requires_grad_() for image in warped]
    for ours, theirs in zip(Photometric(target).least(warped, other), plain_least(target, warped, other), strict=True):
        torch.testing.assert_close(ours, theirs)
    ours = torch.autograd.grad(Photometric(target).least(warped, other)[0], warped)
    theirs = torch.autograd.grad(plain_least(target, warped, other)[0], warped)
    torch.testing.assert_close(ours, theirs)
    assert any(gradient.any() for gradient in ours)


def test_the_gradient_is_that_of_finite_differences():
    target, image = images(0, 1, 5, 6, torch.float64), images(1, 1, 5, 6, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda image: Photometric(target).least([image])[0], image)


def test_in_float32_the_loss_is_float64s_to_a_hundred_thousandth_and_the_gradient_points_the_same_way():
    noise = torch.Generator().manual_seed(4)
    smooth = F.interpolate(images(0, 2, 8, 24), size=(64, 192), mode="bilinear")
    target, *warped = (smooth + 0.05 * torch.rand(smooth.shape, generator=noise) for _ in range(3))
    other = torch.ones(2, 1, 64, 192)
    exact = [image.double().requires_grad_() for image in warped]
    warped = [image.requires_grad_() for image in warped]
    ours, theirs = Photometric(target).least(warped, other)[0], plain_least(target.double(), exact, other.double())[0]
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    gradients = torch.autograd.grad(ours, warped), torch.autograd.grad(theirs, exact)
    for found, expected in zip(*gradients, strict=True):
        assert F.cosine_similarity(found.double().flatten(), expected.flatten(), dim=0) > 0.9999


def test_nothing_is_kept_for_a_gradient_that_nobody_asks_for():
    target, image = images(0), images(1)
    loss, _ = Photometric(target).least([image])
    assert not loss.requires_grad
    with torch.no_grad():
        assert Photometric(target).least([image.requires_grad_()])[0].item() == loss.item()
