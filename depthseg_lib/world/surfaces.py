"""Materials: how a surface is coloured; one row of numbers each, so that the shader reads them by index."""

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """The look of a surface; lengths are metres on the object, so that it looks the same from every side."""

    colour: Colour
    """Main colour as displayed, red, green, blue in 0..1."""
    other: Colour | None = None
    """Colour of the patches that coarse noise mixes in; None for `colour`."""
    mix: float = 0.6
    """How much of `other` the patches take, 0..1."""
    wavelength: float = 1.0
    """Of the coarsest noise octave; three finer ones follow."""
    contrast: float = 0.3
    """Amplitude of the noise, as a share of the brightness."""
    bump: float = 0.0
    """How much the noise tilts the normal, for foliage and grass."""
    gloss: float = 0.0
    """Share of mirrored sky, for glass and paint."""
    glow: float = 0.0
    """Light that the surface gives off, for lamps."""
    grid: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Bricks, slabs, slats: period along u and v, width of the joint, shift of every other row (0 or 0.5)."""
    joint: float = 0.5
    """How much darker a joint is."""
    tint: float = 0.0
    """How much the brightness varies from cell to cell of the grid."""
    windows: tuple[float, float, float, float] = (0.0, 0.0, 0.5, 0.5)
    """A facade: spacing of windows along u, storey height, width and height of a window as shares of its cell."""
    frame: float = 1.0
    """Brightness of the window frames."""
    door: float = 0.0
    """Share of the ground floor's windows that are doors."""

    def row(self, number: int) -> list[float]:
        """The fields as `COLUMNS` names them, with the material's number; colours squared: the shader is linear."""
        other = self.colour if self.other is None else self.other
        return [
            *(channel**2 for channel in self.colour),
            *(channel**2 for channel in other),
            *(self.mix, self.wavelength, self.contrast, self.bump, self.gloss, self.glow),
            *self.grid,
            *(self.joint, self.tint),
            *self.windows,
            *(self.frame, self.door, number),
        ]


COLUMNS = {
    "colour": slice(0, 3),
    "other": slice(3, 6),
    "mix": 6,
    "wavelength": 7,
    "contrast": 8,
    "bump": 9,
    "gloss": 10,
    "glow": 11,
    "grid": slice(12, 16),
    "joint": 16,
    "tint": 17,
    "windows": slice(18, 22),
    "frame": 22,
    "door": 23,
    "number": 24,
}
"""Where the fields stand in a row."""


def vary(rng: np.random.Generator, colour: Colour, hue: float = 0.04, light: float = 0.1) -> Colour:
    """A colour near `colour`: every channel moved by up to `hue`, all of them scaled by up to 1 +- `light`."""
    channels = (np.asarray(colour) + rng.uniform(-hue, hue, 3)) * (1 + rng.uniform(-light, light))
    red, green, blue = np.clip(channels, 0.02, 0.98)
    return float(red), float(green), float(blue)


def pick(rng: np.random.Generator, colours: tuple[Colour, ...], hue: float = 0.04, light: float = 0.12) -> Colour:
    """One of `colours`, varied."""
    return vary(rng, colours[rng.integers(len(colours))], hue, light)


PLASTER = (
    (0.83, 0.78, 0.66),
    (0.72, 0.70, 0.66),
    (0.86, 0.84, 0.80),
    (0.76, 0.62, 0.45),
    (0.63, 0.50, 0.42),
    (0.58, 0.62, 0.60),
    (0.78, 0.68, 0.62),
    (0.52, 0.55, 0.48),
    (0.66, 0.70, 0.76),
)
BRICK = ((0.52, 0.28, 0.22), (0.60, 0.40, 0.30), (0.42, 0.30, 0.27), (0.66, 0.56, 0.44), (0.48, 0.44, 0.40))
ROOF = ((0.45, 0.24, 0.19), (0.30, 0.28, 0.28), (0.38, 0.33, 0.29), (0.55, 0.34, 0.24), (0.24, 0.26, 0.30))
FOLIAGE = ((0.24, 0.36, 0.14), (0.32, 0.40, 0.16), (0.18, 0.30, 0.16), (0.42, 0.44, 0.18), (0.48, 0.34, 0.14))
GRASS = ((0.32, 0.42, 0.18), (0.44, 0.46, 0.24), (0.52, 0.48, 0.30), (0.28, 0.36, 0.18), (0.42, 0.36, 0.26))
PAINT = (
    (0.08, 0.08, 0.09),
    (0.86, 0.86, 0.86),
    (0.62, 0.63, 0.65),
    (0.36, 0.37, 0.39),
    (0.55, 0.10, 0.09),
    (0.12, 0.20, 0.42),
    (0.14, 0.28, 0.20),
    (0.60, 0.54, 0.42),
    (0.30, 0.22, 0.17),
    (0.36, 0.52, 0.64),
)
CLOTH = (
    (0.12, 0.13, 0.18),
    (0.22, 0.26, 0.38),
    (0.66, 0.64, 0.60),
    (0.56, 0.16, 0.15),
    (0.30, 0.33, 0.24),
    (0.62, 0.48, 0.22),
    (0.20, 0.42, 0.42),
    (0.44, 0.32, 0.40),
)
SKIN = ((0.82, 0.62, 0.50), (0.62, 0.44, 0.34), (0.40, 0.28, 0.22))
