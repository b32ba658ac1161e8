"""`Canvas`: shapes in the coordinates of a head, drawn large; it turns, tilts and nods them as the scene does."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import final

import numpy as np
from PIL import Image, ImageDraw

from eleven.lab.person import Colour
from eleven.lab.scene import Scene

SIZE = 96
"""Pixels of a portrait's side."""
LARGE = 4
"""How many times larger it is drawn than kept."""
HEAD = 0.64
"""Half a head's height, in half pictures."""
DEPTH = 0.17
"""How far what lies in front of the head moves when it turns, in half heads."""
Point = tuple[float, float]


@final
class Canvas:
    """A picture under way. Coordinates: (0, 0) between the eyes, a head from -1 to 1; `depth` 1 is the face's front."""

    def __init__(self, scene: Scene, background: Colour) -> None:
        self.image = Image.new("RGB", (SIZE * LARGE, SIZE * LARGE), background)
        self.scene = scene
        self._pen = ImageDraw.Draw(self.image)
        self._scale = HEAD * scene.scale * SIZE * LARGE / 2
        self._turned = cos(scene.tilt), sin(scene.tilt)

    def place(self, points: Sequence[Point], depth: float) -> list[Point]:
        """Pixels of points on the head."""
        scene, (across, along) = self.scene, self._turned
        middle = SIZE * LARGE / 2
        placed: list[Point] = []
        for x, y in points:
            x, y = x + DEPTH * depth * scene.turn, y + 0.6 * DEPTH * depth * scene.nod
            x, y = across * x - along * y, along * x + across * y
            placed.append(
                (middle * (1 + scene.shift[0]) + self._scale * x, middle * (1.07 + scene.shift[1]) + self._scale * y)
            )
        return placed

    def polygon(self, points: Sequence[Point], colour: Colour, depth: float = 0) -> None:
        """A filled shape."""
        self._pen.polygon(self.place(points, depth), fill=colour)

    def line(self, points: Sequence[Point], colour: Colour, width: float, depth: float = 0) -> None:
        """A stroke with round ends, its width in half heads."""
        pixels, wide = self.place(points, depth), max(1, round(width * self._scale))
        self._pen.line(pixels, fill=colour, width=wide, joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            half = wide / 2
            self._pen.ellipse((x - half, y - half, x + half, y + half), fill=colour)

    def ellipse(self, middle: Point, radii: Point, colour: Colour, depth: float = 0) -> None:
        """A filled ellipse."""
        self.polygon(arc(middle, radii, 0, 2 * pi, 28), colour, depth)

    def finish(self) -> np.ndarray:
        """The picture at its size, in the scene's light and with its noise: uint8 of shape (96, 96, 3)."""
        small = np.asarray(self.image.reduce(LARGE), dtype=np.float32)
        ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
        light = 1 + 0.16 * (cos(self.scene.light) * ramp[None, :] + sin(self.scene.light) * ramp[:, None])
        chance = np.random.default_rng([self.scene.seed, 5])
        noise = chance.standard_normal(small.shape, dtype=np.float32) * self.scene.noise
        return np.clip(small * light[:, :, None] + noise, 0, 255).round().astype(np.uint8)


def arc(middle: Point, radii: Point, start: float, stop: float, count: int = 16) -> list[Point]:
    """Points of an ellipse between two angles in radians, clockwise from the right."""
    angles = [start + (stop - start) * step / (count - 1) for step in range(count)]
    return [(middle[0] + radii[0] * cos(angle), middle[1] + radii[1] * sin(angle)) for angle in angles]


def curve(start: Point, bend: Point, stop: Point, count: int = 12) -> list[Point]:
    """Points of the quadratic Bézier curve over these three."""
    steps = [step / (count - 1) for step in range(count)]
    return [
        (
            (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * bend[0] + t * t * stop[0],
            (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * bend[1] + t * t * stop[1],
        )
        for t in steps
    ]


def shade(colour: Colour, factor: float) -> Colour:
    """The colour darker (below 1) or lighter (above)."""
    red, green, blue = (min(255, round(channel * factor)) for channel in colour)
    return red, green, blue


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """The first colour with this share of the second."""
    red, green, blue = (round((1 - share) * a + share * b) for a, b in zip(first, second, strict=True))
    return red, green, blue
