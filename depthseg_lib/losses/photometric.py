"""The photometric error of images against a target, with its gradient in closed form (equations 14 and 18).

With P, Q and R the sums over a 3x3 window of x, x^2 and 2 x y, and B that of the target y, the structural similarity of
x and y (Wang et al. 2004) is

    S = N C / (D V),   N = P B + c1 / 2,           C = R - 2 P B / 9 + c2,
                       D = (P^2 + B^2 + c1) / 2,   V = Q - P^2 / 9 + (sum y^2 - B^2 / 9) + c2

where the usual factors, of means and of (co)variances, are multiplied by 81 / 2 and by 9. Its derivatives by these are

    dS/dP = (B (C - 2 N / 9) - S P (V - 2 D / 9)) / (D V),   dS/dQ = -S / V,   dS/dR = N / (D V)

and the sums are linear and their own adjoint: with A the sum over windows, the gradient of S by x is
A(dS/dP) + 2 x A(dS/dQ) + 2 y A(dS/dR). All of it is pointwise but for the sums, so on a CPU it is done image by image,
in the processor's cache. Images carry a border of one reflected pixel; what is computed there is not used.
"""

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from depthseg_lib.losses.geometry import at_once

C1, C2 = 81 * 0.01**2, 9 * 0.03**2
"""The constants of SSIM for images in 0..1, times 81 and 9."""


class Photometric:
    """Photometric error against one target, whose statistics are computed once for all that is compared with it.

    `Photometric(target)(image)` is per pixel `structure` (1 - SSIM) + `colour` |image - target|, means over channels,
    for images B 3 H W in 0..1 -> B 1 H W; with the weights of equation 14 unless told otherwise. SSIM is over 3x3
    windows, with reflected borders.
    """

    def __init__(self, target: Tensor, structure: float = 0.85 / 2, colour: float = 0.15):
        self.rows = at_once(target)
        sums = _WindowSums(F.pad(target[: self.rows], (1, 1, 1, 1)))
        self.parts = [_Comparison(rows, sums, structure, colour) for rows in target.split(self.rows)]

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        rows = zip(self.parts, image.split(self.rows), strict=True)
        return torch.cat([part.error(*part.similarity(image)) for part, image in rows])

    def least(self, images: Sequence[Tensor], other: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The mean over pixels of the least error that any of `images` or `other` has, and the share won by an image.

        `images` are warped sources, B 3 H W each, to which the mean has a gradient; `other` (B S H W) are errors of
        unwarped ones. Pixels that an unwarped source explains better (static camera, objects moving along) are masked
        by giving no gradient. The caller adds the tie-breaking noise to `other`. Without `other`, all pixels count.
        """
        return _Least.apply(self, other, *images)


class _Least(torch.autograd.Function):
    """`Photometric.least`, which knows its gradient as soon as it knows which error is the least."""

    @staticmethod
    def forward(ctx, photometric: Photometric, other: Tensor | None, *images: Tensor):
        least, won, gradients = [], [], [[] for _ in images]
        others = [None] * len(photometric.parts) if other is None else other.split(photometric.rows)
        rows = zip(*(image.split(photometric.rows) for image in images), strict=True)
        for part, unwarped, warped in zip(photometric.parts, others, rows, strict=True):
            found = [part.similarity(image) for image in warped]
            errors = [part.error(*one) for one in found]
            lowest = reduce(torch.minimum, errors if unwarped is None else [*errors, *unwarped.split(1, dim=1)])
            least.append(lowest)
            left = torch.ones_like(lowest, dtype=torch.bool)  # pixels that no image has won yet
            for number, (error, one) in enumerate(zip(errors, found, strict=True)):
                wins = left & (error <= lowest)
                left &= ~wins
                if any(ctx.needs_input_grad):
                    gradients[number].append(part.gradient(*one, wins))
            won.append(~left)
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(*map(torch.cat, gradients))
        least = torch.cat(least)
        share = torch.cat(won).to(least.dtype).mean()
        ctx.mark_non_differentiable(share)
        ctx.pixels = least.numel()
        return least.mean(), share

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor, _):
        return None, None, *(gradient.mul(upstream / ctx.pixels) for gradient in ctx.saved_tensors)


class _Comparison:
    """The error of images against some rows of the target; all tensors but the images given have the border."""

    def __init__(self, target: Tensor, sums: "_WindowSums", structure: float, colour: float):
        self.sums, self.structure, self.colour = sums, structure / target.shape[1], colour / target.shape[1]
        self.target = F.pad(target, (1, 1, 1, 1), mode="reflect")
        self.twice = 2 * self.target
        self.sum = sums(self.target, 1)
        self.d = (self.sum.square() + C1) / 2
        self.v = sums(self.target, self.target) - self.sum.square() / 9 + C2

    def similarity(self, image: Tensor):
        """The image, S, and P, N, C, D, V and 1 / (D V)."""
        image = F.pad(image, (1, 1, 1, 1), mode="reflect")
        p, q, r = self.sums(image, 1), self.sums(image, image), self.sums(image, self.twice)
        product = p * self.sum
        c = r.sub_(product, alpha=2 / 9).add_(C2)
        n = product.add_(C1 / 2)
        d = torch.addcmul(self.d, p, p, value=0.5)
        v = q.addcmul_(p, p, value=-1 / 9).add_(self.v)
        inverse = torch.mul(d, v).reciprocal_()
        return image, (n * c).mul_(inverse), p, n, c, d, v, inverse

    def error(self, image: Tensor, similarity: Tensor, *_) -> Tensor:
        """Per pixel, B 1 H W without the border."""
        error = (image - self.target).abs_().mul_(self.colour).sub_(similarity, alpha=self.structure)
        return error[..., 1:-1, 1:-1].sum(1, keepdim=True).add_(self.structure * image.shape[1])

    def gradient(self, image, similarity, p, n, c, d, v, inverse, counted: Tensor) -> Tensor:
        """By the image, B C H W, of the sum of its error over the pixels `counted` (B 1 H W); uses its arguments up."""
        counted = F.pad(counted.to(image.dtype), (1, 1, 1, 1))
        weight = inverse.mul_(counted)
        by_q = self.sums(similarity * d, weight)
        by_p = self.sums(
            v.sub_(d, alpha=2 / 9).mul_(p).mul_(similarity).sub_(c.sub_(n, alpha=2 / 9).mul_(self.sum)), weight
        )
        by_r = self.sums(n, weight)
        by_x = by_p.addcmul_(by_q, image, value=2).sub_(by_r.mul_(self.twice)).mul_(self.structure)
        by_x.addcmul_(image.sub(self.target).sign_(), counted, value=self.colour)
        # what the border got belongs to the pixels that it reflects
        for axis in (-2, -1):
            by_x.select(axis, 2).add_(by_x.select(axis, 0))
            by_x.select(axis, -3).add_(by_x.select(axis, -1))
        return by_x[..., 1:-1, 1:-1]


class _WindowSums:
    """Sums over 3x3 windows of products of bordered images B C H W; on the border, over parts of several windows.

    Neighbours lie a stride apart in memory, so a sum over three is two passes over everything, zeros beyond the ends.
    """

    def __init__(self, images: Tensor):
        width, count = images.shape[-1], images.numel()
        first, second = (images.new_zeros(count + 2 * step) for step in (width, 1))
        self.product = first[width:-width].view_as(images)
        self.rows = first[: -2 * width], first[width:-width], first[2 * width :], second[1:-1]
        self.columns = tuple(second[start : start + count].view_as(images) for start in range(3))

    def __call__(self, image: Tensor, factor: Tensor | int) -> Tensor:
        torch.mul(image, factor, out=self.product)
        above, here, below, summed = self.rows
        torch.add(above, below, out=summed).add_(here)
        left, here, right = self.columns
        return torch.add(left, right).add_(here)
