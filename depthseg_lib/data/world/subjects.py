"""The kinds of thing that are photographed, and where each is usually found."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from depthseg_lib.data.world import furniture, people, plants
from depthseg_lib.data.world.builder import Builder
from depthseg_lib.world import buildings, road_users

SETTINGS = ("road", "pavement", "meadow")
"""Grounds with the scenery that belongs to them."""


@dataclass(frozen=True)
class Subject:
    """A kind of thing that is photographed."""

    setting: str
    """Where it is usually found, one of `SETTINGS`."""
    label: int
    """KITTI label id of the part that the photograph frames."""
    make: Callable[[Builder, np.random.Generator], None]
    """Builds one at the origin."""
    turn: float
    """How far the camera goes around it to either side of its front, radians."""


def _house(build: Builder, rng: np.random.Generator) -> None:
    buildings.house(build, rng, rng.uniform(7, 14), rng.uniform(7, 11), int(rng.integers(1, 5)), rng.random() < 0.6)


def _tree(build: Builder, rng: np.random.Generator) -> None:
    plants.tree(build, rng, rng.uniform(5, 11), rng.random() < 0.2)


def _wall(build: Builder, rng: np.random.Generator) -> None:
    half, material = rng.uniform(1.5, 3.5), build.material(buildings.wall_material(rng))
    build.box((-half, half), (-0.3, rng.uniform(0.9, 2.2)), (-0.14, 0.14), material)


def _fence(build: Builder, rng: np.random.Generator) -> None:
    half, high, material = rng.uniform(1.5, 3.5), rng.uniform(0.9, 1.8), build.material(buildings.fence_material(rng))
    build.box((-half, half), (0.08, high), (-0.02, 0.02), material)
    for x in np.linspace(-half, half, int(rng.integers(3, 6))):
        build.box((x - 0.06, x + 0.06), (-0.3, high + 0.1), (-0.06, 0.06), material)


def _light(build: Builder, rng: np.random.Generator) -> None:
    furniture.traffic_light(build, rng)


SUBJECTS = {
    "building": Subject("meadow", buildings.BUILDING, _house, 1.0),
    "wall": Subject("meadow", buildings.WALL, _wall, 0.9),
    "fence": Subject("meadow", buildings.FENCE, _fence, 0.9),
    "lamp post": Subject("pavement", furniture.POLE, furniture.lamp, np.pi),
    "traffic light": Subject("road", furniture.LIGHT, _light, 0.6),
    "traffic sign": Subject("pavement", furniture.SIGN, furniture.sign, 0.6),
    "tree": Subject("meadow", plants.VEGETATION, _tree, np.pi),
    "person": Subject("pavement", people.PERSON, people.person, np.pi),
    "car": Subject("road", road_users.CAR, road_users.car, np.pi),
    "truck": Subject("road", road_users.TRUCK, road_users.truck, np.pi),
    "bus": Subject("road", road_users.BUS, road_users.bus, np.pi),
    "bicycle": Subject("pavement", road_users.BICYCLE, road_users.bicycle, np.pi),
}
"""The classes of the photographs, in order."""
