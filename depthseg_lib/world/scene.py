"""A scene: flat quads and ellipsoids with a material, a label and a body each, and the builder that gathers them."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch

from depthseg_lib.world.raycast import Shapes
from depthseg_lib.world.surfaces import Material

# Corners of a frustum: base 0..3, top 4..7, both anticlockwise from (left, back) as seen from above. A face lists its
# corners so that u runs along the first edge and v up the last.
_FACES = np.array([[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7], [4, 5, 6, 7], [0, 1, 2, 3]])
_UP_TO_DOWN = np.array([1.0, -1.0, 1.0])


class Label(IntEnum):
    """KITTI's label ids of what there is in the world."""

    ROAD = 7
    PAVEMENT = 8
    BUILDING = 11
    WALL = 12
    FENCE = 13
    POLE = 17
    LIGHT = 19
    SIGN = 20
    PLANTS = 21
    TERRAIN = 22
    SKY = 23
    PERSON = 24
    RIDER = 25
    CAR = 26
    TRUCK = 27
    BUS = 28
    BICYCLE = 33


@dataclass(frozen=True)
class Scene:
    """What there is to see. Primitives are numbered quads first, then ellipsoids; y points down, as for the camera."""

    corners: torch.Tensor
    """(Q, 4, 3) float32 corners of the quads in their body's frame, metres."""
    centres: torch.Tensor
    """(E, 3) float32 centres of the ellipsoids."""
    axes: torch.Tensor
    """(E, 3, 3) float32 semi-axes of the ellipsoids, as columns."""
    material: torch.Tensor
    """(Q + E,) int64 row of `materials`."""
    label: torch.Tensor
    """(Q + E,) int64, a `Label`."""
    thing: torch.Tensor
    """(Q + E,) int64 number of the object that the primitive is a part of."""
    body: torch.Tensor
    """(Q + E,) int64 index into `bodies`; 0 is the ground that stands still."""
    materials: torch.Tensor
    """(M, K) float32, see `surfaces.COLUMNS`."""
    bodies: torch.Tensor
    """(T, B, 4, 4) float64 body-to-world transforms at each time."""
    view: torch.Tensor
    """(Q + E,) int64, the camera that sees the primitive: 0, but for scenes put together by `together`."""


def together(scenes: list[Scene]) -> Scene:
    """One scene of several in which nothing moves, each for a camera of its own: so that they render in one go."""
    first = np.cumsum([0, *(len(scene.materials) for scene in scenes)]).tolist()
    names = ("corners", "centres", "axes", "materials")
    whole = {name: torch.cat([getattr(scene, name) for scene in scenes]) for name in names}
    per_primitive = {name: [getattr(scene, name) for scene in scenes] for name in ("label", "thing", "body")}
    per_primitive["material"] = [scene.material + start for scene, start in zip(scenes, first[:-1], strict=True)]
    per_primitive["view"] = [torch.full_like(scene.view, number) for number, scene in enumerate(scenes)]
    for name, parts in per_primitive.items():
        both = [part.split([len(s.corners), len(s.centres)]) for part, s in zip(parts, scenes, strict=True)]
        whole[name] = torch.cat([quads for quads, _ in both] + [rest for _, rest in both])
    return Scene(**whole, bodies=scenes[0].bodies)


def shapes_at(scene: Scene, time: int) -> Shapes:
    """The primitives where they are at `time`."""
    quads, own = len(scene.corners), scene.body.nonzero()[:, 0]  # body 0 stands still
    corners, centres, axes = (part.double() for part in (scene.corners, scene.centres, scene.axes))
    flat, rounded, transforms = own[own < quads], own[own >= quads] - quads, scene.bodies[time][scene.body[own]]
    turn, shift, count = transforms[:, :3, :3], transforms[:, :3, 3], len(flat)
    corners[flat] = corners[flat] @ turn[:count].mT + shift[:count, None]
    centres[rounded] = (turn[count:] @ centres[rounded][:, :, None])[..., 0] + shift[count:]
    axes[rounded] = turn[count:] @ axes[rounded]
    return Shapes(corners, centres, axes, scene.view[:quads], scene.view[quads:])


def turned(angle: np.ndarray, first: int, second: int) -> np.ndarray:
    """Rotations (T, 3, 3) by `angle` (T,) radians that take the axis `first` towards the axis `second`."""
    turn = np.tile(np.eye(3), (len(angle), 1, 1))
    turn[:, first, first] = turn[:, second, second] = np.cos(angle)
    turn[:, second, first], turn[:, first, second] = np.sin(angle), -np.sin(angle)
    return turn


def motions(turn: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Rigid motions (T, 4, 4) that turn by `turn` (T, 3, 3) and then move the origin to `place` (T, 3) or (3,)."""
    found = np.tile(np.eye(4), (len(turn), 1, 1))
    found[:, :3, :3], found[:, :3, 3] = turn, place
    return found


class Builder:
    """Gathers primitives; heights are given positive upwards, and each thing in its own frame, facing +z."""

    def __init__(self):
        self._boxes, self._strips, self._ellipsoids = [], [], []
        self._box_rows, self._strip_rows, self._ellipsoid_rows = [], [], []  # a `_row` for each primitive
        self._materials, self._places, self._bodies = [], [], []
        self._label, self._body, self._thing = 0, 0, 0

    def material(self, material: Material) -> int:
        """Add a material and return its number."""
        self._materials.append(material.row(len(self._materials)))
        return len(self._materials) - 1

    def place(self, x: float, height: float, z: float, yaw: float = 0.0, *, label: int, body: int = 0) -> None:
        """Begin a new thing: what follows stands at this place, turned by `yaw` from +z towards +x."""
        self._places.append((x, height, z, yaw))
        self._label, self._body = label, body
        self._thing += 1

    def body(self, transforms: np.ndarray) -> int:
        """Add a moving body (T, 4, 4), in the frame with heights upwards, and return its number."""
        self._bodies.append(transforms)
        return len(self._bodies)

    def part(self, body: int) -> None:
        """Let the primitives that follow belong to another body of the same thing, at that body's origin."""
        self._places.append((0.0, 0.0, 0.0, 0.0))
        self._body = body

    def label(self, label: int) -> None:
        """Label the primitives that follow otherwise, within the same thing."""
        self._label = label

    def frustum(self, base, top, low: float, high: float, sides: int, cap: int | None = None) -> None:
        """A box whose top may be smaller or shifted: `base` and `top` are (x0, x1, z0, z1)."""
        corners = [
            (rect[x], height, rect[z])
            for rect, height in ((base, low), (top, high))
            for x, z in ((0, 2), (1, 2), (1, 3), (0, 3))
        ]
        self._boxes.append(corners)
        self._box_rows += [self._row(sides)] * 4 + [self._row(sides if cap is None else cap)] * 2

    def box(self, x, y, z, sides: int, cap: int | None = None) -> None:
        """A box over the intervals `x`, `y` (heights) and `z`."""
        rect = (*x, *z)
        self.frustum(rect, rect, *y, sides, cap)

    def quads(self, corners, material: int, label: int | None = None) -> None:
        """Flat quads (n, 4, 3) as (x, height, z); a triangle repeats its third corner."""
        corners = np.asarray(corners, float).reshape(-1, 4, 3)
        self._strips.append(corners)
        self._strip_rows += [self._row(material, label)] * len(corners)

    def ellipsoid(self, centre, radii, material: int, tilt: float = 0.0) -> None:
        """An ellipsoid, tilted about the x axis: its top towards +z."""
        (a, b, c), cos, sin = radii, np.cos(tilt), np.sin(tilt)
        self._ellipsoids.append((centre, (a, 0.0, 0.0), (0.0, b * cos, -c * sin), (0.0, b * sin, c * cos)))
        self._ellipsoid_rows.append(self._row(material))

    def build(self, times: int = 1) -> Scene:
        """The scene, with the bodies at times 0 .. `times` - 1."""
        boxes = np.asarray(self._boxes, float).reshape(-1, 8, 3)[:, _FACES].reshape(-1, 4, 3)
        corners, table = np.concatenate([boxes, *self._strips]), np.asarray(self._ellipsoids, float).reshape(-1, 4, 3)
        rows = np.asarray(self._box_rows + self._strip_rows + self._ellipsoid_rows, np.int64).reshape(-1, 5)
        x, height, z, yaw = np.asarray(self._places, float).reshape(-1, 4)[rows[:, 0]].T
        turn, shift, quads = turned(yaw, 2, 0), np.stack([x, height, z], axis=-1), len(corners)
        corners = (np.einsum("nij,nkj->nki", turn[:quads], corners) + shift[:quads, None]) * _UP_TO_DOWN
        centres = (np.einsum("nij,nj->ni", turn[quads:], table[:, 0]) + shift[quads:]) * _UP_TO_DOWN
        axes = (turn[quads:] @ table[:, 1:]) * _UP_TO_DOWN[:, None]
        material, label, thing, body = torch.from_numpy(rows[:, 1:].T.copy())
        bodies = np.stack([np.tile(np.eye(4), (times, 1, 1)), *(body[:times] for body in self._bodies)], axis=1)
        flip = np.append(_UP_TO_DOWN, 1.0)
        return Scene(
            *(torch.from_numpy(part).float() for part in (corners, centres, axes)),
            *(material, label, thing, body),
            materials=torch.tensor(self._materials, dtype=torch.float32),
            bodies=torch.from_numpy(flip[:, None] * bodies * flip),
            view=torch.zeros(len(rows), dtype=torch.int64),
        )

    def _row(self, material: int, label: int | None = None) -> tuple[int, int, int, int, int]:
        return len(self._places) - 1, material, self._label if label is None else label, self._thing, self._body
