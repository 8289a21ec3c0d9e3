"""What the ledger says beside its verdicts: of data, pairing and pre-training, from planted results."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.claimed import DIVERGES, ENCODER, PAPER, results, stand_in

from depthseg_lib.analysis.claims import ledger as claims_ledger
from depthseg_lib.data.labels import NYU13
from depthseg_lib.settings import FROM_LARGE
from depthseg_lib.study.profiles import PROFILES


def said(*rows: dict) -> dict[str, str]:
    """The notes by part, where these pre-training runs are known."""
    named = [row | {"name": f"{ENCODER}-{row['name']}"} for row in rows]
    held = replace(results(stand_in(PAPER), DIVERGES), pretrain=pd.DataFrame(named))
    return claims_ledger.ledger(held).drop_duplicates("id").set_index("id")["note"]


def flow(epe, mean):
    return {"name": "flow", "iteration": 500, "epe": epe, "epe_mean_map": mean}


def depth(abs_rel=0.33, mean=0.48, name="depth", iterations=900):
    return {"name": name, "iteration": iterations, "abs_rel": abs_rel, "abs_rel_mean_map": mean}


@pytest.mark.parametrize(
    ("epe", "mean", "note"),
    [
        (1.91, 1.93, "the flow network is hardly better than the mean flow (1.91 against 1.93 px)"),
        (2.0, 1.93, "the flow network is no better than the mean flow (2.00 against 1.93 px)"),
        (1.8, 1.93, ""),
        (np.nan, np.nan, ""),
    ],
)
def test_flow_that_learned_little_of_its_images_is_said(epe, mean, note):
    notes = said(flow(epe, mean), depth())
    assert notes["C8"] == note and "flow" not in notes["C1"]


def test_depth_that_learned_little_of_its_images_is_said_where_it_is_compared():
    notes = said(depth(0.49), depth(0.3, name="depth-large"), depth(0.47, name="depth-supervised"))
    assert notes["C1"] == "the depth network is no better than the mean depth map (0.49 against 0.48)"
    assert "the depth-supervised network is hardly better than the mean depth map" in notes["C13a"]
    assert not any("better than" in notes[part] for part in ("C4b", "C12a", "C11a"))
    notes = said(depth(), depth(0.6, name="depth-large"))
    assert notes["C1"] == "" and "the depth network of the large size is no better than" in notes["C12a"]


def test_depth_that_was_learned_for_another_time_at_the_large_size_is_said():
    text = "depth at the large size had 360 steps, at the small one 900"
    notes = said(depth(), depth(name="depth-large", iterations=360))
    assert all(text in notes[part] for part in ("C11a", "C11b", "C12a", "C12c", "C12e", "C12f"))
    assert not any(text in notes[part] for part in ("C1", "C11c", "C12d"))
    assert not any("steps" in note for note in said(depth(), depth(name="depth-large")))
    assert not any("steps" in note for note in said(depth(name="depth-large", iterations=360)))
    assert set(FROM_LARGE) == {
        part.experiment for of in PROFILES.values() for part in of.parts if part.pretrained_large
    }


def test_the_two_architectures_of_claim_3_are_said_to_share_batches_alone():
    notes = said(depth())
    assert notes["C3"] == "two architectures: the trials share the order of batches, not the fresh layers"
    assert not any("architectures" in notes[part] for part in ("C1", "C7a", "C9a", "C12e"))


def test_what_stands_for_the_papers_data_is_said():
    held = results(stand_in(PAPER), DIVERGES)
    ledger = claims_ledger.ledger(held)
    indoors = ledger["id"].str.startswith("C13")
    place = "embedded street world for NYU-V2"
    assert ledger.loc[indoors, "stand_in"].str.endswith(place).all()
    assert ledger.loc[indoors, "note"].str.contains(f"stand-in: {place}").all()
    assert not ledger.loc[~indoors, "stand_in"].str.contains("NYU").any()
    nyu = claims_ledger.ledger(replace(held, data_set="nyu", label_set=NYU13))
    assert not nyu["stand_in"].str.contains("NYU").any() and not nyu["note"].str.contains("NYU").any()


def test_figure_8_has_its_part_with_the_accuracy_beside():
    rows = claims_ledger.ledger(results(stand_in(PAPER), DIVERGES)).query("id == 'C12e'").set_index("metric")
    assert list(rows["decides"]) == [True, False] and list(rows.index) == ["miou_seven", "accuracy"]
    assert rows["compared"].iloc[0] == "depth − classification, deeplab, high" and "Figure 8" in rows["note"].iloc[0]
    assert rows["effect"].tolist() == pytest.approx([3, 3], abs=0.3)
