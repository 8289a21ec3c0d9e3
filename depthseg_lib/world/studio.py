"""One photograph of one thing: the thing, a setting around and behind it, and a camera that frames it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from depthseg_lib.world import road_users, roadside
from depthseg_lib.world.ground import asphalt_material, grass_material, paving_material
from depthseg_lib.world.light import Light, random_light
from depthseg_lib.world.render import Street, street_of
from depthseg_lib.world.scene import Builder, Label, Scene, together
from depthseg_lib.world.surfaces import Material

SETTINGS = ("road", "pavement", "meadow")
"""Grounds with the scenery that belongs to them."""


@dataclass(frozen=True)
class Subject:
    """A kind of thing that is photographed."""

    setting: str
    """Where it is usually found, one of `SETTINGS`."""
    label: Label
    """Of the part that the photograph frames."""
    make: Callable[[Builder, np.random.Generator], None]
    """Builds one at the origin."""
    turn: float
    """How far the camera goes around it to either side of its front, radians."""


def _house(build: Builder, rng: np.random.Generator) -> None:
    roadside.house(build, rng, rng.uniform(7, 14), rng.uniform(7, 11), int(rng.integers(1, 5)), rng.random() < 0.6)


def _tree(build: Builder, rng: np.random.Generator) -> None:
    roadside.tree(build, rng, rng.uniform(5, 11), rng.random() < 0.2)


def _wall(build: Builder, rng: np.random.Generator) -> None:
    half, material = rng.uniform(1.5, 3.5), build.material(roadside.wall_material(rng))
    build.box((-half, half), (-0.3, rng.uniform(0.9, 2.2)), (-0.14, 0.14), material)


def _fence(build: Builder, rng: np.random.Generator) -> None:
    half, high, material = rng.uniform(1.5, 3.5), rng.uniform(0.9, 1.8), build.material(roadside.fence_material(rng))
    build.box((-half, half), (0.08, high), (-0.02, 0.02), material)
    roadside.posts(build, [(x, 0, 0) for x in np.linspace(-half, half, rng.integers(3, 6))], high + 0.1, material)


SUBJECTS = {
    "building": Subject("meadow", Label.BUILDING, _house, 1.0),
    "wall": Subject("meadow", Label.WALL, _wall, 0.9),
    "fence": Subject("meadow", Label.FENCE, _fence, 0.9),
    "lamp post": Subject("pavement", Label.POLE, roadside.lamp, np.pi),
    "traffic light": Subject("road", Label.LIGHT, roadside.traffic_light, 0.6),
    "traffic sign": Subject("pavement", Label.SIGN, roadside.sign, 0.6),
    "tree": Subject("meadow", Label.PLANTS, _tree, np.pi),
    "person": Subject("pavement", Label.PERSON, road_users.person, np.pi),
    "car": Subject("road", Label.CAR, road_users.car, np.pi),
    "truck": Subject("road", Label.TRUCK, road_users.truck, np.pi),
    "bus": Subject("road", Label.BUS, road_users.bus, np.pi),
    "bicycle": Subject("pavement", Label.BICYCLE, road_users.bicycle, np.pi),
}
"""The classes of the photographs, in order."""


@dataclass(frozen=True)
class Shot:
    """One photograph, ready to be taken."""

    scene: Scene
    pose: np.ndarray
    """(4, 4) camera-to-world."""
    matrix: np.ndarray
    """(3, 3) intrinsics."""
    light: Light
    shift: np.ndarray
    """(3,) where in the noise its textures lie."""
    reach: float
    """Metres around the thing that its shadow may cover."""


def shot(seed: tuple[int, ...], subject: Subject, setting: str, scale: float, size: int) -> Shot:
    """Compose a photograph of `size` x `size` pixels.

    The larger side of the subject's bounds is `scale` of the image, whose centre is the centre of these bounds.
    """
    rng = np.random.default_rng(seed)
    build = Builder()
    build.place(0, 0, 0, label=Label.POLE if subject.label in (Label.LIGHT, Label.SIGN) else subject.label)
    subject.make(build, rng)
    scene = build.build()
    quads, chosen = len(scene.corners), scene.label == subject.label
    centres, axes = scene.centres[chosen[quads:]], scene.axes[chosen[quads:]].mT
    around = (scene.corners[chosen[:quads]], centres[:, None] + axes, centres[:, None] - axes)
    # corners of quads, poles of ellipsoids; foundations are under the ground
    points = np.minimum(torch.cat([part.reshape(-1, 3) for part in around]).double().numpy(), [np.inf, 0.0, np.inf])
    pose, matrix, distance = _frame(rng, points, subject.turn, scale, size)
    _set(build, rng, setting, pose, distance, points)
    reach = max(4.0, float(np.abs(points[:, [0, 2]]).max()) + 2)
    return Shot(build.build(), pose, matrix, random_light(rng), rng.uniform(0, 1000, 3), reach)


def photographs_of(shots: list[Shot]) -> tuple[Street, torch.Tensor]:
    """All shots as one street with a camera each, and their intrinsics (V, 3, 3)."""
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (0.0, 1.0) for z in (-1, 1)])
    around = np.array([corners * [one.reach, -4.0, one.reach] for one in shots])
    poses, shifts, matrices = (np.stack([getattr(one, name) for one in shots]) for name in ("pose", "shift", "matrix"))
    scene, lights = together([one.scene for one in shots]), [one.light for one in shots]
    street = street_of(scene, poses[None], lights, around, shifts, [one.reach / 50 for one in shots])
    return street, torch.from_numpy(matrices)


def _frame(rng: np.random.Generator, points: np.ndarray, turn: float, scale: float, size: int):
    """A camera around the thing, its intrinsics and its distance; it stands at eye height and zooms until it fits."""
    middle = (points.min(0) + points.max(0)) / 2
    angle, extent = rng.uniform(-turn, turn), float(np.ptp(points, axis=0).max())
    distance = max(rng.uniform(1.6, 3.0) * extent, rng.uniform(4.0, 9.0))
    eye = np.array([middle[0] + distance * np.sin(angle), -rng.uniform(0.6, 2.2), middle[2] + distance * np.cos(angle)])
    forward = (middle - eye) / np.linalg.norm(middle - eye)
    right = np.cross([0.0, 1.0, 0.0], forward)  # the camera is upright, y down
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.stack([right, np.cross(forward, right), forward], axis=1), eye
    seen = (points - eye) @ pose[:3, :3]
    flat = seen[:, :2] / seen[:, 2:]
    low, high = flat.min(0), flat.max(0)
    focal = scale * size / float((high - low).max())
    centre = (size - 1) / 2 - focal * (low + high) / 2
    return pose, np.array([[focal, 0.0, centre[0]], [0.0, focal, centre[1]], [0.0, 0.0, 1.0]]), distance


def _set(build: Builder, rng: np.random.Generator, setting: str, pose: np.ndarray, distance: float, points) -> None:
    """Lay the ground and put scenery behind the thing, as seen from the camera."""
    label, maker, city = {
        "road": (Label.ROAD, asphalt_material, 0.5),
        "pavement": (Label.PAVEMENT, paving_material, 0.8),
        "meadow": (Label.TERRAIN, grass_material, 0.12),
    }[setting]
    reach = 200.0
    build.place(0, 0, 0, rng.uniform(0, np.pi), label=label)
    near = build.material(maker(rng))
    build.quads([[(-reach, 0, -reach), (reach, 0, -reach), (reach, 0, reach), (-reach, 0, reach)]], near)
    if setting == "road":
        paint = build.material(Material((0.8, 0.8, 0.78), contrast=0.4))
        for x in rng.uniform(-6, 6, 2):
            for z in np.arange(-16.0, 16.0, rng.choice([3.0, 6.0])):
                build.quads([[(x, 0.01, z), (x + 0.14, 0.01, z), (x + 0.14, 0.01, z + 3), (x, 0.01, z + 3)]], paint)
    away = -pose[:3, 2] * [1, 0, 1]
    heading = float(np.arctan2(away[0], away[2]))  # from the scenery towards the camera
    radius = float(np.abs(points[:, [0, 2]]).max())
    for number in range(int(rng.integers(2, 5))):
        behind = radius + rng.uniform(0.3, 1.6) * distance + 3.0
        aside = (number - 1.3 + rng.uniform(-0.5, 0.5)) * 0.35 * (distance + behind)
        cos, sin = np.cos(heading), np.sin(heading)
        build.place(-behind * sin + aside * cos, 0, -behind * cos - aside * sin, heading, label=Label.PLANTS)
        # one piece of scenery; the same kinds of thing stand in all settings, in different shares
        draw = rng.random()
        if draw < city:
            build.label(Label.BUILDING)
            roadside.house(build, rng, rng.uniform(8, 16), 8.0, int(rng.integers(1, 4)), rng.random() < 0.5)
        elif draw < city + 0.6 * (1 - city):
            roadside.tree(build, rng, rng.uniform(4, 10), rng.random() < 0.2)
        elif setting == "road":
            build.label(Label.CAR)
            road_users.car(build, rng)
        else:
            roadside.bush(build, rng, rng.uniform(1.0, 2.5))
