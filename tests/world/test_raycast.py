"""The closed-form ray-caster against one that tries every ray on every primitive."""

import torch

from depthseg_lib.world.raycast import EMPTY, Shapes, View, cast, nearest, split


def random_scene(seed):
    generator = torch.Generator().manual_seed(seed)
    uniform = lambda *shape: torch.rand(*shape, generator=generator).double() * 2 - 1  # noqa: E731
    middle = uniform(30, 1, 3) * torch.tensor([6.0, 3.0, 8.0]) + torch.tensor([0.0, 0.0, 6.0])
    along, across = uniform(30, 1, 3) * 2, uniform(30, 1, 3) * 2
    corners = middle + torch.cat([-along - across, along - across, along + across, across - along], 1)
    centres = uniform(20, 3) * torch.tensor([6.0, 3.0, 8.0]) + torch.tensor([0.0, 0.0, 7.0])
    centres = centres + 3 * torch.nn.functional.normalize(centres, dim=1)  # the camera is inside none
    axes = torch.linalg.qr(uniform(20, 3, 3))[0] * (uniform(20, 1, 3) * 0.8 + 1)
    return corners, centres, axes


def view_of(poses, focal, centre, height, width):
    return View(poses, torch.tensor(focal).double(), torch.tensor(centre).double(), height, width)


def shapes_of(corners, centres, axes, view=0):
    return Shapes(corners, centres, axes, torch.full((len(corners),), view), torch.full((len(centres),), view))


def depths(view, shapes):
    keys = nearest(view, cast(view, shapes))
    return torch.where(keys == EMPTY, 0.0, split(keys)[0])


def every_ray(view, corners, centres, axes):
    """Depth and primitive by testing all pairs, float64."""
    x = (torch.arange(view.width).double() - view.centre[0, 0]) / view.focal[0, 0]
    y = (torch.arange(view.height).double() - view.centre[0, 1]) / view.focal[0, 1]
    y, x = torch.meshgrid(y, x, indexing="ij")
    rays = torch.stack([x, y, torch.ones_like(x)], -1).reshape(-1, 3)
    turn, shift = view.world_to_camera[0, :3, :3], view.world_to_camera[0, :3, 3]
    corners, centres, axes = corners @ turn.T + shift, centres @ turn.T + shift, turn @ axes
    depths = []
    for quad in corners:
        edges = torch.stack([quad[1] - quad[0], quad[3] - quad[0]])
        systems = torch.stack([*(edge.expand_as(rays) for edge in edges), -rays], 2)  # u e1 + v e2 - t d = -corner
        u, v, t = torch.linalg.solve(systems, -quad[0].expand_as(rays)).unbind(-1)
        hit = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1) & (t > 0.05)
        depths.append(torch.where(hit, t, torch.inf))
    for centre, axis in zip(centres, axes, strict=True):
        inverse = torch.linalg.inv(axis)
        d, m = rays @ inverse.T, inverse @ centre
        a, b, c = (d**2).sum(1), d @ m, m @ m - 1
        root = b**2 - a * c
        t = (b - root.clamp(min=0).sqrt()) / a
        depths.append(torch.where((root >= 0) & (t > 0.05), t, torch.inf))
    return torch.stack(depths).min(0)


def test_agrees_with_testing_every_ray_on_every_primitive():
    pose = torch.eye(4).double()
    pose[:3, :3] = torch.linalg.matrix_exp(torch.tensor([[0, 0.1, 0.3], [-0.1, 0, 0.05], [-0.3, -0.05, 0]]).double())
    view = view_of(pose[None], [[40.0, 45.0]], [[31.3, 20.7]], 41, 64)
    for seed in range(6):
        corners, centres, axes = random_scene(seed)
        keys = nearest(view, cast(view, shapes_of(corners, centres, axes)))
        depth, primitive = split(keys)
        expected, which = every_ray(view, corners, centres, axes)
        seen = keys != EMPTY
        agree = torch.where(seen, (depth - expected).abs() < 1e-3 * expected, expected.isinf())
        assert agree.float().mean() > 0.998  # rays that graze an edge may fall to either side of it
        assert (primitive == which)[seen & agree].float().mean() > 0.998
        assert 0.2 < seen.float().mean() < 1


def test_neighbouring_quads_leave_no_gap():
    generator = torch.Generator().manual_seed(0)
    grid = torch.stack(torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij"), -1).double()
    grid[1:-1, 1:-1] += torch.rand(10, 10, 2, generator=generator) * 0.6 - 0.3
    points = torch.cat([grid - 5.5, torch.full((12, 12, 1), 5.0).double()], -1)
    corners = torch.stack([points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]], 2).reshape(-1, 4, 3)
    view = view_of(torch.eye(4).double()[None], [[300.0, 300.0]], [[150.0, 150.0]], 301, 301)
    none = torch.zeros(0, 3).double(), torch.zeros(0, 3, 3).double()
    keys = nearest(view, cast(view, shapes_of(corners, *none)))
    assert (keys != EMPTY).all()
    assert torch.allclose(split(keys)[0], torch.tensor(5.0), atol=1e-4)


def test_two_cameras_see_only_their_own_shapes():
    scenes = [random_scene(seed) for seed in (1, 2)]
    poses = torch.eye(4).double().repeat(2, 1, 1)
    poses[1, :3, 3] = torch.tensor([0.2, -0.1, 0.5])
    lenses = ([[40.0, 45.0], [30.0, 30.0]], [[31.3, 20.7], [32.0, 20.0]])
    both = [shapes_of(*scene, view=number) for number, scene in enumerate(scenes)]
    names = ("corners", "centres", "axes", "quad_views", "ellipsoid_views")
    shapes = Shapes(*(torch.cat([getattr(part, name) for part in both]) for name in names))
    view = view_of(poses, *lenses, 41, 64)
    together = depths(view, shapes).view(2, -1)
    for number, scene in enumerate(scenes):
        one = slice(number, number + 1)
        alone = view_of(poses[one], lenses[0][one], lenses[1][one], 41, 64)
        assert torch.equal(together[number], depths(alone, shapes_of(*scene)))
