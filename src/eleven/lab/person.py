"""`Person`: who is in a portrait, as numbers between 0 and 1 that stay the same in every photo."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, fields, replace
from typing import Literal, final

import numpy as np

Kind = Literal["person", "cat"]
Colour = tuple[int, int, int]

COARSE = (
    "skin_lightness", "skin_warmth", "face_width", "face_height", "jaw", "hair_hue", "hair_saturation",
    "hair_brightness", "hair_length", "fringe", "parting", "beard", "glasses", "frame",
)  # fmt: skip
"""What one sees from afar."""
FINE = (
    "eye_spacing", "eye_size", "eye_hue", "brow_thickness", "brow_tilt", "nose_length", "nose_width", "mouth_width",
    "lips", "mole_x", "mole_y", "freckles", "forehead", "folds",
)  # fmt: skip
"""What one sees from close by."""
WEARS = 0.62
"""From where on a beard and glasses are there, the beard the longer and the glasses the heavier beyond."""
FRECKLED, LINED = 0.65, 0.55
"""From where on freckles and wrinkles show."""


@final
@dataclass(frozen=True)
class Person:
    """One identity; `marks` seeds where the freckles are, and a cat reads fur for hair and stripes for wrinkles."""

    skin_lightness: float
    skin_warmth: float
    face_width: float
    face_height: float
    jaw: float
    hair_hue: float
    hair_saturation: float
    hair_brightness: float
    hair_length: float
    fringe: float
    parting: float
    beard: float
    glasses: float
    frame: float
    eye_spacing: float
    eye_size: float
    eye_hue: float
    brow_thickness: float
    brow_tilt: float
    nose_length: float
    nose_width: float
    mouth_width: float
    lips: float
    mole_x: float
    mole_y: float
    freckles: float
    forehead: float
    folds: float
    marks: int = 0
    kind: Kind = "person"

    @property
    def vector(self) -> np.ndarray:
        """The numbers in the order of `COARSE` and then `FINE`, as float32."""
        return np.array([getattr(self, name) for name in (*COARSE, *FINE)], dtype=np.float32)

    @property
    def hair(self) -> Colour:
        """The colour of hair or fur: from red over brown to blond, black to white."""
        red, green, blue = colorsys.hsv_to_rgb(
            0.02 + 0.10 * self.hair_hue, 0.08 + 0.72 * self.hair_saturation, 0.12 + 0.80 * self.hair_brightness
        )
        return round(255 * red), round(255 * green), round(255 * blue)

    @property
    def skin(self) -> Colour:
        """The colour of the skin."""
        light = 0.15 + 0.85 * self.skin_lightness
        warm = 16 * (self.skin_warmth - 0.5)
        dark, pale = np.array([84, 52, 36]), np.array([250, 214, 186])
        red, green, blue = dark + light * (pale - dark) + np.array([warm, 0, -warm])
        return round(float(np.clip(red, 0, 255))), round(green), round(float(np.clip(blue, 0, 255)))

    @property
    def iris(self) -> Colour:
        """The colour of the eyes: from brown over green to blue."""
        red, green, blue = colorsys.hsv_to_rgb(0.07 + 0.53 * self.eye_hue, 0.75, 0.45 + 0.3 * self.eye_hue)
        return round(255 * red), round(255 * green), round(255 * blue)


def draw_person(seed: int, kind: Kind = "person", **fixed: float) -> Person:
    """A random person, always the same of one seed; numbers given by name are taken as they are.

    Grey hair comes with wrinkles more often than by chance, and every second person has marks of some kind.
    """
    chance = np.random.default_rng([seed, kind == "cat"])
    numbers = dict(zip((*COARSE, *FINE), chance.random(len(COARSE) + len(FINE)).tolist(), strict=True))
    old = chance.random() < 0.3
    numbers["forehead"] = (LINED + (1 - LINED) * numbers["forehead"]) if old else LINED * numbers["forehead"]
    numbers["folds"] = (LINED + (1 - LINED) * numbers["folds"]) if old else LINED * numbers["folds"]
    if old and chance.random() < 0.6:
        numbers["hair_saturation"] *= 0.2
        numbers["hair_brightness"] = 0.5 + 0.5 * numbers["hair_brightness"]
    return Person(**{**numbers, **fixed}, marks=int(chance.integers(1 << 30)), kind=kind)


def look_alike(person: Person, seed: int, distance: float = 0.25) -> Person:
    """A sibling: every number moved towards that of another random person by `distance`, with marks of its own."""
    other = draw_person(seed, person.kind)
    names = [field.name for field in fields(person) if field.name not in ("marks", "kind")]
    moved = {name: (1 - distance) * getattr(person, name) + distance * getattr(other, name) for name in names}
    return replace(person, **moved, marks=other.marks)
