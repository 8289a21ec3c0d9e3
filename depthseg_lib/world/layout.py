"""A street from a seed: its line, its ground, and everything that stands beside it or moves along it."""

from dataclasses import dataclass

import numpy as np

from depthseg_lib.world import road_users, roadside
from depthseg_lib.world.ground import KERB, NODE, Path, Profile, lay_ground, wander
from depthseg_lib.world.light import random_light
from depthseg_lib.world.render import Street, street_of
from depthseg_lib.world.scene import Builder, Label, motions, turned
from depthseg_lib.world.surfaces import FOLIAGE, GRASS, PLASTER, Material, pick

_BEHIND, _AHEAD = 15.0, 125.0
"""Metres of street before the drive begins and after it ends."""


@dataclass(frozen=True)
class Plan:
    """What a street is like, before anything is built."""

    path: Path
    profile: Profile
    kind: str
    """city, suburb or country."""
    drive: float
    """How far the camera drives, metres along the path from 0 on."""
    last: float
    """Where the street ends."""


def build_street(seed: tuple[int, ...], frames: int) -> Street:
    """The street of `seed` with a drive of `frames` frames (and one more pose, for flow); the same on every call."""
    rng = np.random.default_rng(seed)
    speed = rng.uniform(0.6, 1.2)
    plan = _plan(rng, frames * speed)
    build = Builder()
    lay_ground(build, rng, plan.path, plan.profile)
    for side in (-1, 1):
        _line_up_buildings(build, rng, plan, side)
        _line_up_plants(build, rng, plan, side)
        _line_up_furniture(build, rng, plan, side)
    _distance(build, rng, plan)
    times = np.arange(frames + 2)
    _park(build, rng, plan)
    _drive(build, rng, plan, times, speed)
    _walk(build, rng, plan, times)
    poses = _camera(rng, plan, times[:-1] * speed)
    ends = np.concatenate([plan.path.point(np.arange(-10.0, plan.drive + 75, 5), side * 16.0, 2.5) for side in (-1, 1)])
    reach = ends[None] * [1.0, -1.0, 1.0]
    shift = rng.uniform(0, 1000, (1, 3))
    return street_of(build.build(len(times)), poses[:, None], [random_light(rng)], reach, shift, [0.22])


def _plan(rng: np.random.Generator, drive: float) -> Plan:
    kind = str(rng.choice(["city", "suburb", "country"], p=[0.38, 0.4, 0.22]))
    last = drive + _AHEAD
    path = wander(rng, -_BEHIND, last)
    low, high = {"city": (2.0, 4.5), "suburb": (1.4, 2.8), "country": (1.2, 1.8)}[kind]
    has_pavement = rng.random(2) < {"city": 1.0, "suburb": 0.85, "country": 0.3}[kind]
    verge = {"city": (0.0, 1.5), "suburb": (3.0, 8.0), "country": (8.0, 20.0)}[kind]
    parking = rng.random(2) < {"city": 0.65, "suburb": 0.4, "country": 0.1}[kind]
    joins = [(s, s + rng.uniform(6, 9), int(rng.choice([-1, 1]))) for s in np.arange(rng.uniform(12, 50), last, 47)]
    steep = {"city": 0.1, "suburb": 0.8, "country": 2.2}[kind]
    profile = Profile(
        lane=rng.uniform(2.9, 3.7),
        parking=tuple(2.1 * parking),
        pavement=tuple(rng.uniform(low, high, 2) * has_pavement),
        verge=tuple(rng.uniform(*verge, 2)),
        paved=kind == "city",
        bank=tuple(rng.uniform(-0.3, 1, 2) * steep),
        side_streets=tuple(joins) if rng.random() < 0.8 else (),
    )
    return Plan(path, profile, kind, drive, last)


def _line_up_buildings(build: Builder, rng: np.random.Generator, plan: Plan, side: int) -> None:
    profile, along = plan.profile, -_BEHIND - rng.uniform(0, 8)
    density = {"city": 0.93, "suburb": 0.75, "country": 0.16}[plan.kind]
    common = int(rng.integers(2, 5))
    while along < plan.last:
        width, depth = (rng.uniform(7, 18), rng.uniform(9, 13)) if plan.kind == "city" else rng.uniform(7, 12, 2)
        gap = rng.uniform(0, 0.6) if plan.kind == "city" and rng.random() < 0.8 else rng.uniform(2.5, 9)
        blocked = profile.joins(side, along - 1, along + width + 1)
        if rng.random() < density and not blocked:
            storeys = max(1, common + int(rng.integers(-1, 2))) if plan.kind == "city" else int(rng.integers(1, 3))
            across = side * (profile.line(side) + depth / 2 + rng.uniform(0, 0.8))
            _stand(build, plan, along + width / 2, across, side * -np.pi / 2, Label.BUILDING)
            roadside.house(build, rng, width, depth, storeys, gabled=plan.kind != "city" or rng.random() < 0.4)
        along += 4.0 if blocked else width + gap
    if plan.kind != "country" or rng.random() < 0.4:
        _enclose(build, rng, plan, side)


def _enclose(build: Builder, rng: np.random.Generator, plan: Plan, side: int) -> None:
    """Walls, fences and hedges along the building line, in stretches."""
    profile, nodes, stretch = plan.profile, plan.path.along, int(rng.integers(4, 10))
    kinds = (
        (Label.WALL, roadside.wall_material, 0.22),
        (Label.FENCE, roadside.fence_material, 0.05),
        (Label.PLANTS, roadside.hedge_material, 0.7),
    )
    chance, across = (0.3, profile.line(side) - 0.1) if plan.kind == "city" else (0.7, profile.edge(side) + 0.35)
    lift = KERB if profile.pavement[side > 0] else 0.02
    for first in range(0, len(nodes) - stretch, stretch):
        along = nodes[first : first + stretch + 1]
        label, maker, thick = kinds[rng.integers(3)]
        if rng.random() > chance or profile.joins(side, along[0] - 1, along[-1] + 1):
            continue
        build.place(0, 0, 0, label=label)
        height, material = rng.uniform(0.9, 1.9), build.material(maker(rng))
        roadside.enclosure(build, plan.path, along, side * across, height, thick, lift, material)
        if label == Label.FENCE:
            roadside.posts(build, plan.path.point(along, side * across, lift), height + 0.1, material)


def _line_up_plants(build: Builder, rng: np.random.Generator, plan: Plan, side: int) -> None:
    profile = plan.profile
    low, high = {"city": (9, 30), "suburb": (8, 16), "country": (4, 9)}[plan.kind]
    spacing = rng.uniform(low, high)
    conifers = {"city": 0.0, "suburb": 0.15, "country": 0.3}[plan.kind]
    for along in np.arange(-_BEHIND + rng.uniform(0, spacing), plan.last, spacing):
        along += rng.uniform(-0.2, 0.2) * spacing
        if profile.joins(side, along - 2, along + 2) or rng.random() < 0.15:
            continue
        if plan.kind != "city":
            across = profile.edge(side) + 2.4 + rng.uniform(0, profile.verge[side > 0])
        elif profile.pavement[side > 0] > 2.4:
            across = profile.kerb(side) + 0.6
        else:
            continue
        _stand(build, plan, along, side * across, 0.0, Label.PLANTS)
        if plan.kind != "city" and rng.random() < 0.3:
            roadside.bush(build, rng, rng.uniform(0.8, 2.0))
        else:
            roadside.tree(build, rng, rng.uniform(6.5 if plan.kind == "city" else 5, 11), rng.random() < conifers)


def _line_up_furniture(build: Builder, rng: np.random.Generator, plan: Plan, side: int) -> None:
    profile = plan.profile
    across = side * (profile.kerb(side) + 0.45)
    spacing = rng.uniform(16, 30)
    facing = np.pi if side > 0 else 0.0
    for along in np.arange(-_BEHIND + rng.uniform(0, spacing), plan.last, spacing):
        if rng.random() < 0.8:
            _stand(build, plan, along, across, -side * np.pi / 2, Label.POLE)
            roadside.lamp(build, rng)
        if rng.random() < 0.75:
            turn = np.pi if rng.random() < 0.7 else facing
            _stand(build, plan, along + rng.uniform(3, 8), across, turn, Label.POLE)
            roadside.sign(build, rng)
        if rng.random() < 0.3:
            _stand(build, plan, along + rng.uniform(8, 12), across, 0.0, Label.POLE)
            roadside.pole(build, rng)
        if rng.random() < 0.25:
            for step in range(int(rng.integers(1, 4))):
                place = along + 2 + 0.8 * step, across + side * 0.6
                _stand(build, plan, *place, rng.uniform(-0.4, 0.4) + side * np.pi / 2, Label.BICYCLE)
                road_users.bicycle(build, rng)
    if plan.kind != "country":
        for along in np.arange(rng.uniform(8, 40), plan.last, rng.uniform(35, 60)):
            _stand(build, plan, along, across, np.pi if side > 0 or rng.random() < 0.5 else 0.0, Label.POLE)
            roadside.traffic_light(build, rng, overhead=rng.choice([0.0, 3.0]) if side > 0 else 0.0)


def _distance(build: Builder, rng: np.random.Generator, plan: Plan) -> None:
    """What closes the view at the end of the street and beyond: buildings, trees, hills."""
    for _ in range(26):
        across = rng.uniform(-75, 75)
        _stand(build, plan, plan.last + NODE * rng.uniform(1, 8), across, np.pi, Label.PLANTS, lift=-0.5)
        if rng.random() < (0.65 if plan.kind == "city" else 0.3):
            build.label(Label.BUILDING)
            roadside.house(build, rng, rng.uniform(8, 18), 10.0, int(rng.integers(1, 5)), rng.random() < 0.6)
        else:
            roadside.tree(build, rng, rng.uniform(7, 14), rng.random() < 0.3)
    (x, height, z), heading = plan.path.point(plan.last), plan.path.turn(plan.last)
    for _ in range(int(rng.integers(0, 6))):
        label, colours = (Label.PLANTS, FOLIAGE) if rng.random() < 0.6 else (Label.TERRAIN, GRASS)
        away, around = rng.uniform(250, 700), heading + rng.uniform(-0.9, 0.9)
        build.place(x + away * np.sin(around), height - 8, z + away * np.cos(around), label=label)
        material = build.material(Material(pick(rng, colours), wavelength=25.0, contrast=0.6, bump=0.6))
        build.ellipsoid((0, 0, 0), (rng.uniform(80, 250), rng.uniform(15, 60), rng.uniform(60, 120)), material)
    for _ in range(int(rng.integers(0, 7)) if plan.kind == "city" else 0):
        away, around = rng.uniform(60, 220), heading + rng.uniform(-0.8, 0.8)
        build.place(x + away * np.sin(around), height - 2, z + away * np.cos(around), label=Label.BUILDING)
        tower = build.material(Material(pick(rng, PLASTER), contrast=0.2, windows=(3.0, 3.2, 0.6, 0.5), frame=0.6))
        half = rng.uniform(6, 12)
        build.box((-half, half), (0, rng.uniform(15, 55)), (-half, half), tower)


def _stand(build: Builder, plan: Plan, along: float, across: float, turn: float, label: int, lift=None) -> None:
    """Begin a thing at a place beside the street, turned by `turn` from the street's direction."""
    side = 1 if across > 0 else -1
    if lift is None:
        lift = 0.0 if abs(across) < plan.profile.kerb(side) else KERB if plan.profile.pavement[side > 0] else 0.02
    x, height, z = plan.path.point(along, across, lift)
    build.place(x, height, z, plan.path.turn(along) + turn, label=label)


def _park(build: Builder, rng: np.random.Generator, plan: Plan) -> None:
    """Rows of parked cars and a few vans and lorries in the parking strips, or half on the kerb."""
    path, profile = plan.path, plan.profile
    for side in (-1, 1):
        strip = profile.parking[side > 0]
        share = rng.uniform(0.25, 0.8) if strip else rng.uniform(0.0, 0.12)
        across = side * (profile.kerb(side) + (-1.05 if strip else 0.25))
        for along in np.arange(path.along[0] + rng.uniform(0, 5), plan.last, rng.uniform(5.3, 6.6)):
            if rng.random() > share or profile.joins(side, along - 4, along + 4):
                continue
            across_here, backwards = across + rng.uniform(-0.12, 0.12), rng.random() < (0.15 if side > 0 else 0.85)
            turn = np.pi * backwards + rng.uniform(-0.04, 0.04)
            _stand(build, plan, along, across_here, turn, Label.CAR, lift=0.0)
            if strip and rng.random() < 0.05:
                build.label(Label.TRUCK)
                road_users.truck(build, rng)
            else:
                road_users.car(build, rng)


def _drive(build: Builder, rng: np.random.Generator, plan: Plan, times: np.ndarray, speed: float) -> None:
    """Cars, lorries, buses and cyclists that move; those ahead in the camera's lane never come nearer than 8 m."""
    path, wide = plan.path, plan.profile.lane
    lane = wide / 2
    for start in np.arange(rng.uniform(8, 30), path.along[-1] + 1.2 * speed * times[-1], rng.uniform(18, 60)):
        pace = rng.uniform(0.4, 1.2)
        _vehicle(build, rng, path, start - pace * times, -lane, np.pi)
    ahead = rng.uniform(9, 40)
    while ahead < path.along[-1] and rng.random() < 0.5:
        pace = rng.uniform(0.85, 1.3) * speed
        pace = max(pace, speed - (ahead - 8.5) / max(times[-1], 1))
        _vehicle(build, rng, path, ahead + pace * times, lane, 0.0)
        ahead += rng.uniform(12, 40)
    for side in (-1, 1):
        for start in rng.uniform(5, 70, rng.integers(0, 3)):
            pace = side * rng.uniform(0.25, 0.5)
            turn = 0.0 if side > 0 else np.pi
            body = build.body(_ride(path, start + pace * times, side * (wide - 0.35), turn))
            build.place(0, 0, 0, label=Label.BICYCLE, body=body)
            road_users.bicycle(build, rng)
            build.place(0, 0, 0, label=Label.RIDER, body=body)
            road_users.rider(build, rng)


def _vehicle(build: Builder, rng: np.random.Generator, path: Path, along: np.ndarray, across: float, turn: float):
    kinds = ((Label.CAR, road_users.car), (Label.TRUCK, road_users.truck), (Label.BUS, road_users.bus))
    label, maker = kinds[rng.choice(3, p=[0.86, 0.09, 0.05])]
    build.place(0, 0, 0, label=label, body=build.body(_ride(path, along, across, turn)))
    maker(build, rng)


def _walk(build: Builder, rng: np.random.Generator, plan: Plan, times: np.ndarray) -> None:
    """People on the pavements, walking or standing, and a few who cross the street beyond the end of the drive."""
    path, profile, drive = plan.path, plan.profile, plan.drive
    for side in (-1, 1):
        wide = profile.pavement[side > 0]
        for along in rng.uniform(3, drive + 60, rng.poisson(0.07 * (drive + 60) if wide else 2)):
            across = side * (profile.kerb(side) + rng.uniform(0.3, max(wide, 1.2) - 0.2))
            if rng.random() < 0.3:
                x, height, z = path.point(along, across, KERB if wide else 0.02)
                build.place(x, height, z, rng.uniform(0, 2 * np.pi), label=Label.PERSON)
                road_users.person(build, rng)
            else:
                pace = rng.choice([-1, 1]) * rng.uniform(0.07, 0.15)
                torso = _ride(path, along + pace * times, across, 0.0 if pace > 0 else np.pi, KERB if wide else 0.02)
                road_users.walker(build, rng, torso, abs(pace))
    for along in rng.uniform(drive + 7, drive + 40, rng.integers(0, 4)):
        pace = rng.choice([-1, 1]) * rng.uniform(0.07, 0.14)
        start = rng.uniform(-0.8, 0.8) * profile.lane - pace * times[-1] / 2
        torso = _ride(path, np.full(len(times), along), start + pace * times, np.sign(pace) * np.pi / 2)
        road_users.walker(build, rng, torso, abs(pace))


def _ride(path: Path, along: np.ndarray, across, turn: float, lift: float = 0.0) -> np.ndarray:
    """Transforms (T, 4, 4), heights upwards, of something upright that follows the street."""
    return motions(turned(path.turn(along) + turn, 2, 0), path.point(along, across, lift))


def _camera(rng: np.random.Generator, plan: Plan, along: np.ndarray) -> np.ndarray:
    """Camera-to-world poses (T, 4, 4), y down, of a car in the right lane: it sways, nods and follows the slope."""
    height, pitch, roll = rng.uniform(1.35, 2.0), np.radians(rng.uniform(-3.5, 2.5)), np.radians(rng.normal(0, 0.5))
    sway = rng.uniform(0, 0.2) * np.sin(along * 0.13 + rng.uniform(0, 6))
    nod = rng.uniform(0, 0.005) * np.sin(along * 1.1 + rng.uniform(0, 6))
    x, up, z = plan.path.point(along, 0.46 * plan.profile.lane + sway, height).T
    yaw = plan.path.turn(along) + rng.normal(0, 0.02)
    climb = np.arctan(plan.path.climb(along)) + pitch + nod
    # heading from +z towards +x, climb from +z towards -y, which is up, roll from +x towards +y
    turn = turned(yaw, 2, 0) @ turned(-climb, 2, 1) @ turned(np.full_like(yaw, roll), 0, 1)
    return motions(turn, np.stack([x, -up, z], -1))
