"""Who is on a street: cars, trucks, buses, bicycles and people. All are built at the origin, facing +z."""

import numpy as np

from depthseg_lib.world.scene import Builder, Label, motions, turned
from depthseg_lib.world.surfaces import CLOTH, PAINT, PLASTER, SKIN, Material, pick

_GLASS = Material((0.10, 0.12, 0.14), (0.20, 0.22, 0.24), 0.5, 1.2, 0.3, gloss=0.16)
_TYRE = Material((0.07, 0.07, 0.07), contrast=0.4, wavelength=0.3)
_HUB = Material((0.48, 0.48, 0.50), contrast=0.6, wavelength=0.25)
_DARK = Material((0.10, 0.10, 0.11), contrast=0.3)


def car(build: Builder, rng: np.random.Generator) -> None:
    """A hatchback, saloon, estate or van of random size and paint."""
    kind = rng.choice(["hatch", "saloon", "estate", "van"], p=[0.35, 0.3, 0.2, 0.15])
    half = rng.uniform(1.75, 2.3) + (0.3 if kind == "van" else 0.0)
    wide, tall = rng.uniform(0.82, 0.94), rng.uniform(1.38, 1.55) + (0.45 if kind == "van" else 0.0)
    paint = build.material(Material(pick(rng, PAINT), wavelength=1.0, contrast=0.2, gloss=rng.uniform(0.06, 0.2)))
    glass, dark = build.material(_GLASS), build.material(_DARK)
    waist = rng.uniform(0.86, 0.98)
    bonnet = waist - rng.uniform(0.02, 0.16)
    cowl, tail = half - rng.uniform(0.95, 1.2), {"saloon": -half + 0.75}.get(kind, -half + 0.12)
    low = (-wide, wide, -half, half)
    build.frustum((-wide, wide, -half + 0.1, half - 0.12), low, 0.22, 0.45, dark)
    build.frustum(low, (-wide + 0.05, wide - 0.05, -half + 0.08, cowl), 0.45, waist, paint)
    build.frustum((-wide, wide, cowl, half), (-wide + 0.08, wide - 0.08, cowl, half - 0.18), 0.45, bonnet, paint)
    rear = tail + {"saloon": 0.65, "hatch": 0.4}.get(kind, 0.15)
    roof = (-wide + 0.2, wide - 0.2, rear, cowl - rng.uniform(0.5, 0.8))
    base = (-wide + 0.06, wide - 0.06, tail, cowl + 0.1)
    build.frustum(base, roof, waist, tall - 0.06, glass)
    build.frustum(roof, np.add(roof, (0.08, -0.08, 0.08, -0.08)), tall - 0.06, tall, paint)
    for share in (0.0, 0.3, 0.62, 0.96) if kind == "van" else (0.0, 0.42, 0.96):  # posts between the windows
        z0, z1 = (rect[2] + share * (rect[3] - rect[2]) for rect in (base, roof))
        for side, out in ((0, -0.012), (1, 0.012)):
            x0, x1, high = base[side] + out, roof[side] + out, tall - 0.05
            foot = ((x0, waist, z0 - 0.05), (x0, waist, z0 + 0.07))
            build.quads([*foot, (x1, high, z1 + 0.07), (x1, high, z1 - 0.05)], paint)
    _lamps(build, rng, wide, half, waist)
    _wheels(build, wide, (-half + 0.62, half - 0.68), rng.uniform(0.29, 0.34))


def truck(build: Builder, rng: np.random.Generator) -> None:
    """A lorry: a cab, and a box or an open bed behind it."""
    half, wide, tall = rng.uniform(2.9, 4.2), rng.uniform(1.1, 1.25), rng.uniform(2.7, 3.6)
    paint = build.material(Material(pick(rng, PAINT), contrast=0.2, gloss=0.08))
    load = Material(pick(rng, PAINT + PLASTER), wavelength=2.0, contrast=0.3, grid=(1.1, 9, 0.04, 0), joint=0.25)
    cargo, glass, dark = build.material(load), build.material(_GLASS), build.material(_DARK)
    back = half - rng.uniform(1.7, 2.1)
    top = (-wide + 0.12, wide - 0.12, back + 0.1, half - 0.45)
    build.frustum((-wide, wide, -half, back), (-wide, wide, -half, back), 0.55, 0.95, dark)
    build.box((-wide, wide), (0.95, tall if rng.random() < 0.75 else 1.7), (-half, back - 0.15), cargo)
    build.box((-wide + 0.05, wide - 0.05), (0.45, 1.45), (back, half), paint)
    build.frustum((-wide + 0.05, wide - 0.05, back, half - 0.05), top, 1.45, 2.2, glass)
    build.frustum(top, np.add(top, (0.05, -0.05, 0.05, -0.05)), 2.2, 2.45, paint)
    _lamps(build, rng, wide, half, 0.95)
    _wheels(build, wide, (-half + 1.0, half - 0.9), 0.48)


def bus(build: Builder, rng: np.random.Generator) -> None:
    """A city bus."""
    half, wide = rng.uniform(4.8, 6.0), 1.25
    skin = Material(pick(rng, PAINT), wavelength=2.0, contrast=0.2, gloss=0.08)
    paint, glass = build.material(skin), build.material(_GLASS)
    build.box((-wide, wide), (0.35, 3.0), (-half, half), paint)
    for z in np.arange(-half + 0.3, half - 1.4, 1.5):
        build.box((-wide - 0.015, wide + 0.015), (1.25, 2.4), (z, z + 1.35), glass)
    build.box((-wide + 0.1, wide - 0.1), (1.2, 2.6), (-half - 0.015, half + 0.015), glass)
    _lamps(build, rng, wide, half, 0.9)
    _wheels(build, wide, (-half + 1.6, half - 1.8), 0.48)


def _lamps(build: Builder, rng: np.random.Generator, wide: float, half: float, waist: float) -> None:
    lamp = build.material(Material((0.85, 0.85, 0.8), glow=0.2))
    tail = build.material(Material((0.62, 0.06, 0.05), glow=0.15))
    plate = build.material(Material(pick(rng, ((0.85, 0.85, 0.8), (0.85, 0.75, 0.3)))))
    for x in (-wide + 0.06, wide - 0.36):
        build.box((x, x + 0.3), (0.58, 0.72), (half - 0.2, half - 0.03), lamp)
        build.box((x, x + 0.3), (0.60, waist - 0.05), (-half - 0.01, -half + 0.2), tail)
    build.box((-0.28, 0.28), (0.5, 0.62), (-half - 0.02, half + 0.02), plate)


def _wheels(build: Builder, wide: float, axles, radius: float) -> None:
    tyre, hub = build.material(_TYRE), build.material(_HUB)
    for z in axles:
        for side in (-1, 1):
            build.ellipsoid((side * (wide - 0.08), radius, z), (0.15, radius, radius), tyre)
            build.ellipsoid((side * (wide - 0.06), radius, z), (0.17, 0.58 * radius, 0.58 * radius), hub)


def bicycle(build: Builder, rng: np.random.Generator) -> None:
    """A bicycle; its wheels are filled discs, as they are in label images."""
    frame = build.material(Material(pick(rng, PAINT), gloss=0.05))
    tyre, inner = build.material(_TYRE), build.material(Material((0.36, 0.36, 0.36), contrast=0.8, wavelength=0.3))
    for z in (-0.52, 0.52):
        build.ellipsoid((0, 0.34, z), (0.035, 0.34, 0.34), tyre)
        build.ellipsoid((0, 0.34, z), (0.045, 0.27, 0.27), inner)
    slim = 0.035
    build.frustum((-slim, slim, -0.56, -0.48), (-slim, slim, -0.2, -0.12), 0.34, 0.85, frame)
    build.frustum((-slim, slim, 0.42, 0.52), (-slim, slim, 0.3, 0.38), 0.34, 0.95, frame)
    build.box((-slim, slim), (0.74, 0.82), (-0.2, 0.36), frame)
    build.frustum((-slim, slim, -0.05, 0.03), (-slim, slim, 0.3, 0.38), 0.32, 0.78, frame)
    build.box((-0.26, 0.26), (0.94, 0.99), (0.28, 0.34), frame)
    build.box((-0.07, 0.07), (0.86, 0.92), (-0.3, -0.05), tyre)


def person(build: Builder, rng: np.random.Generator, limbs: tuple[int, ...] | None = None) -> None:
    """A person of random height and clothes, facing +z; `limbs` are the bodies of left and right leg and arm.

    Without `limbs` the legs and arms are held as in a random step. With them they hang at their body's origin.
    """
    scale = rng.uniform(0.86, 1.08)
    coat, trousers, skin, hair, shoe = _clothes(build, rng)
    wide = rng.uniform(0.19, 0.27) * scale
    hip, shoulder = 0.86 * scale, 1.42 * scale
    build.ellipsoid((0, (hip + shoulder) / 2, 0), (wide, 0.36 * scale, 0.15 * scale), coat)
    build.ellipsoid((0, shoulder - 0.08, 0), (wide * 1.05, 0.13 * scale, 0.13 * scale), coat)
    build.ellipsoid((0, hip, 0), (wide * 0.85, 0.16 * scale, 0.15 * scale), trousers)
    build.ellipsoid((0, 1.6 * scale, 0.01), (0.085 * scale, 0.12 * scale, 0.1 * scale), skin)
    build.ellipsoid((0, 1.65 * scale, -0.02), (0.092 * scale, 0.09 * scale, 0.105 * scale), hair)
    step = rng.uniform(-0.5, 0.5)
    for index, (side, length, out, thick, material) in enumerate(
        ((-1, hip, 0.1, 0.085, trousers), (1, hip, 0.1, 0.085, trousers), (-1, 0.62, wide + 0.04, 0.06, coat))
        + ((1, 0.62, wide + 0.04, 0.06, coat),)
    ):
        angle = step * side * (1 if index < 2 else -1)
        top = (side * out, hip if index < 2 else shoulder - 0.04, 0.0)
        if limbs is not None:
            build.part(limbs[index])
            top, angle = (side * out, 0.0, 0.0), 0.0
        # hanging from `top`, turned about the x axis; a positive angle moves the end towards +z
        along, thick = np.array([0.0, -np.cos(angle), np.sin(angle)]), thick * scale
        radii = (thick, length / 2 + 0.02, thick * 1.15)
        build.ellipsoid(np.add(top, along * length / 2), radii, material, tilt=-angle)
        end, radii = np.add(top, along * (length - 0.03)), (thick * 0.8, thick * 0.8, thick * 1.4)
        build.ellipsoid(end, radii, shoe if index < 2 else skin)


def rider(build: Builder, rng: np.random.Generator) -> None:
    """A person on a bicycle, which is built apart."""
    coat, trousers, skin, hair, shoe = _clothes(build, rng)
    build.ellipsoid((0, 1.2, 0.02), (0.2, 0.34, 0.15), coat, tilt=0.45)
    build.ellipsoid((0, 1.6, 0.22), (0.085, 0.12, 0.1), skin)
    build.ellipsoid((0, 1.66, 0.2), (0.1, 0.09, 0.12), hair)
    for side, knee in ((-1, 0.75), (1, 0.6)):
        build.ellipsoid((side * 0.1, 0.5 * (0.92 + knee), 0.02), (0.085, 0.24, 0.1), trousers, tilt=1.1)
        build.ellipsoid((side * 0.1, 0.45, 0.12), (0.07, 0.25, 0.08), trousers)
        build.ellipsoid((side * 0.1, 0.2, 0.16), (0.06, 0.05, 0.12), shoe)
        build.ellipsoid((side * 0.22, 1.18, 0.2), (0.055, 0.28, 0.06), coat, tilt=-0.9)


def walker(build: Builder, rng: np.random.Generator, torso: np.ndarray, pace: float) -> None:
    """A person who moves by `torso` (T, 4, 4), heights upwards; legs and arms swing at a `pace` in metres a frame."""
    phase = rng.uniform(0, 2 * np.pi) + 4.2 * pace * np.arange(len(torso))
    limbs = []
    for side, height, reach in ((1, 0.85, 0.5), (-1, 0.85, 0.5), (-1, 1.36, 0.4), (1, 1.36, 0.4)):
        swing = motions(turned(side * reach * np.sin(phase), 2, 1), np.array([0.0, height, 0.0]))
        limbs.append(build.body(torso @ swing))
    build.place(0, 0, 0, label=Label.PERSON, body=build.body(torso))
    person(build, rng, tuple(limbs))


def _clothes(build: Builder, rng: np.random.Generator) -> tuple[int, int, int, int, int]:
    coat = Material(pick(rng, CLOTH), pick(rng, CLOTH), rng.uniform(0, 0.5), 0.5, 0.35)
    trousers = Material(pick(rng, CLOTH[:3] + CLOTH[4:5]), wavelength=0.5, contrast=0.3)
    skin, hair = Material(pick(rng, SKIN), contrast=0.1), Material(pick(rng, ((0.1, 0.08, 0.07), (0.5, 0.4, 0.26))))
    return tuple(build.material(m) for m in (coat, trousers, skin, hair, Material((0.12, 0.11, 0.1))))
