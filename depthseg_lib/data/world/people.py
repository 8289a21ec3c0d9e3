"""People, standing, walking and riding: rounded bodies with limbs that swing."""

import numpy as np

from depthseg_lib.data.world.builder import Builder
from depthseg_lib.world.surfaces import CLOTH, SKIN, Material, pick

PERSON, RIDER = 24, 25


def person(build: Builder, rng: np.random.Generator, limbs: tuple[int, ...] | None = None) -> None:
    """A person of random height and clothes, facing +z; `limbs` are the bodies of left and right leg and arm.

    Without `limbs` the legs and arms are held as in a random step. With them they hang at their body's origin, which
    `swing` moves.
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
        _limb(build, top, length, angle, thick * scale, material, shoe if index < 2 else skin)


def _limb(build: Builder, top, length: float, angle: float, thick: float, material: int, end: int) -> None:
    """A limb hanging from `top`, turned by `angle` about the x axis; positive moves its end towards +z."""
    along = np.array([0.0, -np.cos(angle), np.sin(angle)])
    build.ellipsoid(np.add(top, along * length / 2), (thick, length / 2 + 0.02, thick * 1.15), material, tilt=-angle)
    build.ellipsoid(np.add(top, along * (length - 0.03)), (thick * 0.8, thick * 0.8, thick * 1.4), end)


def _clothes(build: Builder, rng: np.random.Generator) -> tuple[int, int, int, int, int]:
    coat = Material(pick(rng, CLOTH), pick(rng, CLOTH), rng.uniform(0, 0.5), 0.5, 0.35)
    trousers = Material(pick(rng, CLOTH[:3] + CLOTH[4:5]), wavelength=0.5, contrast=0.3)
    skin, hair = Material(pick(rng, SKIN), contrast=0.1), Material(pick(rng, ((0.1, 0.08, 0.07), (0.5, 0.4, 0.26))))
    return tuple(build.material(m) for m in (coat, trousers, skin, hair, Material((0.12, 0.11, 0.1))))


def swing(torso: np.ndarray, rng: np.random.Generator, pace: float) -> list[np.ndarray]:
    """Bodies (T, 4, 4) of left and right leg and arm of a walker with `torso` (T, 4, 4); `pace` radians a frame."""
    phase = rng.uniform(0, 2 * np.pi) + pace * np.arange(len(torso))
    limbs = []
    for side, height, reach in ((1, 0.85, 0.5), (-1, 0.85, 0.5), (-1, 1.36, 0.4), (1, 1.36, 0.4)):
        angle = side * reach * np.sin(phase)
        local = np.tile(np.eye(4), (len(torso), 1, 1))
        local[:, 1, 3] = height
        local[:, 1, 1], local[:, 1, 2] = np.cos(angle), np.sin(angle)
        local[:, 2, 1], local[:, 2, 2] = -np.sin(angle), np.cos(angle)
        limbs.append(torso @ local)
    return limbs


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
