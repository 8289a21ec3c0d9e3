"""A frame of a street: colour, and per pixel exact depth, label, flow and motion."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from depthseg_lib.world.light import Light, Maps, light_maps, openness, shadows, stacked, sunlit
from depthseg_lib.world.raycast import (
    EMPTY,
    Shapes,
    View,
    apart,
    at_a_time,
    beside,
    cast,
    moved,
    nearest,
    of_each,
    primitives,
    split,
)
from depthseg_lib.world.scene import Label, Scene, shapes_at
from depthseg_lib.world.surfaces import COLUMNS, PLAIN, Surface, noise_table, shade, sky, unit

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


@torch.inference_mode()
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
    matrix, known = matrix.to(depth.device), depth > 0
    pixels = matrix.new_ones(3, height, width)
    pixels[0] = torch.arange(width, device=depth.device)
    pixels[1] = torch.arange(height, device=depth.device)[:, None]
    rays = torch.linalg.inv(matrix) @ pixels.flatten(1)
    points = torch.cat([rays * torch.where(known, depth, 1.0).view(-1), known.view(1, -1)])
    world, own, bodies = street.poses[time, 0] @ points, body.view(-1).nonzero()[:, 0], street.scene.bodies
    step = (bodies[time + 1] @ torch.linalg.inv(bodies[time])).flatten(1).T.contiguous()
    before = world.index_select(1, own)
    after = (step.index_select(1, body.view(-1)[own]).view(4, 4, -1) * before).sum(1)
    moving = torch.zeros_like(known).view(-1).index_copy_(0, own, (after - before).norm(dim=0) > 1e-3)
    x, y, ahead = matrix @ torch.linalg.inv(street.poses[time + 1, 0])[:3] @ world.index_copy_(1, own, after)
    projected = torch.stack([x, y]) / ahead.clamp(min=1e-3)
    return (projected - pixels[:2].flatten(1)).view(2, height, width).float(), moving.view(height, width)


@torch.inference_mode()
def pictures(street: Street, time: int, height: int, width: int, matrices: torch.Tensor):
    """The images (V, 3, H, W) uint8 alone, and the keys (V, 2 H + 1, 2 W + 1) of all rays."""
    matrices = matrices.to(street.poses.device)
    # samples at half pixels: pixel (x, y) is sample (2 x + 1, 2 y + 1)
    focal = 2 * torch.stack([matrices[:, 0, 0], matrices[:, 1, 1]], -1).double()
    centre = 2 * matrices[:, :2, 2].double() + 1
    view = View(torch.linalg.inv(street.poses[time]), focal, centre, 2 * height + 1, 2 * width + 1)
    maps, shapes = street.maps, shapes_at(street.scene, time)
    # the light maps' still things are known; moving ones are cast in one go with what the cameras see
    views, moving = beside([view, maps.sun, maps.above]), shapes.only(street.scene.body > 0)
    before = maps.sun_keys.new_full((len(focal) * view.height * view.width,), EMPTY)
    everything = apart([shapes, moving, moving], len(focal))
    keys = nearest(views, cast(views, everything), torch.cat([before, maps.sun_keys, maps.above_keys]))
    keys, *light_keys = keys.split([len(before), len(maps.sun_keys), len(maps.above_keys)])
    images = _colours(street, time, view, keys, shapes, shadows(maps, *light_keys))
    images = images.view(-1, 1, view.height, view.width)
    tent = torch.tensor([0.25, 0.5, 0.25], device=images.device)
    images = F.conv2d(images, (tent[:, None] * tent)[None, None], stride=2).view(3, -1, height, width)
    return (images.transpose(0, 1) * 255).round().to(torch.uint8), keys.view(-1, view.height, view.width)


def _colours(street: Street, time: int, view: View, keys: torch.Tensor, shapes: Shapes, shadows) -> torch.Tensor:
    """Colours (3, V * H * W) of all samples as film shows them, 0..1; samples that need the same work go together."""
    scene, turn = street.scene, street.poses[time, :, :3, :3].float()
    columns, rows = (torch.arange(n, device=turn.device) for n in (view.width, view.height))
    flat = turn.new_ones(len(turn), 3, view.height, view.width)
    centre, focal = view.centre.float()[:, :, None], view.focal.float()[:, :, None]
    flat[:, 0] = ((columns - centre[:, 0]) / focal[:, 0])[:, None]
    flat[:, 1] = ((rows - centre[:, 1]) / focal[:, 1])[:, :, None]
    rays = (turn @ flat.flatten(2)).transpose(0, 1).reshape(3, -1)
    patterned = (scene.materials[:, COLUMNS["grid"]][:, 0] > 0) | (scene.materials[:, COLUMNS["windows"]][:, 0] > 0)
    kind = (scene.materials[:, COLUMNS["bump"]] > 0)[scene.material].to(torch.uint8)
    kind[: len(scene.corners)] += 2 * patterned[scene.material[: len(scene.corners)]]
    kinds = kind.index_select(0, primitives(keys)).masked_fill_(keys == EMPTY, 4)
    counts, order = torch.bincount(kinds, minlength=5).tolist(), kinds.sort(stable=True)[1]
    look, film = _look(street, time, view, shapes, shadows), torch.empty_like(rays)
    for number, chosen in enumerate(order.split(counts)):
        for at in chosen.split(at_a_time(keys.device)):
            if number == 4:
                lights = street.lights.at(at // (view.height * view.width))
                colour = sky(unit(rays.index_select(1, at)), lights, street.noise)
            elif len(at):
                depth, primitive = split(keys.index_select(0, at))
                lights = street.lights.at(scene.view.index_select(0, primitive))
                surface = _surface(street, look, rays.index_select(1, at), depth, primitive, number & 1, number & 2)
                colour = shade(surface, lights, street.noise)
            else:
                continue
            # a soft shoulder, then gamma 2
            colour = (1 - colour.clamp_(min=0).mul_(-1.6 * lights.exposure).exp_()).sqrt_()
            film.scatter_(1, at.expand_as(colour), colour)
    return film


@dataclass(frozen=True)
class _Look:
    """What all points of a frame share, in tables with a column for each camera, body, primitive or material."""

    position: torch.Tensor
    """(V, 3) of the cameras."""
    forward: torch.Tensor
    """(V, 3) their optical axes."""
    focal: torch.Tensor
    """(V,) in samples."""
    normals: torch.Tensor
    """(3, Q) unit normals of the quads, to either side."""
    gradient: torch.Tensor
    """(9, E) matrices that take an offset from an ellipsoid's centre to its normal there."""
    centres: torch.Tensor
    """(3, E) of the ellipsoids."""
    axes: torch.Tensor
    """(10, Q) unit vectors along u and v of the quads, in the frame of their bodies, their origins and widths."""
    back: torch.Tensor
    """(12, B) world-to-body, its first three rows."""
    materials: torch.Tensor
    """(K, M)."""
    shadows: tuple[torch.Tensor, torch.Tensor]
    """See `light.shadows`."""


def _look(street: Street, time: int, view: View, shapes: Shapes, shadows) -> _Look:
    scene, corners = street.scene, shapes.corners
    normals = F.normalize(torch.linalg.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]), dim=-1)
    inverse = torch.linalg.inv(shapes.axes)
    along, up = scene.corners[:, 1] - scene.corners[:, 0], scene.corners[:, 3] - scene.corners[:, 0]
    axes = [F.normalize(along, dim=-1), F.normalize(up, dim=-1), scene.corners[:, 0], along.norm(dim=-1, keepdim=True)]
    return _Look(
        position=street.poses[time, :, :3, 3].float(),
        forward=street.poses[time, :, :3, 2].float(),
        focal=view.focal[:, 0].float(),
        normals=normals.float().T.contiguous(),
        gradient=(inverse.mT @ inverse).float().view(-1, 9).T.contiguous(),
        centres=shapes.centres.float().T.contiguous(),
        axes=torch.cat(axes, 1).T.contiguous(),
        back=torch.linalg.inv(scene.bodies[time])[:, :3].float().flatten(1).T.contiguous(),
        materials=scene.materials.T.contiguous(),
        shadows=shadows,
    )


def _surface(street: Street, look: _Look, rays, depth, primitive, bumped: bool, patterned: bool) -> Surface:
    """What `rays` (3, N) hit at `depth` (N,); on quads with a pattern or none of them, with bumps or none of them."""
    scene, quads = street.scene, look.normals.shape[1]
    material, views = scene.material.index_select(0, primitive), scene.view.index_select(0, primitive)
    points = rays * depth + of_each(look.position, views)
    rays = unit(rays)
    normals = look.normals.index_select(1, primitive.clamp(max=quads - 1))
    if not patterned:
        rounded = (primitive >= quads).nonzero()[:, 0]
        chosen = primitive.index_select(0, rounded) - quads
        offset = points.index_select(1, rounded) - look.centres.index_select(1, chosen)
        gradient = look.gradient.index_select(1, chosen).view(3, 3, -1)
        normals.index_copy_(1, rounded, unit((gradient * offset).sum(1)))
    facing = (normals * rays).sum(0)
    distance = depth / (of_each(look.forward, views) * rays).sum(0)
    normals = normals * torch.ones_like(facing).masked_fill_(facing > 0, -1.0)
    lifted = points + 0.12 * normals
    body = scene.body.index_select(0, primitive)
    own = (body > 0).nonzero()[:, 0]
    back = look.back.index_select(1, body.index_select(0, own)).view(3, 4, -1)
    moved = (back[:, :3] * points.index_select(1, own)).sum(1) + back[:, 3]
    local = points.index_copy(1, own, moved)  # in the frames of their bodies
    flat = None
    if patterned:
        axes = look.axes.index_select(1, primitive)
        offset = local - axes[6:9]
        flat = torch.stack([(offset * axes[:3]).sum(0), (offset * axes[3:6]).sum(0), axes[9]])
    return Surface(
        points=local + of_each(street.shift.T, views),
        normals=normals,
        rays=rays,
        flat=flat,
        bumped=bool(bumped),
        material=look.materials[: None if patterned else PLAIN].index_select(1, material),
        distance=distance,
        footprint=distance / (of_each(look.focal, views) * facing.abs().clamp(min=0.04).sqrt()),
        lit=sunlit(street.maps, look.shadows[0], lifted, views),
        open=openness(street.maps, look.shadows[1], lifted, views),
    )
