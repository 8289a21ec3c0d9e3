"""How fast the training-size panel redraws from the stored results of a profile: python benchmarks/panels.py [PROFILE]

Every training-set size, initialisation and image in turn, drawn and packed as PNG as when a slider moves.
The goal is ten redraws a second.
"""

import sys
import time
from dataclasses import replace
from itertools import product

import store

from depthseg_lib.analysis import results
from depthseg_lib.panels import panel
from depthseg_lib.panels.training_size import SizeResults, first_state, training_size_figure


def redraws_per_second(profile: str) -> float:
    """Redraws per second over all positions of the controls, after one to warm up."""
    held = SizeResults(results.load(profile).main)
    state = first_state(held)
    examples = range(len(held.results.examples.indices))
    here = state.encoder, state.setting
    moves = list(product(held.sizes(*here), held.initialisations(*here), examples))
    panel.png_bytes(training_size_figure(state, held))
    began = time.perf_counter()
    for size, initialisation, example in moves:
        moved = replace(state, images=size, initialisation=initialisation, example=example)
        panel.png_bytes(training_size_figure(moved, held))
    return len(moves) / (time.perf_counter() - began)


def main() -> None:
    profile = sys.argv[1] if len(sys.argv) > 1 else "laptop"
    rate = redraws_per_second(profile)
    store.save([store.row(f"training-size panel, profile {profile}", rate, None, "redraws/s", goal=10.0)])


if __name__ == "__main__":
    main()
