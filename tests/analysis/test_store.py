"""A folder of tables, arrays and pictures: what is written comes back, and what is broken is refused."""

import numpy as np
import pandas as pd
import pytest

from depthseg_lib.analysis import store
from depthseg_lib.analysis.store import Stored
from depthseg_lib.errors import InputError


def made() -> Stored:
    numbers = np.random.default_rng(0)
    return Stored(
        {"profile": "smoke", "shown": [3, 5]},
        {"scores": pd.DataFrame({"name": ["a", "b"], "value": [0.5, np.nan]})},
        {"maps/first": {"layer1": numbers.random((2, 3)), "layer2": np.arange(4)}},
        {
            "images": numbers.integers(0, 256, (2, 8, 9, 3), np.uint8),
            "labels/one": numbers.integers(0, 256, (3, 8, 9), np.uint8),
            "depth": numbers.integers(0, 65536, (2, 5, 6), np.uint16),
        },
        numbers.integers(0, 256, (256, 3), np.uint8),
    )


def test_what_is_written_comes_back_whole(tmp_path):
    written = made()
    assert not store.exists(tmp_path)
    store.write(tmp_path, written)
    found = store.read(tmp_path, "smoke")
    assert store.exists(tmp_path) and found.about == written.about
    pd.testing.assert_frame_equal(found.tables["scores"], written.tables["scores"])
    assert all(np.array_equal(found.arrays["maps/first"][k], of) for k, of in written.arrays["maps/first"].items())
    assert found.pictures.keys() == written.pictures.keys()
    for name, pictures in written.pictures.items():
        assert found.pictures[name].dtype == pictures.dtype and np.array_equal(found.pictures[name], pictures)


def test_writing_again_removes_what_is_no_longer_there_and_nothing_else(tmp_path):
    store.write(tmp_path, made())
    store.write(tmp_path / "other", made())
    (tmp_path / "plan.json").write_text("{}")
    store.write(tmp_path, Stored({"profile": "smoke"}, made().tables))
    assert {path.name for path in tmp_path.rglob("*.*") if "other" not in path.parts} == {
        "about.json",
        "plan.json",
        "scores.parquet",
    }
    assert store.read(tmp_path / "other", "smoke").pictures


@pytest.mark.parametrize("file", ["scores.parquet", "maps/first.npz", "labels/one.png"])
@pytest.mark.parametrize("damage", ["broken", "missing"])
def test_what_is_broken_or_missing_says_what_to_do(tmp_path, file, damage):
    store.write(tmp_path, made())
    (tmp_path / file).write_bytes(b"broken") if damage == "broken" else (tmp_path / file).unlink()
    with pytest.raises(InputError, match="incomplete.*restore this folder with git, or remove it and run `make fig"):
        store.read(tmp_path, "smoke")


def test_results_of_another_profile_are_refused(tmp_path):
    store.write(tmp_path, made())
    with pytest.raises(InputError, match="are of profile 'smoke', expected 'laptop'"):
        store.read(tmp_path, "laptop")
