"""Parked and driving vehicles, people, and the camera's own drive."""

import numpy as np

from depthseg_lib.data.world import people
from depthseg_lib.data.world.builder import Builder
from depthseg_lib.data.world.path import Path
from depthseg_lib.world import road_users
from depthseg_lib.world.ground import KERB, Profile


def parked(build: Builder, rng: np.random.Generator, path: Path, profile: Profile, last: float) -> None:
    """Rows of parked cars and a few vans and lorries in the parking strips, or half on the kerb."""
    for side in (-1, 1):
        strip = profile.parking[side > 0]
        share = rng.uniform(0.25, 0.8) if strip else rng.uniform(0.0, 0.12)
        across = side * (profile.kerb(side) + (-1.05 if strip else 0.25))
        for along in np.arange(path.along[0] + rng.uniform(0, 5), last, rng.uniform(5.3, 6.6)):
            if rng.random() > share or profile.joins(side, along - 4, along + 4):
                continue
            x, height, z = path.point(along, across + rng.uniform(-0.12, 0.12))
            backwards = rng.random() < (0.15 if side > 0 else 0.85)
            turn = np.pi * backwards + rng.uniform(-0.04, 0.04)
            build.place(x, height, z, path.turn(along) + turn, label=road_users.CAR)
            if strip and rng.random() < 0.05:
                build.label(road_users.TRUCK)
                road_users.truck(build, rng)
            else:
                road_users.car(build, rng)


def driving(build: Builder, rng: np.random.Generator, path: Path, profile: Profile, times: np.ndarray, speed: float):
    """Cars, lorries, buses and cyclists that move; those ahead in the camera's lane never come nearer than 8 m."""
    lane = profile.lane / 2
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
            _cyclist(build, rng, path, start + pace * times, side * (profile.lane - 0.35), 0.0 if side > 0 else np.pi)


def _vehicle(build: Builder, rng: np.random.Generator, path: Path, along: np.ndarray, across: float, turn: float):
    kind = rng.choice(["car", "truck", "bus"], p=[0.86, 0.09, 0.05])
    body = build.body(_ride(path, along, across, turn))
    label, maker = {"car": (26, road_users.car), "truck": (27, road_users.truck), "bus": (28, road_users.bus)}[kind]
    build.place(0, 0, 0, label=label, body=body)
    maker(build, rng)


def _cyclist(build: Builder, rng: np.random.Generator, path: Path, along: np.ndarray, across: float, turn: float):
    body = build.body(_ride(path, along, across, turn))
    build.place(0, 0, 0, label=road_users.BICYCLE, body=body)
    road_users.bicycle(build, rng)
    build.place(0, 0, 0, label=people.RIDER, body=body)
    people.rider(build, rng)


def walking(build: Builder, rng: np.random.Generator, path: Path, profile: Profile, times: np.ndarray, drive: float):
    """People on the pavements, walking or standing, and a few who cross the street beyond the end of the drive."""
    for side in (-1, 1):
        wide = profile.pavement[side > 0]
        for along in rng.uniform(3, drive + 60, rng.poisson(0.07 * (drive + 60) if wide else 2)):
            across = side * (profile.kerb(side) + rng.uniform(0.3, max(wide, 1.2) - 0.2))
            if rng.random() < 0.3:
                x, height, z = path.point(along, across, KERB if wide else 0.02)
                build.place(x, height, z, rng.uniform(0, 2 * np.pi), label=people.PERSON)
                people.person(build, rng)
            else:
                pace = rng.choice([-1, 1]) * rng.uniform(0.07, 0.15)
                turn = 0.0 if pace > 0 else np.pi
                _walker(build, rng, _ride(path, along + pace * times, across, turn, KERB if wide else 0.02), abs(pace))
    for along in rng.uniform(drive + 7, drive + 40, rng.integers(0, 4)):
        pace = rng.choice([-1, 1]) * rng.uniform(0.07, 0.14)
        start = rng.uniform(-0.8, 0.8) * profile.lane - pace * times[-1] / 2
        torso = _ride(path, np.full(len(times), along), start + pace * times, np.sign(pace) * np.pi / 2)
        _walker(build, rng, torso, abs(pace))


def _walker(build: Builder, rng: np.random.Generator, torso: np.ndarray, pace: float) -> None:
    limbs = tuple(build.body(limb) for limb in people.swing(torso, rng, pace * 4.2))
    build.place(0, 0, 0, label=people.PERSON, body=build.body(torso))
    people.person(build, rng, limbs)


def _ride(path: Path, along: np.ndarray, across, turn: float, lift: float = 0.0) -> np.ndarray:
    """Transforms (T, 4, 4), heights upwards, of something upright that follows the street."""
    heading = path.turn(along) + turn
    cos, sin, zero = np.cos(heading), np.sin(heading), np.zeros_like(heading)
    place = path.point(along, across, lift)
    rows = [[cos, zero, sin, place[:, 0]], [zero, zero + 1, zero, place[:, 1]], [-sin, zero, cos, place[:, 2]]]
    rows.append([zero, zero, zero, zero + 1])
    return np.array(rows).transpose(2, 0, 1)


def camera(rng: np.random.Generator, path: Path, profile: Profile, along: np.ndarray) -> np.ndarray:
    """Camera-to-world poses (T, 4, 4), y down, of a car in the right lane: it sways, nods and follows the slope."""
    height, pitch, roll = rng.uniform(1.35, 2.0), np.radians(rng.uniform(-3.5, 2.5)), np.radians(rng.normal(0, 0.5))
    sway = rng.uniform(0, 0.2) * np.sin(along * 0.13 + rng.uniform(0, 6))
    nod = rng.uniform(0, 0.005) * np.sin(along * 1.1 + rng.uniform(0, 6))
    x, up, z = path.point(along, 0.46 * profile.lane + sway, height).T
    yaw = path.turn(along) + rng.normal(0, 0.02)
    climb = np.arctan(path.climb(along)) + pitch + nod
    poses = np.tile(np.eye(4), (len(along), 1, 1))
    poses[:, :3, :3] = _turn_y(yaw) @ _turn_x(climb) @ _turn_z(np.full_like(yaw, roll))
    poses[:, :3, 3] = np.stack([x, -up, z], -1)
    return poses


def _turn_y(angle: np.ndarray) -> np.ndarray:
    """Heading: +z towards +x."""
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.array([[cos, zero, sin], [zero, zero + 1, zero], [-sin, zero, cos]]).transpose(2, 0, 1)


def _turn_x(angle: np.ndarray) -> np.ndarray:
    """Climb: +z towards -y, which is up."""
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.array([[zero + 1, zero, zero], [zero, cos, -sin], [zero, sin, cos]]).transpose(2, 0, 1)


def _turn_z(angle: np.ndarray) -> np.ndarray:
    """Roll: +x towards +y."""
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.array([[cos, -sin, zero], [sin, cos, zero], [zero, zero, zero + 1]]).transpose(2, 0, 1)
