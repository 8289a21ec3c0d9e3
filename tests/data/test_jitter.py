"""Colour jitter: torchvision's operations, one draw per clip."""

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from depthseg_lib.data import batches
from depthseg_lib.data.batches import adjust_hue, generator, jitter_clips


@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.07, 0.5])
def test_hue_is_that_of_torchvision(shift):
    images = torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    images[0, 0, :, 0], images[0, 0, :, 1], images[0, 0, :, 2] = 0.0, 0.5, 1.0  # greys have no hue
    images[0, 1] = images[0, 1].round()  # two channels alike
    assert torch.allclose(adjust_hue(images, shift), reference.adjust_hue(images, shift), atol=1e-5)


def test_the_frames_of_a_clip_change_alike_and_clips_do_not():
    frame = torch.rand(1, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    clips = jitter_clips(frame.expand(6, 3, -1, -1, -1), torch.arange(6), generator(0, 0))
    assert torch.equal(clips[:, 0], clips[:, 1]) and torch.equal(clips[:, 0], clips[:, 2])
    assert len({clip.sum().item() for clip in clips}) == 6


def test_only_the_chosen_clips_change():
    clips = torch.rand(5, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    before = clips.clone()
    result = jitter_clips(clips, torch.tensor([1, 4]), generator(0, 0))
    assert torch.equal(clips, before) and torch.equal(result[[0, 2, 3]], clips[[0, 2, 3]])
    assert (result[[1, 4]] != clips[[1, 4]]).flatten(1).any(1).all()


def test_grey_stays_grey_and_brightness_within_its_bounds():
    grey = torch.full((200, 1, 3, 2, 2), 0.5)
    result = jitter_clips(grey, torch.arange(200), generator(0, 1))
    assert torch.allclose(result[:, :, 0], result[:, :, 1], atol=1e-6)
    assert 0.4 - 1e-6 <= result.min() < 0.42 and 0.58 < result.max() <= 0.6 + 1e-6


def test_every_clip_takes_all_four_changes_in_an_order_of_its_own(monkeypatch):
    taken = []
    names = ("adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue")
    for name in names:
        monkeypatch.setattr(batches, name, lambda clip, amount, name=name: taken.append((name, amount)) or clip)
    jitter_clips(torch.rand(300, 3, 3, 2, 2), torch.arange(300), generator(0, 2))
    clips = [taken[i : i + 4] for i in range(0, len(taken), 4)]
    assert len(clips) == 300 and all({name for name, _ in clip} == set(names) for clip in clips)
    assert len({tuple(name for name, _ in clip) for clip in clips}) == 24
    for name, low, high in [*((name, 0.8, 1.2) for name in names[:3]), ("adjust_hue", -0.1, 0.1)]:
        amounts = [amount for changed, amount in taken if changed == name]
        assert low <= min(amounts) < low + 0.05 * (high - low) and high - 0.05 * (high - low) < max(amounts) <= high


def test_without_hue_colours_stay_on_their_hue_and_three_changes_are_taken(monkeypatch):
    monkeypatch.setattr(batches, "adjust_hue", lambda *_: pytest.fail("hue was changed"))
    clips = torch.rand(20, 1, 3, 4, 4)
    result = jitter_clips(clips, torch.arange(20), generator(0, 3), hue=False)
    assert (result != clips).flatten(1).any(1).all()
