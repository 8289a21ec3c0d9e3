"""The census of a profile's images: taken from them, kept, and read again without them."""

import pytest
from helpers import planted

from depthseg_lib.analysis import results
from depthseg_lib.analysis.measurements import census as censuses


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    root = planted.plant(tmp_path_factory.mktemp("runs"), "smoke", examples=1)
    planted.plant_weights(root, "smoke", 4)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DEPTHSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        found = results.load("smoke", root, root.parent / "figures").main.select(images=4)
        return root, found, censuses.load(found, root, root.parent / "figures")


def test_all_annotated_images_are_counted(taken):
    _, _, census = taken
    assert census.images == 24 and census.classes["images"].max() == 24
    assert census.classes["pixels"].sum() == 24 * 64 * 96
    assert census.classes["share"].iloc[:-1].sum() == pytest.approx(1, abs=1e-5)
    assert census.source.startswith("census from")


def test_it_is_kept_and_read_where_the_images_are_not(taken, tmp_path, monkeypatch):
    root, found, census = taken
    monkeypatch.setattr(censuses, "_count", pytest.fail)
    again = censuses.load(found, root, root.parent / "figures")
    assert again.images == 24 and again.classes.equals(census.classes)
    results.save(found, tmp_path / "data")
    censuses.save(census, "smoke", tmp_path)
    stored = censuses.load(results.load("smoke", tmp_path / "none", tmp_path), tmp_path / "none", tmp_path)
    assert stored.images == 24 and stored.classes.equals(census.classes)
    assert stored.source.startswith("committed census")
