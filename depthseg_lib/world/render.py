"""A frame of a street: colour, and per pixel exact depth, label, flow and motion."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from depthseg_lib.world.light import Light, Maps, light_maps, openness, stacked, sunlit, with_moving
from depthseg_lib.world.raycast import EMPTY, Shapes, View, cast, moved, nearest, split
from depthseg_lib.world.scene import Label, Scene, shapes_at
from depthseg_lib.world.surfaces import COLUMNS, Surface, noise_table, shade, sky, unit

_GROUND = (Label.ROAD, Label.PAVEMENT, Label.TERRAIN)


@dataclass(frozen=True)
class Street:
    """A street with everything on it, a camera that drives along, and the light of the day.

    A batch of V photographs is one too: V cameras that each see a part of the scene of their own. V is 1 for a street.
    """

    scene: Scene
    poses: torch.Tensor
    """(T + 1, V, 4, 4) float64 camera-to-world; the last one only serves the flow of frame T - 1."""
    lights: Light
    maps: Maps
    noise: torch.Tensor
    """The table of `surfaces.noise`."""
    shift: torch.Tensor
    """(3, V) where in the noise this street lies."""

    def to(self, device: str | torch.device) -> "Street":
        """The same street in the memory of `device`."""
        return moved(self, device)


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


def street_of(scene: Scene, poses, lights: list[Light], reach, shift, texel) -> Street:
    """A street with its light maps made.

    `poses` (T + 1, V, 4, 4) and `shift` (V, 3) as in `Street`; `reach` (V, n, 3) are world points around what the maps
    cover, `texel` (V,) their resolution in metres.
    """
    shapes, stacked_lights = shapes_at(scene, 0), stacked(lights)
    still = scene.body == 0
    flat = torch.isin(scene.label, torch.tensor(_GROUND)) & (torch.arange(len(still)) < len(scene.corners))
    sun = torch.stack([torch.from_numpy(light.sun) for light in lights])
    texel = torch.as_tensor(texel, dtype=torch.float64)
    maps = light_maps(sun, shapes.only(still), shapes.only(still & flat), torch.as_tensor(reach), texel)
    shift = torch.as_tensor(shift, dtype=torch.float32).T.contiguous()
    return Street(scene, torch.as_tensor(poses), stacked_lights, maps, noise_table(), shift)


def intrinsics(height: int, width: int) -> torch.Tensor:
    """(3, 3) float64, square pixels, KITTI's field of view: fx = 0.58 W, which is fy = 1.93 H where W : H is 10 : 3."""
    focal = 0.58 * width
    rows = [[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]]
    return torch.tensor(rows, dtype=torch.float64)


def render(street: Street, time: int, height: int, width: int) -> Frame:
    """The frame at `time`, in 0 .. T - 1, of `height` x `width` pixels.

    Rays pass through pixel centres and, for colour, also half-way between them; a tent filter over 3 x 3 of them makes
    the image.
    """
    matrix, scene = intrinsics(height, width), street.scene
    images, keys = pictures(street, time, height, width, matrix[None])
    keys = keys[0, 1::2, 1::2]
    seen = keys != EMPTY
    depth, primitive = split(keys)
    depth, primitive = torch.where(seen, depth, 0.0), torch.where(seen, primitive, 0)
    flow, moving = _flow(street, time, depth, scene.body[primitive] * seen, matrix)
    return Frame(
        image=images[0],
        depth=depth,
        labels=torch.where(seen, scene.label[primitive], Label.SKY).to(torch.uint8),
        things=torch.where(seen, scene.thing[primitive], 0).int(),
        flow=flow,
        moving=moving,
        pose=street.poses[time, 0].float(),
        intrinsics=matrix.float().to(depth.device),
    )


def _flow(street: Street, time: int, depth: torch.Tensor, body: torch.Tensor, matrix: torch.Tensor):
    """Flow (2, H, W) to the next frame and the mask of what moves by itself; the sky is infinitely far."""
    height, width = depth.shape
    y, x = torch.meshgrid(*(torch.arange(n, device=depth.device).double() for n in (height, width)), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], -1)
    matrix = matrix.to(depth.device)
    rays = pixels @ torch.linalg.inv(matrix).T
    pose, following = street.poses[time, 0], torch.linalg.inv(street.poses[time + 1, 0])
    known = depth > 0
    points = torch.cat([rays * torch.where(known, depth, 1.0).double()[..., None], known[..., None].double()], -1)
    world = points @ pose.T
    step = (street.scene.bodies[time + 1] @ torch.linalg.inv(street.scene.bodies[time]))[body]
    moved = (step @ world[..., None])[..., 0]
    ahead = (moved @ following.T)[..., :3]
    projected = (ahead @ matrix.T)[..., :2] / ahead[..., 2:].clamp(min=1e-3)
    return (projected - pixels[..., :2]).permute(2, 0, 1).float(), (moved - world).norm(dim=-1) > 1e-3


def pictures(street: Street, time: int, height: int, width: int, matrices: torch.Tensor):
    """The images (V, 3, H, W) uint8 alone, and the keys (V, 2 H + 1, 2 W + 1) of all rays."""
    matrices = matrices.to(street.poses.device)
    # samples at half pixels: pixel (x, y) is sample (2 x + 1, 2 y + 1)
    focal = 2 * torch.stack([matrices[:, 0, 0], matrices[:, 1, 1]], -1).double()
    centre = 2 * matrices[:, :2, 2].double() + 1
    view = View(torch.linalg.inv(street.poses[time]), focal, centre, 2 * height + 1, 2 * width + 1)
    shapes = shapes_at(street.scene, time)
    keys = nearest(view, cast(view, shapes))
    images = _colours(street, time, view, keys, shapes).view(3, -1, view.height, view.width)
    # as film shows them, in 0..1: a soft shoulder, then gamma 2
    images = (1 - torch.exp(-1.6 * street.lights.exposure[:, None, None] * images.clamp(min=0))).sqrt()
    tent = torch.tensor([0.25, 0.5, 0.25], device=images.device)
    images = F.conv2d(images.view(-1, 1, view.height, view.width), (tent[:, None] * tent)[None, None], stride=2).view(
        3, -1, height, width
    )
    return (images.transpose(0, 1) * 255).round().to(torch.uint8), keys.view(-1, view.height, view.width)


def _colours(street: Street, time: int, view: View, keys: torch.Tensor, shapes: Shapes) -> torch.Tensor:
    """Linear colours (3, V * H * W) of all samples."""
    turn = street.poses[time, :, :3, :3].float()
    y, x = torch.meshgrid(*(torch.arange(n, device=turn.device) for n in (view.height, view.width)), indexing="ij")
    samples = torch.stack([x, y]).view(1, 2, -1)
    flat = (samples - view.centre.float()[:, :, None]) / view.focal.float()[:, :, None]
    rays = (turn @ torch.cat([flat, torch.ones_like(flat[:, :1])], 1)).transpose(0, 1).reshape(3, -1)
    directions = unit(rays)
    hit, missed = (keys != EMPTY).nonzero()[:, 0], (keys == EMPTY).nonzero()[:, 0]
    depth, primitive = split(keys[hit])
    views = street.scene.view[primitive]
    points = rays.index_select(1, hit) * depth + street.poses[time, :, :3, 3].float().T.index_select(1, views)
    surface = _surface(street, time, view, points, directions.index_select(1, hit), depth, primitive, shapes)
    colour = torch.empty_like(rays)
    colour.index_copy_(1, hit, shade(surface, street.lights.at(views), street.noise))
    lights = street.lights.at(missed // (view.height * view.width))
    return colour.index_copy_(1, missed, sky(directions.index_select(1, missed), lights, street.noise))


def _surface(street: Street, time: int, view: View, points, rays, depth, primitive, shapes: Shapes) -> Surface:
    scene, maps = street.scene, street.maps
    material, views = scene.material[primitive], scene.view[primitive]
    normals = _normals(points, primitive, shapes)
    facing = (normals * rays).sum(0)
    forward = street.poses[time, :, :3, 2].float().T.index_select(1, views)
    distance = depth / (forward * rays).sum(0)
    normals = normals * -torch.where(facing > 0, 1.0, -1.0)
    sun, above = with_moving(maps, shapes.only(scene.body > 0))
    lifted = points + 0.12 * normals
    body = scene.body[primitive]
    own = (body > 0).nonzero()[:, 0]
    back = torch.linalg.inv(scene.bodies[time]).float()[body[own]]
    moved = (back[:, :3, :3] @ points[:, own].T[:, :, None])[..., 0] + back[:, :3, 3]
    local = points.index_copy(1, own, moved.T)  # in the frames of their bodies
    patterned, flat = _flat(scene, local, primitive, material)
    sharpness = view.focal[:, 0].float()[views] * facing.abs().clamp(min=0.04).sqrt()
    return Surface(
        points=local + street.shift.index_select(1, views),
        normals=normals,
        rays=rays,
        patterned=patterned,
        flat=flat,
        material=scene.materials.T.index_select(1, material),
        distance=distance,
        footprint=distance / sharpness,
        lit=sunlit(maps, sun, lifted, views),
        open=openness(maps, above, lifted, views),
    )


def _normals(points: torch.Tensor, primitive: torch.Tensor, shapes: Shapes) -> torch.Tensor:
    """Unit normals (3, N), to either side."""
    corners, centres, axes = shapes.corners, shapes.centres, shapes.axes
    flat = F.normalize(torch.linalg.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]), dim=-1)
    quads = len(corners)
    normals = flat.float().T.index_select(1, primitive.clamp(max=quads - 1))
    rounded = (primitive >= quads).nonzero()[:, 0]
    chosen = primitive[rounded] - quads
    inverse = torch.linalg.inv(axes)
    gradient = (inverse.mT @ inverse).float().view(-1, 9).T.index_select(1, chosen).view(3, 3, -1)
    offset = points.index_select(1, rounded) - centres.float().T.index_select(1, chosen)
    return normals.index_copy_(1, rounded, unit((gradient * offset).sum(1)))


def _flat(scene: Scene, local: torch.Tensor, primitive: torch.Tensor, material: torch.Tensor):
    """Which points (M,) lie on quads with a pattern, and their u, v and quad's width (3, M)."""
    quads = len(scene.corners)
    has_pattern = (scene.materials[:, COLUMNS["grid"]][:, 0] > 0) | (scene.materials[:, COLUMNS["windows"]][:, 0] > 0)
    at = (has_pattern[material] & (primitive < quads)).nonzero()[:, 0]
    along, up = scene.corners[:, 1] - scene.corners[:, 0], scene.corners[:, 3] - scene.corners[:, 0]
    axes = torch.cat([F.normalize(along, dim=-1), F.normalize(up, dim=-1), scene.corners[:, 0]], 1)
    chosen = primitive[at]
    u_axis, v_axis, origin = axes.T.index_select(1, chosen).view(3, 3, -1)
    offset = local.index_select(1, at) - origin
    return at, torch.stack([(offset * u_axis).sum(0), (offset * v_axis).sum(0), along.norm(dim=-1)[chosen]])
