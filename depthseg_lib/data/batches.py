"""Training batches on the training device, each a pure function of the seed and the iteration.

All random draws come from a generator on the CPU, so that a run sees the same batches on every device and after it was
resumed. Images travel as uint8 and become floats on the device.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms.v2.functional import adjust_brightness, adjust_contrast, adjust_saturation

from depthseg_lib.data.arrays import Labelled, Photographs, Video
from depthseg_lib.errors import InputError


def jitter_clips(
    clips: torch.Tensor, chosen: torch.Tensor, generator: torch.Generator, hue: bool = True
) -> torch.Tensor:
    """Clips (B, F, 3, H, W) in 0..1 with those at the indices `chosen` jittered, the others as they are.

    Factors of brightness, contrast and saturation lie in 0.8..1.2, the shift of hue in -0.1..0.1 of the circle; without
    `hue` it stays as it is.
    """
    changes = (adjust_brightness, adjust_contrast, adjust_saturation, *((adjust_hue,) if hue else ()))
    factors = 0.8 + 0.4 * torch.rand(len(chosen), 3, generator=generator)
    shifts = 0.2 * torch.rand(len(chosen), 1, generator=generator) - 0.1
    amounts = torch.cat([factors, shifts], dim=1).tolist()
    orders = torch.rand(len(chosen), len(changes), generator=generator).argsort(1).tolist()
    result = clips.clone()
    for sample, order, amount in zip(chosen.tolist(), orders, amounts, strict=True):
        clip = clips[sample]
        for number in order:
            clip = changes[number](clip, amount[number])
        result[sample] = clip
    return result


def adjust_hue(images: torch.Tensor, shift: float) -> torch.Tensor:
    """Images (..., 3, H, W) with the hue of HSV turned by `shift` of the circle; value and saturation stay.

    The same as torchvision's `adjust_hue` in a quarter of its time, which is most of a jitter's.
    """
    red, green, blue = images.split(1, -3)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    sixth = torch.where(value == green, 2 * chroma + blue - red, 4 * chroma + red - green)
    sixth = torch.where(value == red, green - blue, sixth) / chroma.clamp(min=1e-12)  # hue in sixths of the circle
    # back to RGB: channel n of (5, 3, 1) is value - chroma * max(0, min(k, 4 - k, 1)) with k = (n + hue) mod 6
    k = torch.arange(5.0, 0.0, -2.0, device=images.device).view(3, 1, 1) + sixth + 6 * shift  # made on the device
    k = k.sub_((k / 6).floor_().mul_(6))
    return value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1)


@dataclass(frozen=True)
class Triplet:
    """Three consecutive frames per sample: previous, target, next."""

    frames: torch.Tensor
    """(B, 3, 3, H, W) float32 in 0..1, frame before channel: what the loss compares."""
    jittered: torch.Tensor
    """(B, 3, 3, H, W), the same with one colour jitter per triplet: what the networks see."""
    intrinsics: torch.Tensor
    """(B, 3, 3) float32, in pixels of the H x W frames."""
    masked: bool = True
    """Whether the loss leaves out what a standing camera explains better (the auto-mask)."""


@dataclass(frozen=True)
class Pair:
    """Two consecutive frames per sample."""

    frames: torch.Tensor
    """(B, 2, 3, H, W) float32 in 0..1, frame before channel: what the loss compares."""
    jittered: torch.Tensor
    """(B, 2, 3, H, W), the same with one colour jitter per pair: what the network sees."""


def generator(seed: int, iteration: int, purpose: int = 0) -> torch.Generator:
    """The generator on the CPU for the draws of one iteration; of another `purpose`, other ones."""
    state = np.random.SeedSequence((seed, iteration, purpose)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))  # PyTorch's seeds are signed


def epoch_indices(count: int, batch: int, iteration: int, seed: int) -> torch.Tensor:
    """Indices (batch,) int64 of one iteration: every epoch is a new random order of all `count`, without replacement.

    The orders follow one another without a gap, so a batch may hold the end of one and the start of the next, and may
    be larger than `count`. Raises `InputError` for an empty set.
    """
    if count < 1:
        raise InputError("the training set is empty: expected at least one sample; give more data")
    first, last = iteration * batch, (iteration + 1) * batch
    epochs = range(first // count, (last - 1) // count + 1)
    order = torch.cat([torch.randperm(count, generator=generator(seed, epoch, 1)) for epoch in epochs])
    return order[first - epochs[0] * count :][:batch]


def images_to_float(images: torch.Tensor) -> torch.Tensor:
    """uint8 images as float32 in 0..1."""
    return images.to(torch.float32).div_(255)


def segmentation_batch(
    labelled: Labelled,
    indices: torch.Tensor,
    generator: torch.Generator,
    device: torch.device | str,
    flip: bool = True,
    crop: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (B, 3, H, W) in 0..1 and labels (B, H, W) int64 (void 255), each pair mirrored with probability 0.5.

    With `crop`, of each pair a square of so many pixels, anywhere within it with the same chance.
    """
    images, labels = _rows(labelled.images, indices, device), _rows(labelled.labels, indices, device)
    if crop:
        last = torch.tensor(labels.shape[-2:]) - crop + 1
        corners = (torch.rand(len(indices), 2, generator=generator) * last).long().tolist()
        parts = [(..., slice(top, top + crop), slice(left, left + crop)) for top, left in corners]
        images = torch.stack([image[part] for image, part in zip(images, parts, strict=True)])
        labels = torch.stack([label[part] for label, part in zip(labels, parts, strict=True)])
    if flip:
        mirrored = _moved(_chosen(len(indices), generator), device)
        images[mirrored], labels[mirrored] = images[mirrored].flip(-1), labels[mirrored].flip(-1)
    return images_to_float(images), labels.long()


def triplet_batch(
    video: Video,
    triplets: np.ndarray,
    indices: torch.Tensor,
    generator: torch.Generator,
    device: torch.device | str,
    jitter: bool = True,
    flip: bool = True,
) -> Triplet:
    """The `triplets` (T, 3) at `indices`: whole triplets mirrored and, apart from that, jittered, each with chance 0.5.

    A mirrored frame's principal point moves to `W - 1 - cx`.
    """
    members = torch.as_tensor(triplets)[indices]
    frames = _rows(video.images, members, device)
    intrinsics = _rows(video.intrinsics, members[:, 1], device)
    if flip:
        mirrored = _moved(_chosen(len(indices), generator), device)
        frames[mirrored] = frames[mirrored].flip(-1)
        intrinsics[mirrored, 0, 2] = frames.shape[-1] - 1 - intrinsics[mirrored, 0, 2]
    frames = images_to_float(frames)
    return Triplet(
        frames, jitter_clips(frames, _chosen(len(frames), generator), generator) if jitter else frames, intrinsics
    )


def pair_batch(
    video: Video,
    pairs: np.ndarray,
    indices: torch.Tensor,
    generator: torch.Generator,
    device: torch.device | str,
    augment: bool = True,
) -> Pair:
    """The `pairs` (P, 2) at `indices`: whole pairs mirrored and, apart from that, jittered, each with chance 0.5."""
    frames = _rows(video.images, torch.as_tensor(pairs)[indices], device)
    if augment:
        mirrored = _moved(_chosen(len(indices), generator), device)
        frames[mirrored] = frames[mirrored].flip(-1)
    frames = images_to_float(frames)
    return Pair(frames, jitter_clips(frames, _chosen(len(frames), generator), generator) if augment else frames)


def depth_batch(
    images: np.ndarray, depth: np.ndarray, generator: torch.Generator, device: torch.device | str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (B, 3, H, W) in 0..1 and their depth (B, 1, H, W), both mirrored with chance 0.5.

    Images are jittered besides with chance 0.5, in brightness, contrast and saturation (section 4.3). `images` is
    (B, 3, H, W) uint8, `depth` (B, H, W) float32 metres, 0 where there is none.
    """
    pictures, metres = _moved(torch.tensor(images), device), _moved(torch.tensor(depth)[:, None], device)
    mirrored = _moved(_chosen(len(images), generator), device)
    pictures[mirrored], metres[mirrored] = pictures[mirrored].flip(-1), metres[mirrored].flip(-1)
    clips, chosen = images_to_float(pictures)[:, None], _chosen(len(images), generator)
    return jitter_clips(clips, chosen, generator, hue=False)[:, 0], metres


def photograph_batch(
    photographs: Photographs, indices: torch.Tensor, generator: torch.Generator, device: torch.device | str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (B, 3, S, S) in 0..1, cropped at random, brought back to S x S and mirrored, and labels (B,) int64.

    A crop keeps 0.5 to 1 of the area at a ratio of sides of 3/4 to 4/3, as in the usual ImageNet training.
    """
    images = images_to_float(_rows(photographs.images, indices, device))
    area, ratio, x, y, mirror = torch.rand(5, len(indices), generator=generator)
    sides = (0.5 + 0.5 * area).sqrt()
    stretch = torch.exp((2 * ratio - 1) * np.log(4 / 3) / 2)
    width, height = (sides * stretch).clamp(max=1), (sides / stretch).clamp(max=1)
    maps = torch.zeros(len(indices), 2, 3)  # from the result's -1..1 to the source's
    maps[:, 0, 0] = torch.where(mirror < 0.5, -width, width)
    maps[:, 1, 1] = height
    maps[:, 0, 2] = (2 * x - 1) * (1 - width)
    maps[:, 1, 2] = (2 * y - 1) * (1 - height)
    grid = affine_grid(_moved(maps, device), list(images.shape), align_corners=False)
    images = grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return images, _rows(photographs.labels, indices, device).long()


def _rows(array: np.ndarray, indices: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """A copy of the rows at `indices`, which must not be a view: the batches are changed in place."""
    return _moved(torch.from_numpy(array[indices.numpy()]), device)


def _moved(rows: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """Rows on the device; to a GPU through pinned memory, so that nobody waits until it has done what it is at."""
    if torch.device(device).type != "cuda" or not len(rows):
        return rows.to(device)
    return rows.pin_memory().to(device, non_blocking=True)


def _chosen(count: int, generator: torch.Generator) -> torch.Tensor:
    """The samples, of `count`, that a coin each has chosen; found on the CPU, so that no device has to wait."""
    return torch.nonzero(torch.rand(count, generator=generator) < 0.5)[:, 0]
