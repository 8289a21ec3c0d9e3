"""The camvid profile's video: its parts put together; and the whole study on tiny sets of the true formats."""

import numpy as np
import pytest
from helpers import tiny_camvid
from helpers.real_data import real_set
from helpers.shrunk_study import ShrunkStudy

from depthseg_lib.data import set_camvid
from depthseg_lib.data.arrays import Video, held_out_sequences


def clip(frames, value, depth=None):
    images = np.full((frames, 3, 4, 6), value, np.uint8)
    truth = None if depth is None else np.full((frames, 4, 6), depth, np.float16)
    return Video(images, np.zeros(frames, np.int32), np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)), truth)


def test_clips_stay_apart_and_unknown_depth_is_zero():
    joined = set_camvid.concatenate([clip(3, 1), set_camvid.halves(clip(6, 2, depth=5.0))])
    assert joined.sequence.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert joined.depth[:3].max() == 0 and (joined.depth[3:] == 5).all()
    assert joined.triplets().tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert set_camvid.concatenate([clip(3, 1), clip(3, 2)]).depth is None


def test_all_real_clips_as_one_video(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    video = set_camvid.video(real_set("highway").parent, 64, 96)
    assert video.images.shape == (545, 3, 64, 96)
    assert len(np.unique(video.sequence)) == 11  # highway 3 x 2 phases, odometry 2, CamVid, two halves
    last = np.isin(video.sequence, held_out_sequences(video))
    assert (video.depth[last] > 0).any() and (video.depth[last].max((1, 2)) > 0).sum() == 2
    assert video.intrinsics[:, 0, 2] == pytest.approx(47.5, abs=6)


@pytest.mark.timeout(1200)
def test_the_whole_study_on_tiny_sets(tmp_path, monkeypatch):
    made = ShrunkStudy(tmp_path / "project", monkeypatch, "camvid", tiny_camvid.write(tmp_path / "sets"))
    assert "4 training and 3 validation images" in "\n".join(made.make())
    assert "CamVid" in (made.figures / "fig03_curves.json").read_text()
