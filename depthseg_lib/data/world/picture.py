"""Colour images of a street: one ray per half pixel, shaded, then filtered to pixels."""

import torch
import torch.nn.functional as F

from depthseg_lib.data.world.bounds import View
from depthseg_lib.data.world.shading import Surface, develop, shade, sky, unit
from depthseg_lib.data.world.shadows import openness, sunlit, with_moving
from depthseg_lib.data.world.street import Street
from depthseg_lib.world.raycast import EMPTY, Shapes, cast, nearest, split
from depthseg_lib.world.scene import Scene, shapes_at
from depthseg_lib.world.surfaces import COLUMNS


def pictures(street: Street, time: int, height: int, width: int, matrices: torch.Tensor):
    """The images (V, 3, H, W) uint8 alone, and the keys (V, 2 H + 1, 2 W + 1) of all rays."""
    view = _half_pixel_view(street.poses[time], matrices.to(street.poses.device), height, width)
    shapes = shapes_at(street.scene, time)
    keys = nearest(view, cast(view, shapes))
    images = _colours(street, time, view, keys, shapes).view(3, -1, view.height, view.width)
    images = develop(images, street.lights.exposure[:, None, None]).view(-1, 1, view.height, view.width)
    tent = torch.tensor([0.25, 0.5, 0.25], device=images.device)
    images = F.conv2d(images, (tent[:, None] * tent)[None, None], stride=2).view(3, -1, height, width)
    return (images.transpose(0, 1) * 255).round().to(torch.uint8), keys.view(-1, view.height, view.width)


def _half_pixel_view(poses: torch.Tensor, matrices: torch.Tensor, height: int, width: int) -> View:
    """Samples at half pixels: pixel (x, y) is sample (2 x + 1, 2 y + 1)."""
    focal = 2 * torch.stack([matrices[:, 0, 0], matrices[:, 1, 1]], -1).double()
    centre = 2 * matrices[:, :2, 2].double() + 1
    return View(torch.linalg.inv(poses), focal, centre, 2 * height + 1, 2 * width + 1)


def _colours(street: Street, time: int, view: View, keys: torch.Tensor, shapes: Shapes) -> torch.Tensor:
    """Linear colours (3, V * H * W) of all samples."""
    turn = street.poses[time, :, :3, :3].float()
    rays = (turn @ _rays(view)).transpose(0, 1).reshape(3, -1)
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


def _rays(view: View) -> torch.Tensor:
    """Directions (V, 3, H * W) with z = 1, camera frame, float32."""
    device = view.focal.device
    y, x = torch.meshgrid(*(torch.arange(n, device=device) for n in (view.height, view.width)), indexing="ij")
    samples = torch.stack([x, y]).view(1, 2, -1)
    flat = (samples - view.centre.float()[:, :, None]) / view.focal.float()[:, :, None]
    return torch.cat([flat, torch.ones_like(flat[:, :1])], 1)


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
    local = _in_body(scene, points, scene.body[primitive], scene.bodies[time])
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


def _in_body(scene: Scene, points: torch.Tensor, body: torch.Tensor, bodies: torch.Tensor) -> torch.Tensor:
    """World points (3, N) in the frames of their bodies."""
    own = (body > 0).nonzero()[:, 0]
    back = torch.linalg.inv(bodies).float()[body[own]]
    moved = (back[:, :3, :3] @ points[:, own].T[:, :, None])[..., 0] + back[:, :3, 3]
    return points.index_copy(1, own, moved.T)


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
