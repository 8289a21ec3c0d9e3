"""Batches: pure functions of seed and iteration; flips and jitter that keep what belongs together together."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from depthseg_lib.data import batches
from depthseg_lib.data.arrays import Labelled, Photographs, Video
from depthseg_lib.data.labels import KITTI
from depthseg_lib.errors import InputError

H, W = 6, 10


@pytest.fixture
def labelled():
    """Images whose first channel is the label, so that a flip of one without the other shows."""
    images = np.random.default_rng(0).integers(0, 19, (12, 3, H, W), dtype=np.uint8)
    images[:, 1] = np.arange(12)[:, None, None]
    return Labelled(images, images[:, 0].copy(), KITTI, tuple("abcdefghijkl"))


@pytest.fixture
def video():
    images = np.random.default_rng(1).integers(0, 256, (14, 3, H, W), dtype=np.uint8)
    intrinsics = np.repeat(np.array([[[8, 0, 3.2], [0, 9, 2.1], [0, 0, 1]]], np.float32), 14, axis=0)
    intrinsics[7:, 0, 2] = 5.1
    return Video(images, np.repeat(np.arange(2, dtype=np.int32), 7), intrinsics)


def draws(iterations: int = 20):
    return [batches.generator(3, iteration) for iteration in range(iterations)]


@pytest.mark.parametrize(("count", "batch"), [(16, 8), (13, 4), (5, 8), (3, 16), (1, 2)])
def test_every_epoch_holds_every_index_once(count, batch):
    stream = torch.cat([batches.epoch_indices(count, batch, i, seed=5) for i in range(3 * count)])
    epochs = stream[: len(stream) // count * count].view(-1, count)
    assert (epochs.sort(dim=1).values == torch.arange(count)).all()
    assert count < 5 or len({tuple(epoch.tolist()) for epoch in epochs}) > 1


def test_indices_depend_on_nothing_but_seed_and_iteration():
    first = [batches.epoch_indices(20, 8, i, seed=1).tolist() for i in range(9)]
    assert [batches.epoch_indices(20, 8, i, seed=1).tolist() for i in (8, 3)] == [first[8], first[3]]
    assert [batches.epoch_indices(20, 8, i, seed=2).tolist() for i in range(9)] != first


def test_an_empty_set_is_refused():
    with pytest.raises(InputError, match="training set is empty"):
        batches.epoch_indices(0, 8, 0, seed=0)


def test_generators_of_other_seeds_and_iterations_differ():
    seeds = {batches.generator(seed, iteration).initial_seed() for seed in range(10) for iteration in range(10)}
    assert len(seeds) == 100 and batches.generator(4, 7).initial_seed() in seeds


def test_images_and_labels_flip_together_and_exactly(labelled):
    mirrored = []
    for generator in draws():
        images, labels = batches.segmentation_batch(labelled, torch.arange(12), generator, "cpu")
        assert images.dtype == torch.float32 and labels.dtype == torch.int64
        assert torch.equal((images[:, 0] * 255).round().long(), labels)
        truth = torch.from_numpy(labelled.labels).long()
        same, flipped = (labels == truth).all((1, 2)), (labels == truth.flip(-1)).all((1, 2))
        assert (same | flipped).all()
        mirrored.append(flipped & ~same)
    assert 0.35 < torch.stack(mirrored).float().mean() < 0.65


def test_without_flip_a_batch_is_the_images_at_the_indices(labelled):
    indices = torch.tensor([7, 2, 7])
    images, labels = batches.segmentation_batch(labelled, indices, batches.generator(0, 0), "cpu", flip=False)
    assert torch.equal(images, torch.from_numpy(labelled.images[[7, 2, 7]]) / 255)
    assert torch.equal(labels, torch.from_numpy(labelled.labels[[7, 2, 7]]).long())


def test_crops_are_squares_of_image_and_label_alike_anywhere_within_it(labelled):
    """Of the first image, whose windows are found again by their labels."""
    seen, (height, width) = set(), labelled.labels.shape[1:]
    windows = torch.from_numpy(labelled.labels[0]).long().unfold(0, 4, 1).unfold(1, 4, 1)
    for generator in draws(60):
        images, labels = batches.segmentation_batch(
            labelled, torch.zeros(3, dtype=torch.long), generator, "cpu", flip=False, crop=4
        )
        assert images.shape == (3, 3, 4, 4) and torch.equal((images[:, 0] * 255).round().long(), labels)
        for label in labels:
            (place,) = (windows == label).all(-1).all(-1).nonzero().tolist()
            seen.add(tuple(place))
    assert seen == {(top, left) for top in range(height - 3) for left in range(width - 3)}


def test_a_batch_leaves_the_set_as_it_was(labelled, video):
    before = labelled.images.copy(), labelled.labels.copy(), video.images.copy(), video.intrinsics.copy()
    for generator in draws(5):
        batches.segmentation_batch(labelled, torch.arange(12), generator, "cpu")
        batches.triplet_batch(video, video.triplets(), torch.arange(10), generator, "cpu")
    after = labelled.images, labelled.labels, video.images, video.intrinsics
    assert all((a == b).all() for a, b in zip(after, before, strict=True))


def test_a_triplet_is_flipped_whole_with_its_principal_point(video):
    triplets = video.triplets()
    flipped_count = 0
    for generator in draws():
        batch = batches.triplet_batch(video, triplets, torch.arange(10), generator, "cpu", jitter=False)
        assert batch.jittered is batch.frames
        for i, members in enumerate(triplets):
            truth = torch.from_numpy(video.images[members]) / 255
            principal = video.intrinsics[members[1], 0, 2]
            flipped = not torch.equal(batch.frames[i], truth)
            flipped_count += flipped
            assert torch.equal(batch.frames[i], truth.flip(-1) if flipped else truth)
            expected = W - 1 - principal if flipped else principal
            assert batch.intrinsics[i, 0, 2] == pytest.approx(expected) and batch.intrinsics[i, 0, 0] == 8
    assert 70 < flipped_count < 130


def test_a_mirrored_camera_sees_the_mirrored_point_in_the_mirrored_pixel(video):
    point = torch.tensor([0.3, 0.2, 2.0])
    plain = torch.from_numpy(video.intrinsics[video.triplets()[:, 1]])
    for generator in draws(4):
        batch = batches.triplet_batch(video, video.triplets(), torch.arange(10), generator, "cpu", jitter=False)
        flipped = batch.intrinsics[:, 0, 2] != plain[:, 0, 2]
        x = (plain @ point)[:, 0] / 2
        mirrored_x = (batch.intrinsics @ (point * torch.tensor([-1.0, 1, 1])))[:, 0] / 2
        assert torch.allclose(mirrored_x[flipped], W - 1 - x[flipped], atol=1e-5) and flipped.any()


def test_only_the_chosen_clips_change():
    clips = torch.rand(5, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    before = clips.clone()
    result = batches.jitter_clips(clips, torch.tensor([1, 4]), batches.generator(0, 0))
    assert torch.equal(clips, before) and torch.equal(result[[0, 2, 3]], clips[[0, 2, 3]])
    assert (result[[1, 4]] != clips[[1, 4]]).flatten(1).any(1).all()


def test_the_loss_sees_clean_frames_and_half_of_the_triplets_are_jittered(video):
    changed = []
    for generator in draws():
        batch = batches.triplet_batch(video, video.triplets(), torch.arange(10), generator, "cpu", flip=False)
        assert torch.equal(batch.frames, torch.from_numpy(video.images[video.triplets()]) / 255)
        assert 0 <= batch.jittered.min() and batch.jittered.max() <= 1
        changed.append((batch.jittered != batch.frames).flatten(1).any(1))
    assert 0.35 < torch.stack(changed).float().mean() < 0.65


def test_the_frames_of_a_triplet_share_one_draw(video):
    still = np.repeat(np.arange(10)[:, None], 3, axis=1)  # the same frame three times
    jittered = []
    for generator in draws():
        batch = batches.triplet_batch(video, still, torch.arange(10), generator, "cpu")
        assert torch.equal(batch.jittered[:, 0], batch.jittered[:, 1])
        assert torch.equal(batch.jittered[:, 0], batch.jittered[:, 2])
        jittered.append((batch.jittered != batch.frames).flatten(1).any(1))
    assert 0.35 < torch.stack(jittered).float().mean() < 0.65


def test_batches_of_the_same_generator_are_the_same_bytes(video, labelled):
    for iteration in range(3):
        first, second = (
            batches.triplet_batch(video, video.triplets(), torch.arange(10), batches.generator(2, iteration), "cpu")
            for _ in range(2)
        )
        assert torch.equal(first.jittered, second.jittered) and torch.equal(first.intrinsics, second.intrinsics)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_batches_are_the_same_on_the_gpu(video):
    cpu, gpu = (
        batches.triplet_batch(video, video.triplets(), torch.arange(10), batches.generator(2, 0), device)
        for device in ("cpu", "cuda")
    )
    assert torch.equal(cpu.frames, gpu.frames.cpu()) and torch.allclose(cpu.jittered, gpu.jittered.cpu(), atol=1e-5)


@pytest.fixture
def photographs():
    """Each photograph is a ramp: channel 0 holds x, channel 1 holds y, both in 0..240, channel 2 the class."""
    y, x = np.mgrid[:16, :16] * 16
    images = np.stack([np.stack([x, y, np.full_like(x, i)]) for i in range(40)]).astype(np.uint8)
    return Photographs(images, np.arange(40) % 4, ("a", "b", "c", "d"))


def test_photographs_are_cropped_within_the_image_and_half_are_mirrored(photographs):
    mirrored = []
    for generator in draws(10):
        images, labels = batches.photograph_batch(photographs, torch.arange(40), generator, "cpu")
        assert images.shape == (40, 3, 16, 16) and torch.equal(labels, torch.arange(40) % 4)
        assert torch.allclose(images[:, 2] * 255, torch.arange(40.0).view(-1, 1, 1).expand(-1, 16, 16), atol=1e-3)
        across = (images[:, 0, :, 14] - images[:, 0, :, 1]) * 255 / 13 / 16  # source pixels per pixel of the result
        down = (images[:, 1, 14] - images[:, 1, 1]) * 255 / 13 / 16
        mirrored.append(across.mean(1) < 0)
        area = (across.abs() * down).mean(1)
        assert 0.45 < area.min() and area.max() < 1.01 and area.max() - area.min() > 0.2
        ratio = across.abs().mean(1) / down.mean(1)
        assert 0.7 < ratio.min() < 0.95 and 1.05 < ratio.max() < 1.4
    assert 0.4 < torch.stack(mirrored).float().mean() < 0.6


def test_depth_is_mirrored_with_its_image_and_never_jittered(video):
    depth = video.images[:10, 0].astype(np.float32)  # the red channel, so that a flip of one without the other shows
    moved, jittered = 0, 0
    for generator in draws():
        images, metres = batches.depth_batch(video.images[:10], depth, generator, "cpu")
        assert metres.shape == (10, 1, H, W)
        rows, truths = metres[:, 0], torch.from_numpy(depth)
        for image, row, truth, picture in zip(images, rows, truths, video.images[:10], strict=True):
            flipped = not torch.equal(row, truth)
            assert torch.equal(row, truth.flip(-1) if flipped else truth)
            plain = torch.from_numpy(picture) / 255
            same = torch.allclose(image, plain.flip(-1) if flipped else plain)
            moved, jittered = moved + flipped, jittered + (not same)
    assert 70 < moved < 130 and 70 < jittered < 130


def test_a_pair_is_mirrored_and_jittered_whole_and_the_loss_sees_it_unjittered(video):
    pairs = np.array([[0, 1], [1, 1], [8, 9]])
    moved, jittered = 0, 0
    for generator in draws(30):
        batch = batches.pair_batch(video, pairs, torch.arange(3), generator, "cpu")
        for frames, changed, members in zip(batch.frames, batch.jittered, pairs, strict=True):
            truth = torch.from_numpy(video.images[members]) / 255
            flipped = not torch.equal(frames, truth)
            assert torch.equal(frames, truth.flip(-1) if flipped else truth)
            moved, jittered = moved + flipped, jittered + (not torch.equal(changed, frames))
        assert torch.equal(batch.jittered[1, 0], batch.jittered[1, 1])  # the same frame twice: one draw for both
    assert 25 < moved < 65 and 25 < jittered < 65
    plain = batches.pair_batch(video, pairs, torch.tensor([2]), generator, "cpu", augment=False)
    assert plain.jittered is plain.frames and torch.equal(plain.frames[0], torch.from_numpy(video.images[[8, 9]]) / 255)


@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.07, 0.5])
def test_hue_is_that_of_torchvision(shift):
    images = torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    images[0, 0, :, 0], images[0, 0, :, 1], images[0, 0, :, 2] = 0.0, 0.5, 1.0  # greys have no hue
    images[0, 1] = images[0, 1].round()  # two channels alike
    assert torch.allclose(batches.adjust_hue(images, shift), reference.adjust_hue(images, shift), atol=1e-5)


def test_grey_stays_grey_and_brightness_within_its_bounds():
    grey = torch.full((200, 1, 3, 2, 2), 0.5)
    result = batches.jitter_clips(grey, torch.arange(200), batches.generator(0, 1))
    assert torch.allclose(result[:, :, 0], result[:, :, 1], atol=1e-6)
    assert 0.4 - 1e-6 <= result.min() < 0.42 and 0.58 < result.max() <= 0.6 + 1e-6


def test_every_clip_takes_all_four_changes_in_an_order_of_its_own(monkeypatch):
    taken = []
    names = ("adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue")
    for name in names:
        monkeypatch.setattr(batches, name, lambda clip, amount, name=name: taken.append((name, amount)) or clip)
    batches.jitter_clips(torch.rand(300, 3, 3, 2, 2), torch.arange(300), batches.generator(0, 2))
    clips = [taken[i : i + 4] for i in range(0, len(taken), 4)]
    assert len(clips) == 300 and all({name for name, _ in clip} == set(names) for clip in clips)
    assert len({tuple(name for name, _ in clip) for clip in clips}) == 24
    for name, low, high in [*((name, 0.8, 1.2) for name in names[:3]), ("adjust_hue", -0.1, 0.1)]:
        amounts = [amount for changed, amount in taken if changed == name]
        assert low <= min(amounts) < low + 0.05 * (high - low) and high - 0.05 * (high - low) < max(amounts) <= high


def test_without_hue_colours_stay_on_their_hue_and_three_changes_are_taken(monkeypatch):
    monkeypatch.setattr(batches, "adjust_hue", lambda *_: pytest.fail("hue was changed"))
    clips = torch.rand(20, 1, 3, 4, 4)
    result = batches.jitter_clips(clips, torch.arange(20), batches.generator(0, 3), hue=False)
    assert (result != clips).flatten(1).any(1).all()
