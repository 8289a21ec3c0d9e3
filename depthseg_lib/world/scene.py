"""A scene: flat quads and ellipsoids with a material, a label and a body each."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from depthseg_lib.world.raycast import Shapes


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
    """(Q + E,) int64 KITTI label id."""
    thing: torch.Tensor
    """(Q + E,) int64 number of the object that the primitive is a part of."""
    body: torch.Tensor
    """(Q + E,) int64 index into `bodies`; 0 is the ground that stands still."""
    materials: torch.Tensor
    """(M, K) float32, see `materials.COLUMNS`."""
    bodies: torch.Tensor
    """(T, B, 4, 4) float64 body-to-world transforms at each time."""
    view: torch.Tensor
    """(Q + E,) int64, the camera that sees the primitive: 0, but for scenes put together by `together`."""

    def to(self, device: str | torch.device) -> "Scene":
        """The same scene in the memory of `device`."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def together(scenes: list[Scene]) -> Scene:
    """One scene of several in which nothing moves, each for a camera of its own: so that they render in one go."""
    split = [len(scene.corners) for scene in scenes]
    first = np.cumsum([0, *(len(scene.materials) for scene in scenes)])
    per_primitive = {
        "material": [scene.material + int(start) for scene, start in zip(scenes, first[:-1], strict=True)],
        "view": [torch.full_like(scene.view, number) for number, scene in enumerate(scenes)],
        **{name: [getattr(scene, name) for scene in scenes] for name in ("label", "thing", "body")},
    }
    quads_first = {name: _quads_first(values, split) for name, values in per_primitive.items()}
    names = ("corners", "centres", "axes", "materials")
    whole = {name: torch.cat([getattr(scene, name) for scene in scenes]) for name in names}
    return Scene(**whole, **quads_first, bodies=scenes[0].bodies)


def _quads_first(values: list[torch.Tensor], split: list[int]) -> torch.Tensor:
    """One column of several scenes: the quads of all, then the ellipsoids of all."""
    parts = [value[:quads] for value, quads in zip(values, split, strict=True)]
    return torch.cat(parts + [value[quads:] for value, quads in zip(values, split, strict=True)])


def shapes_at(scene: Scene, time: int) -> Shapes:
    """The primitives where they are at `time`."""
    quads = len(scene.corners)
    transforms = scene.bodies[time][scene.body]
    turn, shift = transforms[:, :3, :3], transforms[:, :3, 3]
    corners = scene.corners.double() @ turn[:quads].mT + shift[:quads, None]
    centres = (turn[quads:] @ scene.centres.double()[:, :, None])[..., 0] + shift[quads:]
    return Shapes(corners, centres, turn[quads:] @ scene.axes.double(), scene.view[:quads], scene.view[quads:])
