"""Which primitive each ray of a grid hits first, in closed form.

A ray through sample (X, Y) of a pinhole camera is linear in X and Y. So the rays that hit a quad are, in each row of
samples, one interval bounded by four planes through the camera centre; those that hit an ellipsoid lie between the
roots of a quadratic. Only samples inside these intervals are visited.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace

import torch
import torch.nn.functional as F

NEAR = 0.05
"""Metres; nothing nearer is seen."""
SLACK = 1e-3
"""Samples; neighbours that share an edge overlap by this much, so that no ray slips between them."""
EMPTY = 0x7F800000 << 32
"""Key of a ray that hits nothing: infinitely far."""


@dataclass(frozen=True)
class View:
    """V pinhole cameras, each over a grid of samples, centres at whole numbers."""

    world_to_camera: torch.Tensor
    """(V, 4, 4) float64."""
    focal: torch.Tensor
    """(V, 2) float64, in samples, along x and y."""
    centre: torch.Tensor
    """(V, 2) float64, principal point in samples."""
    height: int | tuple[int, ...]
    """Rows of samples; one number of all cameras, or one of each."""
    width: int | tuple[int, ...]
    """Columns of samples."""

    def sizes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Columns and rows of each camera."""
        return tuple(
            size if isinstance(size, tuple) else (size,) * len(self.focal) for size in (self.width, self.height)
        )


def beside(views: list[View]) -> View:
    """The cameras of all `views`, in this order."""
    whole = (torch.cat([getattr(view, name) for view in views]) for name in ("world_to_camera", "focal", "centre"))
    widths, heights = (sum(sizes, ()) for sizes in zip(*(view.sizes() for view in views), strict=True))
    return View(*whole, heights, widths)


@dataclass(frozen=True)
class Shapes:
    """Primitives at one time, numbered quads first; world coordinates, float64."""

    corners: torch.Tensor
    """(Q, 4, 3) of the quads, in order around each."""
    centres: torch.Tensor
    """(E, 3) of the ellipsoids."""
    axes: torch.Tensor
    """(E, 3, 3) their semi-axes, as columns."""
    quad_views: torch.Tensor
    """(Q,) int64, the one camera that sees each."""
    ellipsoid_views: torch.Tensor
    """(E,) int64."""
    first: int | None = None
    """Number of the first ellipsoid, where it isn't Q."""

    def only(self, chosen: torch.Tensor) -> "Shapes":
        """Those with `chosen` (Q + E,); their numbers are lost."""
        quads, rest = chosen[: len(self.corners)], chosen[len(self.corners) :]
        return Shapes(
            *(self.corners[quads], self.centres[rest], self.axes[rest]),
            *(self.quad_views[quads], self.ellipsoid_views[rest]),
        )


def apart(parts: list[Shapes], cameras: int) -> Shapes:
    """All `parts`, the second one seen by the next `cameras` cameras and so on; the first one keeps its numbers."""
    names = ("corners", "centres", "axes", "quad_views", "ellipsoid_views")
    corners, centres, axes, *views = ([getattr(part, name) for part in parts] for name in names)
    views = [[view + number * cameras for number, view in enumerate(column)] for column in views]
    return Shapes(*map(torch.cat, (corners, centres, axes, *views)), first=len(corners[0]))


def moved(value, device: str | torch.device):
    """A copy of a dataclass whose tensors, and those of the dataclasses in it, are in the memory of `device`."""
    parts = {field.name: getattr(value, field.name) for field in fields(value)}
    there = {name: part.to(device) for name, part in parts.items() if torch.is_tensor(part)}
    return replace(value, **there, **{name: moved(part, device) for name, part in parts.items() if is_dataclass(part)})


def cast(view: View, shapes: Shapes) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and samples (F,) int64 of all hits, in parts: the depth's float32 bits above the primitive's number.

    So the least key of a sample is its nearest hit. Samples of the second camera follow those of the first.
    """
    yield from _quad_hits(view, shapes)
    yield from _ellipsoid_hits(view, shapes)


def nearest(view: View, hits: Iterable, before: torch.Tensor | None = None) -> torch.Tensor:
    """The least key per sample, camera by camera, row by row, `EMPTY` where no ray hits.

    `before` are keys that are there already; they are overwritten.
    """
    if before is None:
        count = sum(width * height for width, height in zip(*view.sizes(), strict=True))
        before = torch.full((count,), EMPTY, device=view.focal.device)
    for keys, samples in hits:
        before.scatter_reduce_(0, samples, keys, "amin")
    return before.clamp_(max=EMPTY)


def split(keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Depth along the optical axis (float32, metres) and primitive of keys that are not `EMPTY`."""
    return (keys >> 32).to(torch.int32).view(torch.float32), primitives(keys)


def primitives(keys: torch.Tensor) -> torch.Tensor:
    """Numbers (N,) of the primitives that were hit, 0 for `EMPTY`."""
    return keys & 0xFFFFFFFF


def of_each(values: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
    """Of `values` (V, ...), those of each one's view, as (..., N); (..., 1) to be broadcast where there is but one."""
    if len(values) == 1:
        return values.movedim(0, -1)
    return values.reshape(len(values), -1).T.contiguous().index_select(1, views).view(*values.shape[1:], -1)


def at_a_time(device: torch.device) -> int:
    """How many samples to work on at a time: as many as fit a processor's cache, or keep a GPU busy."""
    return 2**16 if device.type == "cpu" else 2**22


def _quad_hits(view: View, shapes: Shapes):
    camera = shapes.quad_views
    points = _from_camera(view, camera, shapes.corners.permute(2, 1, 0))
    lens = of_each(view.focal, camera), of_each(view.centre, camera)
    box = _quad_bounds(view, camera, lens, points)
    seen = (points[2].amax(0) > NEAR) & (box[0] <= box[1]) & (box[2] <= box[3])
    number = seen.nonzero()[:, 0]
    points, box, camera = points.index_select(2, number), box.index_select(1, number), camera[number]
    lens = of_each(view.focal, camera), of_each(view.centre, camera)
    normal = _cross(points[:, 2] - points[:, 0], points[:, 3] - points[:, 1])
    offset = (normal * points.mean(1)).sum(0)
    edges = _cross(points, points.roll(-1, 1)) * offset.sign()
    plane = normal / torch.where(offset.abs() < 1e-9, 1e-9, offset)
    rows, row_y = _between(box[2], box[3])
    functions = _per_sample(lens, torch.cat([edges, plane[:, None]], 1)).flatten(0, 1).index_select(1, rows)
    slope, level = functions[:5], functions[5:10] * row_y + functions[10:]
    # in a row of samples the quad is where the functions slope X + level of all its edges are positive
    edge, start = slope[:4], level[:4]
    flat = edge.abs() < 1e-14
    bound = -start / edge.masked_fill(flat, 1.0)
    left = bound.masked_fill(flat | (edge < 0), -torch.inf).amax(0)
    right = bound.masked_fill(flat | (edge > 0), torch.inf).amin(0)
    right.masked_fill_((flat & (start < -1e-9)).any(0), -torch.inf)
    x0, x1 = box[:2].index_select(1, rows)
    ends = torch.maximum(left, x0), torch.minimum(right, x1).clamp(min=-2.0)
    for x, terms, place in _spans(view, *ends, torch.stack([slope[4], level[4]]), number[rows], camera[rows], row_y):
        inverse = x.mul_(terms[0]).add_(terms[1])
        yield _keys(F.threshold(inverse, 1e-6, 0.0).reciprocal_(), *place)


def _quad_bounds(view: View, camera: torch.Tensor, lens, points: torch.Tensor) -> torch.Tensor:
    """Bounds (x0, x1, y0, y1) in samples of the part of each quad before the near plane."""
    ahead = points.roll(-1, 1) - points
    step = (NEAR - points[2]) / ahead[2].where(ahead[2].abs() > 1e-12, 1e-12)
    candidates = torch.cat([points, points + step.clamp_(0, 1) * ahead], 1)
    hidden = candidates[2] < NEAR * 0.999
    flat = candidates[:2] / candidates[2].clamp(min=NEAR) * lens[0][:, None] + lens[1][:, None]
    low, high = torch.where(hidden, torch.inf, flat).amin(1), torch.where(hidden, -torch.inf, flat).amax(1)
    return _clip(_size(view, camera), low, high)


def _ellipsoid_hits(view: View, shapes: Shapes):
    camera = shapes.ellipsoid_views
    centres, axes = shapes.centres.T, shapes.axes.permute(1, 2, 0)
    turn = of_each(view.world_to_camera[:, :3, :3], camera)
    centres = _from_camera(view, camera, centres[:, None])[:, 0]
    axes = (turn[:, :, None] * axes).sum(1)
    seen, box = _ellipsoid_bounds(view, camera, centres, (axes[:, None] * axes).sum(2))
    number = seen.nonzero()[:, 0]
    centres, axes, box, camera = centres[:, number], axes[..., number], box[:, number], camera[number]
    inverse = torch.linalg.inv(axes.permute(2, 0, 1)).permute(1, 2, 0)
    rows, row_y = _between(box[2], box[3])
    # In the frame where the ellipsoid is the unit sphere a ray is t (along X + start), the centre m:
    # |t d - m|^2 = 1 is a t^2 - 2 b t + c = 0, and a, b, b^2 - a c are polynomials in X.
    linear = _per_sample((of_each(view.focal, camera), of_each(view.centre, camera)), inverse.transpose(0, 1))
    linear = linear.flatten(0, 1).index_select(1, rows)
    along, start = linear[:3], linear[3:6] * row_y + linear[6:]
    middle = (inverse * centres).sum(1).index_select(1, rows)
    c = (middle**2).sum(0) - 1
    a = torch.stack([(along**2).sum(0), 2 * (along * start).sum(0), (start**2).sum(0)])
    b = torch.stack([(along * middle).sum(0), (start * middle).sum(0)])
    root = torch.stack([b[0] ** 2, 2 * b[0] * b[1], b[1] ** 2]) - a * c
    # seen where the last is positive: between its roots where its leading term is negative, else all over
    p, q, r = root
    closed, inside = p < 0, q**2 - 4 * p * r
    width, safe, (x0, x1) = inside.clamp(min=0).sqrt(), torch.where(closed, p, -1.0), box[:2].index_select(1, rows)
    left = torch.where(closed, torch.maximum((-q + width) / (2 * safe), x0), x0)
    right = torch.where(closed, torch.minimum((-q - width) / (2 * safe), x1), x1)
    right = torch.where(closed & (inside < 0), -2.0, right)
    number = number[rows] + (len(shapes.corners) if shapes.first is None else shapes.first)
    for x, terms, place in _spans(view, left, right, torch.cat([a, b, root]), number, camera[rows], row_y):
        a, b, root = terms[:3], terms[3:5], terms[5:]
        root = (root[0] * x + root[1]) * x + root[2]
        depth = (b[0] * x + b[1] - root.clamp(min=0).sqrt()) / ((a[0] * x + a[1]) * x + a[2])
        yield _keys(depth.where((root >= 0) & (depth > NEAR), torch.inf), *place)


def _ellipsoid_bounds(view: View, camera: torch.Tensor, centres: torch.Tensor, spread: torch.Tensor):
    """Which ellipsoids can be seen, and their bounds: tangent planes through the camera; spread is axes axes^T."""
    focal, middle = of_each(view.focal, camera), of_each(view.centre, camera)
    size = _size(view, camera)
    (flat, z), (across, depth) = (centres[:2], centres[2]), (spread[:2, 2], spread[2, 2])
    along = torch.stack([spread[0, 0], spread[1, 1]])
    behind = z <= depth.sqrt() + NEAR
    p = (z**2 - depth).clamp(min=1e-9)
    q = flat * z - across
    r = (q**2 - p * (flat**2 - along)).clamp(min=0).sqrt()
    low, high = (q - r) / p * focal + middle, (q + r) / p * focal + middle
    # One that spans the camera's plane is tested against the sides of the view, then over the whole grid.
    inside = True
    for bound, sign in (((-middle - 1) / focal, 1.0), ((size - middle) / focal, -1.0)):
        variance = along - 2 * bound * across + bound**2 * depth
        inside = inside & (sign * (flat - bound * z) + variance.sqrt() > 0)
    low = torch.where(behind, torch.where(inside, -1.0, torch.inf), low)
    high = torch.where(behind, torch.where(inside, size, -torch.inf), high)
    box = _clip(size, low, high)
    return (box[0] <= box[1]) & (box[2] <= box[3]) & (z + depth.sqrt() > NEAR), box


def _size(view: View, camera: torch.Tensor) -> torch.Tensor:
    """Columns and rows (2, n) of these cameras, float64."""
    return of_each(torch.tensor(view.sizes(), dtype=torch.float64, device=camera.device).T, camera)


def _clip(size: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Bounds (4, n) x0, x1, y0, y1, whole and in the view, from the low and high ones (2, n) along x and y."""
    low = (low - SLACK).clamp(min=0).nan_to_num(posinf=1e9).ceil()
    high = torch.minimum(high + SLACK, size - 1).nan_to_num(neginf=-1e9).floor()
    return torch.stack([low, high], 1).flatten(0, 1)


def _from_camera(view: View, camera: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """World points (3, m, n), each n of one camera, as that camera has them."""
    pose = of_each(view.world_to_camera, camera)[:3, :, None]
    x, y, z = points.contiguous()
    return pose[:, 0] * x + pose[:, 1] * y + pose[:, 2] * z + pose[:, 3]


def _per_sample(lens, functions: torch.Tensor) -> torch.Tensor:
    """Linear functions (3, m, n) of a ray's direction as coefficients of X, Y and 1; `lens` are focal and centre."""
    focal, centre = lens
    along_x, along_y = functions[0] / focal[0], functions[1] / focal[1]
    return torch.stack([along_x, along_y, functions[2] - along_x * centre[0] - along_y * centre[1]])


def _cross(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a.roll(-1, 0) * b.roll(1, 0) - a.roll(1, 0) * b.roll(-1, 0)


def _between(first: torch.Tensor, last: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One entry per whole number from `first` to `last` (n,), whole too: which of the n it is of, and the number."""
    count = (last - first + 1).clamp(min=0).long()
    owner = torch.repeat_interleave(count)
    start = first.long() - (count.cumsum(0) - count)
    return owner, torch.arange(len(owner), device=count.device) + start.index_select(0, owner)


def _spans(view: View, left, right, terms, number, camera, row_y):
    """The samples between `left` and `right` (n,) in rows of samples, in groups of rows that hold similarly many.

    For each group of m rows: X (m, length), float32, where short rows repeat their last sample; the rows' `terms`
    (k, m, 1), float32; and of their hits the primitives' numbers (m, 1) and the samples (m, length).
    """
    first, last = (left - SLACK).ceil(), (right + SLACK).floor()
    length, order = (last - first + 1).int().sort(descending=True)
    length, limit, begin = length.cpu().numpy(), at_a_time(left.device), 0
    order = order[: int((length > 0).sum())]
    ends, terms = (part.float().index_select(1, order)[..., None] for part in (torch.stack([first, last]), terms))
    widths, heights = torch.tensor(view.sizes(), device=left.device)
    starts = (widths * heights).cumsum(0) - widths * heights
    row = of_each(starts, camera) + row_y * of_each(widths, camera)
    samples = (torch.stack([first, last]).long() + row).index_select(1, order)[..., None]
    number = number.index_select(0, order)[:, None]
    steps = torch.arange(max(view.sizes()[0]), device=left.device)
    whole = steps.float()
    while begin < len(order):
        part, upto = slice(begin, begin + max(1, limit // int(length[begin]))), length[begin]
        x = torch.minimum(ends[0, part] + whole[:upto], ends[1, part])
        there = torch.minimum(samples[0, part] + steps[:upto], samples[1, part])
        yield x, terms[:, part], (number[part], there)
        begin = part.stop


def _keys(depth: torch.Tensor, number: torch.Tensor, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    keys = depth.view(torch.int32).long().bitwise_left_shift_(32).bitwise_or_(number)
    return keys.view(-1), samples.view(-1)
