"""Which primitive each ray of a grid hits first, in closed form.

A ray through sample (X, Y) of a pinhole camera is linear in X and Y. So the rays that hit a quad are, in each row of
samples, one interval bounded by four planes through the camera centre; those that hit an ellipsoid lie between the
roots of a quadratic. Only samples inside these intervals are visited.
"""

from dataclasses import dataclass, fields, is_dataclass, replace

import torch

NEAR = 0.05
"""Metres; nothing nearer is seen."""
SLACK = 1e-3
"""Samples; neighbours that share an edge overlap by this much, so that no ray slips between them."""
EMPTY = 2**63 - 1
"""Key of a ray that hits nothing."""


@dataclass(frozen=True)
class View:
    """V pinhole cameras, each over a grid of samples of the same size, centres at whole numbers."""

    world_to_camera: torch.Tensor
    """(V, 4, 4) float64."""
    focal: torch.Tensor
    """(V, 2) float64, in samples, along x and y."""
    centre: torch.Tensor
    """(V, 2) float64, principal point in samples."""
    height: int
    """Rows of samples."""
    width: int
    """Columns of samples."""


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

    def only(self, chosen: torch.Tensor) -> "Shapes":
        """Those with `chosen` (Q + E,); their numbers are lost."""
        quads, rest = chosen[: len(self.corners)], chosen[len(self.corners) :]
        return Shapes(
            *(self.corners[quads], self.centres[rest], self.axes[rest]),
            *(self.quad_views[quads], self.ellipsoid_views[rest]),
        )


def moved(value, device: str | torch.device):
    """A copy of a dataclass whose tensors, and those of the dataclasses in it, are in the memory of `device`."""
    parts = {field.name: getattr(value, field.name) for field in fields(value)}
    there = {name: part.to(device) for name, part in parts.items() if torch.is_tensor(part)}
    return replace(value, **there, **{name: moved(part, device) for name, part in parts.items() if is_dataclass(part)})


def cast(view: View, shapes: Shapes) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and samples (F,) int64 of all hits: the depth's float32 bits above the primitive's number.

    So the least key of a sample is its nearest hit. Samples of the second camera follow those of the first.
    """
    quads, ellipsoids = _quad_hits(view, shapes), _ellipsoid_hits(view, shapes)
    return torch.cat([quads[0], ellipsoids[0]]), torch.cat([quads[1], ellipsoids[1]])


def nearest(view: View, hits: tuple[torch.Tensor, torch.Tensor], before: torch.Tensor | None = None) -> torch.Tensor:
    """The least key per sample (V * H * W,), `EMPTY` where no ray hits; `before` are keys that are there already."""
    keys, samples = hits
    if before is None:
        before = torch.full((len(view.focal) * view.height * view.width,), EMPTY, dtype=torch.int64, device=keys.device)
    return before.scatter_reduce(0, samples, keys, "amin")


def split(keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Depth along the optical axis (float32, metres) and primitive of keys that are not `EMPTY`."""
    return (keys >> 32).to(torch.int32).view(torch.float32), keys & 0xFFFFFFFF


def _quad_hits(view: View, shapes: Shapes):
    pose = view.world_to_camera[shapes.quad_views]
    points = shapes.corners @ pose[:, :3, :3].mT + pose[:, None, :3, 3]
    number = (points[..., 2].amax(-1) > NEAR).nonzero()[:, 0]
    points, camera = points[number], shapes.quad_views[number]
    lens = view.focal[camera], view.centre[camera]
    normal = torch.linalg.cross(points[:, 2] - points[:, 0], points[:, 3] - points[:, 1])
    offset = (normal * points.mean(1)).sum(-1)
    edges = torch.linalg.cross(points, points.roll(-1, 1)) * offset.sign()[:, None, None]
    plane = normal / torch.where(offset.abs() < 1e-9, 1e-9, offset)[:, None]
    box = _quad_bounds(view, lens, points)
    rows, row_y = _between(box[:, 2], box[:, 3])
    coefficients = _per_sample(lens, torch.cat([edges, plane[:, None]], dim=1)).index_select(0, rows)
    slope, level = coefficients[..., 0], coefficients[..., 1] * row_y[:, None] + coefficients[..., 2]
    # in a row of samples the quad is where the functions slope X + level of all its edges are positive
    edge, start = slope[:, :4], level[:, :4]
    flat = edge.abs() < 1e-14
    bound = -start / torch.where(flat, 1.0, edge)
    left = torch.where(flat | (edge < 0), -torch.inf, bound).amax(1)
    right = torch.where(flat | (edge > 0), torch.inf, bound).amin(1)
    right = torch.where((flat & (start < -1e-9)).any(1), -torch.inf, right)
    left, right = torch.maximum(left, box[rows, 0]), torch.minimum(right, box[rows, 1]).clamp(min=-2.0)
    row, x = _between((left - SLACK).ceil(), (right + SLACK).floor())
    slope, level = torch.stack([slope[:, 4], level[:, 4]]).float().index_select(1, row)
    inverse = slope * x + level
    return _keys(view, 1 / inverse, inverse > 1e-6, number[rows], camera[rows], row_y, row, x)


def _quad_bounds(view: View, lens, points: torch.Tensor) -> torch.Tensor:
    """Bounds (x0, x1, y0, y1) in samples of the part of each quad before the near plane."""
    following = points.roll(-1, 1)
    step = (NEAR - points[..., 2:]) / (following[..., 2:] - points[..., 2:]).where(
        (following[..., 2:] - points[..., 2:]).abs() > 1e-12, 1e-12
    )
    crossing = points + step.clamp(0, 1) * (following - points)
    candidates = torch.cat([points, crossing], dim=1)
    seen = candidates[..., 2] >= NEAR * 0.999
    depth = candidates[..., 2].clamp(min=NEAR)
    flat = candidates[..., :2] / depth[..., None] * lens[0][:, None] + lens[1][:, None]
    x, y = flat.unbind(-1)
    low = [torch.where(seen, value, torch.inf).amin(1) for value in (x, y)]
    high = [torch.where(seen, value, -torch.inf).amax(1) for value in (x, y)]
    return _clip(view, low[0], high[0], low[1], high[1])


def _ellipsoid_hits(view: View, shapes: Shapes):
    camera = shapes.ellipsoid_views
    pose, lens = view.world_to_camera[camera], (view.focal[camera], view.centre[camera])
    centres = (pose[:, :3, :3] @ shapes.centres[:, :, None])[..., 0] + pose[:, :3, 3]
    axes = pose[:, :3, :3] @ shapes.axes
    kept, box = _ellipsoid_bounds(view, lens, centres, axes @ axes.mT)
    kept = kept.nonzero()[:, 0]
    centres, axes, box, camera, number = centres[kept], axes[kept], box[kept], camera[kept], kept + len(shapes.corners)
    lens = lens[0][kept], lens[1][kept]
    inverse = torch.linalg.inv(axes)
    rows, row_y = _between(box[:, 2], box[:, 3])
    # In the frame where the ellipsoid is the unit sphere a ray is t (along X + start), the centre m:
    # |t d - m|^2 = 1 is a t^2 - 2 b t + c = 0, and a, b, b^2 - a c are polynomials in X.
    linear = _per_sample(lens, inverse)[rows]
    along, start = linear[..., 0], linear[..., 1] * row_y[:, None] + linear[..., 2]
    middle = (inverse @ centres[:, :, None])[rows, :, 0]
    c = (middle**2).sum(-1) - 1
    a = torch.stack([(along**2).sum(-1), 2 * (along * start).sum(-1), (start**2).sum(-1)], -1)
    b = torch.stack([(along * middle).sum(-1), (start * middle).sum(-1)], -1)
    root = torch.stack([b[:, 0] ** 2, 2 * b[:, 0] * b[:, 1], b[:, 1] ** 2], -1) - a * c[:, None]
    # seen where the last is positive: between its roots where its leading term is negative, else all over
    p, q, r = root.unbind(-1)
    closed, inside = p < 0, (q**2 - 4 * p * r).clamp(min=0).sqrt()
    safe, (x0, x1) = torch.where(closed, p, -1.0), box[rows, :2].T
    left = torch.where(closed, torch.maximum((-q + inside) / (2 * safe), x0), x0)
    right = torch.where(closed, torch.minimum((-q - inside) / (2 * safe), x1), x1)
    right = torch.where(closed & (q**2 - 4 * p * r < 0), -2.0, right)
    row, x = _between((left - SLACK).ceil(), (right + SLACK).floor())
    terms = torch.cat([a, b, root], 1).T.float().index_select(1, row)
    a, b, root = terms[:3], terms[3:5], terms[5:]
    root = (root[0] * x + root[1]) * x + root[2]
    depth = (b[0] * x + b[1] - root.clamp(min=0).sqrt()) / ((a[0] * x + a[1]) * x + a[2])
    seen = (root >= 0) & (depth > NEAR)
    return _keys(view, depth, seen, number[rows], camera[rows], row_y, row, x)


def _ellipsoid_bounds(view: View, lens, centres: torch.Tensor, spread: torch.Tensor):
    """Which ellipsoids can be seen, and their bounds: tangent planes through the camera; spread is axes axes^T."""
    behind = centres[:, 2] <= spread[:, 2, 2].sqrt() + NEAR
    bounds = []
    for axis, size in ((0, view.width), (1, view.height)):
        p = (centres[:, 2] ** 2 - spread[:, 2, 2]).clamp(min=1e-9)
        q = centres[:, axis] * centres[:, 2] - spread[:, axis, 2]
        r = (q**2 - p * (centres[:, axis] ** 2 - spread[:, axis, axis])).clamp(min=0).sqrt()
        reach, middle = lens[0][:, axis], lens[1][:, axis]
        low, high = (q - r) / p * reach + middle, (q + r) / p * reach + middle
        # One that spans the camera's plane is tested against the sides of the view, then over the whole grid.
        inside = torch.ones_like(behind)
        for bound, sign in (((-middle - 1) / reach, 1.0), ((size - middle) / reach, -1.0)):
            variance = spread[:, axis, axis] - 2 * bound * spread[:, axis, 2] + bound**2 * spread[:, 2, 2]
            inside &= sign * (centres[:, axis] - bound * centres[:, 2]) + variance.sqrt() > 0
        bounds += [torch.where(behind, torch.where(inside, -1.0, torch.inf), low)]
        bounds += [torch.where(behind, torch.where(inside, float(size), -torch.inf), high)]
    box = _clip(view, *bounds)
    seen = (box[:, 0] <= box[:, 1]) & (box[:, 2] <= box[:, 3]) & (centres[:, 2] + spread[:, 2, 2].sqrt() > NEAR)
    return seen, box


def _clip(view: View, x0, x1, y0, y1) -> torch.Tensor:
    low = [(value - SLACK).clamp(min=0).nan_to_num(posinf=1e9).ceil() for value in (x0, y0)]
    high = [
        (value + SLACK).clamp(max=size - 1).nan_to_num(neginf=-1e9).floor()
        for value, size in ((x1, view.width), (y1, view.height))
    ]
    return torch.stack([low[0], high[0], low[1], high[1]], -1)


def _per_sample(lens, functions: torch.Tensor) -> torch.Tensor:
    """Linear functions (n, m, 3) of a ray's direction as coefficients of X, Y and 1; `lens` are focal and centre."""
    focal, centre = lens[0][:, None], lens[1][:, None]
    along_x, along_y = functions[..., 0] / focal[..., 0], functions[..., 1] / focal[..., 1]
    constant = functions[..., 2] - along_x * centre[..., 0] - along_y * centre[..., 1]
    return torch.stack([along_x, along_y, constant], -1)


def _between(first: torch.Tensor, last: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One entry per whole number from `first` to `last` (n,), whole too: which of the n it is of, and the number."""
    count = (last - first + 1).clamp(min=0).long()
    owner = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    start = first.long() - (count.cumsum(0) - count)
    return owner, torch.arange(len(owner), device=count.device) + start.index_select(0, owner)


def _keys(view: View, depth, valid, number, camera, row_y, row, x) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and samples of hits, which have `depth` and `x`; what each `row` has is its primitive, camera and Y."""
    start = (camera * view.height + row_y) * view.width
    key = (depth.view(torch.int32).long() << 32) | number.index_select(0, row)
    return torch.where(valid, key, EMPTY), start.index_select(0, row) + x
