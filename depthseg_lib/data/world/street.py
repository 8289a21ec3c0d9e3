"""A street ready to be rendered: its scene, cameras and light, with the light's maps made."""

from dataclasses import dataclass, fields

import torch

from depthseg_lib.data.world.shadows import Maps, light_maps
from depthseg_lib.data.world.textures import noise_table
from depthseg_lib.world.light import Light, Lights, stacked
from depthseg_lib.world.scene import Scene, shapes_at

_GROUND = (7, 8, 22)


@dataclass(frozen=True)
class Street:
    """A street with everything on it, a camera that drives along, and the light of the day.

    A batch of V photographs is one too: V cameras that each see a part of the scene of their own. V is 1 for a street.
    """

    scene: Scene
    poses: torch.Tensor
    """(T + 1, V, 4, 4) float64 camera-to-world; the last one only serves the flow of frame T - 1."""
    lights: Lights
    maps: Maps
    noise: torch.Tensor
    """The table of `textures.noise`."""
    shift: torch.Tensor
    """(3, V) where in the noise this street lies."""

    def to(self, device: str | torch.device) -> "Street":
        """The same street in the memory of `device`."""
        return Street(*(getattr(self, field.name).to(device) for field in fields(self)))


def street_of(scene: Scene, poses, lights: list[Light], reach, shift, texel) -> Street:
    """A street with its light maps made.

    `poses` (T + 1, V, 4, 4) and `shift` (V, 3) as in `Street`; `reach` (V, n, 3) are world points around what the maps
    cover, `texel` (V,) their resolution in metres.
    """
    shapes, stacked_lights = shapes_at(scene, 0), stacked(lights)
    still = scene.body == 0
    flat = torch.isin(scene.label, torch.tensor(_GROUND)) & (torch.arange(len(still)) < len(scene.corners))
    sun = torch.tensor([light.sun for light in lights], dtype=torch.float64)
    texel = torch.as_tensor(texel, dtype=torch.float64)
    maps = light_maps(sun, shapes.only(still), shapes.only(still & flat), torch.as_tensor(reach), texel)
    shift = torch.as_tensor(shift, dtype=torch.float32).T.contiguous()
    return Street(scene, torch.as_tensor(poses), stacked_lights, maps, noise_table(), shift)
