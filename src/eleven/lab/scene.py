"""`Scene`: what differs from photo to photo of one person, drawn anew for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

BACKGROUNDS = {
    "red": (196, 52, 48),
    "blue": (62, 98, 196),
    "green": (58, 148, 74),
    "yellow": (232, 204, 78),
    "purple": (136, 76, 168),
    "gray": (146, 148, 150),
    "orange": (232, 138, 54),
    "pink": (236, 160, 182),
}
SHIRTS = {
    "white": (240, 240, 236),
    "black": (38, 38, 44),
    "red": (180, 36, 44),
    "blue": (40, 72, 168),
    "green": (38, 116, 58),
    "yellow": (226, 186, 50),
}
EXPRESSIONS = ("smiling", "neutral", "frowning", "surprised")
HATS = {"": None, "hat": (70, 62, 84), "cap": (198, 70, 58)}
"""What is worn on the head: nothing in four photos of five."""


@final
@dataclass(frozen=True)
class Scene:
    """Expression and its strength, colours, and where the head and the light are.

    `shift` is in shares of half a picture, `tilt` in radians, `turn` and `nod` from -1 to 1, `light` is the direction
    of the light in radians and `noise` the deviation of the sensor in grey levels.
    """

    expression: str
    intensity: float
    background: str
    shirt: str
    hat: str
    shift: tuple[float, float]
    scale: float
    tilt: float
    turn: float
    nod: float
    light: float
    noise: float
    seed: int


def draw_scene(seed: int, **fixed: str) -> Scene:
    """A random scene, always the same of one seed; words given by name are taken as they are."""
    chance = np.random.default_rng([seed, 77])
    told = {
        "expression": str(chance.choice(EXPRESSIONS)),
        "background": str(chance.choice(list(BACKGROUNDS))),
        "shirt": str(chance.choice(list(SHIRTS))),
        "hat": str(chance.choice(["hat", "cap"])) if chance.random() < 0.2 else "",
    }
    return Scene(
        **{**told, **fixed},
        intensity=float(chance.uniform(0.8, 1.1)),
        shift=(float(chance.normal(0, 0.05)), float(chance.normal(0, 0.04))),
        scale=float(np.clip(chance.normal(1, 0.06), 0.86, 1.14)),
        tilt=float(np.clip(chance.normal(0, 0.09), -0.22, 0.22)),
        turn=float(chance.uniform(-1, 1)),
        nod=float(np.clip(chance.normal(0, 0.4), -1, 1)),
        light=float(chance.uniform(0, 2 * np.pi)),
        noise=float(chance.uniform(0.5, 2.5)),
        seed=seed,
    )
