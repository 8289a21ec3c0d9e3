"""A frame of a street: colour, and per pixel exact depth, label, flow and motion."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from depthseg_lib.data.world.light import Light, Maps, light_maps, move_maps, openness, sunlit, with_moving
from depthseg_lib.data.world.raycast import EMPTY, View, cast, nearest, split
from depthseg_lib.data.world.scene import Scene
from depthseg_lib.data.world.shading import Surface, develop, shade, sky
from depthseg_lib.data.world.textures import noise_table

SKY = 23
_GROUND = (7, 8, 22)


@dataclass(frozen=True)
class Street:
    """A street with everything on it, a camera that drives along, and the light of the day."""

    scene: Scene
    poses: torch.Tensor
    """(T + 1, 4, 4) float64 camera-to-world; the last one only serves the flow of frame T - 1."""
    light: Light
    maps: Maps
    noise: torch.Tensor
    """The table of `textures.noise`."""

    def to(self, device: str | torch.device) -> "Street":
        """The same street in the memory of `device`."""
        return replace(
            self,
            scene=self.scene.to(device),
            poses=self.poses.to(device),
            maps=move_maps(self.maps, device),
            noise=self.noise.to(device),
        )


@dataclass(frozen=True)
class Frame:
    """One frame; everything but the image is that of the ray through the pixel's centre."""

    image: torch.Tensor
    """(3, H, W) uint8, RGB, antialiased."""
    depth: torch.Tensor
    """(H, W) float32 metres along the optical axis, 0 in the sky."""
    labels: torch.Tensor
    """(H, W) uint8 KITTI label ids."""
    things: torch.Tensor
    """(H, W) int32, the number of the object; 0 in the sky."""
    flow: torch.Tensor
    """(2, H, W) float32 pixels to the next frame, along x and y, whether or not the point is visible there."""
    moving: torch.Tensor
    """(H, W) bool, whether the point moves by itself until the next frame."""
    pose: torch.Tensor
    """(4, 4) float32 camera-to-world, metres."""
    intrinsics: torch.Tensor
    """(3, 3) float32 in pixels, pixel centres at whole numbers."""


def street_of(scene: Scene, poses: torch.Tensor, light: Light, reach: torch.Tensor, seed: int, texel: float) -> Street:
    """A street with its light maps made, over the world points `reach` (n, 3), with texels of `texel` metres."""
    still = (scene.body == 0).nonzero()[:, 0]
    quads = len(scene.corners)
    ground = still[torch.isin(scene.label[still], torch.tensor(_GROUND)) & (still < quads)]
    everything, floor = _still(scene, still), _still(scene, ground)
    return Street(scene, poses, light, light_maps(light, everything, floor, reach, texel), noise_table(seed))


def intrinsics(height: int, width: int) -> torch.Tensor:
    """(3, 3) float64, square pixels, KITTI's field of view: fx = 0.58 W, which is fy = 1.93 H where W : H is 10 : 3."""
    focal = 0.58 * width
    rows = [[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]]
    return torch.tensor(rows, dtype=torch.float64)


def render(street: Street, time: int, height: int, width: int, matrix: torch.Tensor | None = None) -> Frame:
    """The frame at `time`, in 0 .. T - 1, of `height` x `width` pixels; `matrix` (3, 3) are the intrinsics if not KITTI's.

    Rays pass through pixel centres and, for colour, also half-way between them; a tent filter over 3 x 3 of them makes
    the image.
    """
    matrix = intrinsics(height, width) if matrix is None else matrix.double()
    view = _half_pixel_view(street.poses[time], matrix, height, width)
    bodies = street.scene.bodies[time]
    corners, centres, axes = _in_world(street.scene, bodies)
    keys = nearest(view, cast(view, corners, centres, axes, (0, len(corners))))
    colour = _colours(street, time, view, keys, (corners, centres, axes))
    image = develop(colour, street.light.exposure).T.reshape(1, 3, view.height, view.width)
    tent = torch.tensor([0.25, 0.5, 0.25], device=image.device)
    image = F.conv2d(image.transpose(0, 1), (tent[:, None] * tent)[None, None], stride=2)[:, 0]
    return _frame(street, time, (image * 255).round().to(torch.uint8), keys.view(view.height, -1)[1::2, 1::2], matrix)


def _half_pixel_view(pose: torch.Tensor, matrix: torch.Tensor, height: int, width: int) -> View:
    """Samples at half pixels: pixel (x, y) is sample (2 x + 1, 2 y + 1)."""
    focal = (2 * float(matrix[0, 0]), 2 * float(matrix[1, 1]))
    centre = (2 * float(matrix[0, 2]) + 1, 2 * float(matrix[1, 2]) + 1)
    return View(torch.linalg.inv(pose), focal, centre, 2 * height + 1, 2 * width + 1)


def _in_world(scene: Scene, bodies: torch.Tensor):
    quads = len(scene.corners)
    transforms = bodies[scene.body]
    turn, shift = transforms[:, :3, :3], transforms[:, :3, 3]
    corners = scene.corners.double() @ turn[:quads].mT + shift[:quads, None]
    centres = (turn[quads:] @ scene.centres.double()[:, :, None])[..., 0] + shift[quads:]
    return corners, centres, turn[quads:] @ scene.axes.double()


def _still(scene: Scene, which: torch.Tensor):
    quads = len(scene.corners)
    corners = scene.corners[which[which < quads]].double()
    chosen = which[which >= quads] - quads
    return corners, scene.centres[chosen].double(), scene.axes[chosen].double(), (0, len(corners))


def _colours(street: Street, time: int, view: View, keys: torch.Tensor, world) -> torch.Tensor:
    """Linear colours (H * W, 3) of all samples."""
    rays = _rays(view)
    pose = street.poses[time].float()
    unit = F.normalize(rays @ pose[:3, :3].T, dim=-1)
    hit, missed = (keys != EMPTY).nonzero()[:, 0], (keys == EMPTY).nonzero()[:, 0]
    colour = torch.empty_like(rays)
    colour[missed] = sky(unit[missed], street.light, street.noise)
    depth, primitive = split(keys[hit])
    points = (rays[hit] * depth[:, None]) @ pose[:3, :3].T + pose[:3, 3]
    surface = _surface(street, time, view, points, unit[hit], depth, primitive, world)
    colour[hit] = shade(surface, street.light, street.noise)
    return colour


def _rays(view: View) -> torch.Tensor:
    """Directions (H * W, 3) with z = 1, camera frame."""
    device = view.world_to_camera.device
    x = (torch.arange(view.width, device=device) - view.centre[0]) / view.focal[0]
    y = (torch.arange(view.height, device=device) - view.centre[1]) / view.focal[1]
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], -1).view(-1, 3)


def _surface(street: Street, time: int, view: View, points, unit, depth, primitive, world) -> Surface:
    scene = street.scene
    material = scene.material[primitive]
    normals = _normals(points, primitive, world)
    normals = torch.where((normals * unit).sum(-1, keepdim=True) > 0, -normals, normals)
    maps, (sun, above) = street.maps, with_moving(street.maps, _moving(scene, world))
    lifted = points + 0.12 * normals
    distance = depth / (unit @ street.poses[time][:3, 2].float()).clamp(min=1e-3)
    slant = (-(unit * normals).sum(-1)).clamp(min=0.04).sqrt()
    local = points.clone()
    own = (scene.body[primitive] > 0).nonzero()[:, 0]
    back = torch.linalg.inv(scene.bodies[time]).float()[scene.body[primitive[own]]]
    local[own] = (back[:, :3, :3] @ points[own, :, None])[..., 0] + back[:, :3, 3]
    return Surface(
        points=local,
        normals=normals,
        rays=unit,
        flat=_flat(scene, local, primitive),
        material=scene.materials[material],
        number=material,
        distance=distance,
        footprint=distance / (view.focal[0] * slant),
        lit=sunlit(maps, sun, lifted),
        open=openness(maps, above, lifted),
    )


def _normals(points: torch.Tensor, primitive: torch.Tensor, world) -> torch.Tensor:
    corners, centres, axes = world
    flat = torch.linalg.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]).float()
    quads = len(corners)
    normals = flat[primitive.clamp(max=quads - 1)]
    round_ = (primitive >= quads).nonzero()[:, 0]
    chosen = primitive[round_] - quads
    inverse = torch.linalg.inv(axes)
    gradient = (inverse.mT @ inverse).float()[chosen]
    normals[round_] = (gradient @ (points[round_] - centres.float()[chosen])[..., None])[..., 0]
    return F.normalize(normals, dim=-1)


def _flat(scene: Scene, local: torch.Tensor, primitive: torch.Tensor) -> torch.Tensor:
    """u, v and the quad's width (N, 3) where the material has a pattern; zeros elsewhere."""
    flat = torch.zeros_like(local)
    patterned = (scene.materials[:, 12] > 0) | (scene.materials[:, 18] > 0)
    quads = len(scene.corners)
    at = (patterned[scene.material[primitive]] & (primitive < quads)).nonzero()[:, 0]
    along = scene.corners[:, 1] - scene.corners[:, 0]
    width = along.norm(dim=-1).clamp(min=1e-6)
    up = scene.corners[:, 3] - scene.corners[:, 0]
    frame = torch.stack([along / width[:, None], F.normalize(up, dim=-1)], 1)
    chosen = primitive[at]
    flat[at, :2] = (frame[chosen] @ (local[at] - scene.corners[chosen, 0])[..., None])[..., 0]
    flat[at, 2] = width[chosen]
    return flat


def _moving(scene: Scene, world):
    corners, centres, axes = world
    quads = len(corners)
    own = scene.body > 0
    return corners[own[:quads]], centres[own[quads:]], axes[own[quads:]], (0, quads)


def _frame(street: Street, time: int, image: torch.Tensor, keys: torch.Tensor, matrix: torch.Tensor) -> Frame:
    scene = street.scene
    seen = keys != EMPTY
    depth, primitive = split(keys)
    primitive = torch.where(seen, primitive, 0)
    flow, moving = _flow(street, time, torch.where(seen, depth, 0.0), scene.body[primitive] * seen, matrix)
    return Frame(
        image=image,
        depth=torch.where(seen, depth, 0.0),
        labels=torch.where(seen, scene.label[primitive], SKY).to(torch.uint8),
        things=torch.where(seen, scene.thing[primitive], 0).int(),
        flow=flow,
        moving=moving,
        pose=street.poses[time].float(),
        intrinsics=matrix.float(),
    )


def _flow(street: Street, time: int, depth: torch.Tensor, body: torch.Tensor, matrix: torch.Tensor):
    """Flow (2, H, W) to the next frame and the mask of what moves by itself; the sky is infinitely far."""
    height, width = depth.shape
    y, x = torch.meshgrid(*(torch.arange(n, device=depth.device).double() for n in (height, width)), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], -1)
    matrix = matrix.to(depth.device)
    rays = pixels @ torch.linalg.inv(matrix).T
    pose, following = street.poses[time], torch.linalg.inv(street.poses[time + 1])
    known = depth > 0
    points = torch.cat([rays * torch.where(known, depth, 1.0).double()[..., None], known[..., None].double()], -1)
    world = points @ pose.T
    step = (street.scene.bodies[time + 1] @ torch.linalg.inv(street.scene.bodies[time]))[body]
    moved = (step @ world[..., None])[..., 0]
    ahead = (moved @ following.T)[..., :3]
    projected = (ahead @ matrix.T)[..., :2] / ahead[..., 2:].clamp(min=1e-3)
    return (projected - pixels[..., :2]).permute(2, 0, 1).float(), (moved - world).norm(dim=-1) > 1e-3
