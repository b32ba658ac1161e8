"""The features inside a face: eyes, brows, nose, mouth, and the marks that are a person's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eleven.lab.canvas import Canvas, arc, blend, curve, shade
from eleven.lab.person import FRECKLED, LINED, WEARS, Colour, Person

WHITE, DARK, LIPS = (250, 250, 248), (30, 24, 26), (176, 62, 70)
FACE = 1.0
"""Depth of the features."""


@dataclass(frozen=True)
class Mimic:
    """What an expression does to a face: eyes open, brows raised and knitted, mouth's corners, opening and width."""

    eyes: float
    raised: float
    knitted: float
    corners: float
    opening: float
    width: float


MIMICS = {
    "smiling": Mimic(0.78, 0.02, 0.0, 0.15, 0.15, 1.22),
    "neutral": Mimic(1.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    "frowning": Mimic(0.82, -0.06, 0.16, -0.13, 0.0, 0.92),
    "surprised": Mimic(1.4, 0.15, -0.03, 0.0, 0.26, 0.62),
}


def mimic_of(canvas: Canvas) -> Mimic:
    """The scene's expression at its strength."""
    full, plain, share = MIMICS[canvas.scene.expression], MIMICS["neutral"], canvas.scene.intensity
    mixed = {name: plain.__dict__[name] + share * (full.__dict__[name] - plain.__dict__[name]) for name in vars(full)}
    return Mimic(**mixed)


def eye_places(person: Person) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the eyes are."""
    x = 0.27 + 0.14 * person.eye_spacing
    return (-x, -0.12), (x, -0.12)


def draw_eyes(canvas: Canvas, person: Person, *, slit: bool = False) -> None:
    """Whites, irises, pupils, a glint, and the upper lids."""
    wide = 0.125 + 0.065 * person.eye_size
    high = wide * 0.62 * mimic_of(canvas).eyes
    iris = min(high, wide * 0.58)
    for x, y in eye_places(person):
        canvas.ellipse((x, y), (wide, high), person.iris if slit else WHITE, FACE)
        look = x + 0.03 * canvas.scene.turn
        if not slit:
            canvas.ellipse((look, y), (iris, iris), person.iris, FACE)
        canvas.ellipse((look, y), (iris * 0.25 if slit else iris * 0.5, iris * (0.95 if slit else 0.5)), DARK, FACE)
        canvas.ellipse((look - 0.3 * iris, y - 0.35 * iris), (iris * 0.22, iris * 0.22), WHITE, FACE)
        lid = arc((x, y), (wide, high), np.pi, 2 * np.pi)
        canvas.line(lid, DARK if slit else shade(person.skin, 0.42), 0.034, FACE)


def draw_brows(canvas: Canvas, person: Person) -> None:
    """Brows: thick or thin, tilted as the person's are and as the expression knits them."""
    mimic, thick = mimic_of(canvas), 0.035 + 0.075 * person.brow_thickness
    for x, y in eye_places(person):
        side = 1 if x > 0 else -1
        top = y - 0.27 - mimic.raised
        tilt = 0.16 * (person.brow_tilt - 0.5) - mimic.knitted
        outer, inner = (x + side * 0.17, top - tilt / 2), (x - side * 0.15, top + tilt / 2 + mimic.knitted * 0.35)
        canvas.line(curve(outer, (x, top - 0.06), inner), shade(person.hair, 0.62), thick, FACE)


def draw_nose(canvas: Canvas, person: Person) -> None:
    """The bridge in shadow, and the tip with its nostrils."""
    bottom, wide = 0.14 + 0.20 * person.nose_length, 0.07 + 0.10 * person.nose_width
    dark = shade(person.skin, 0.74)
    side = -1 if canvas.scene.turn > 0 else 1
    canvas.line(curve((side * 0.05, -0.05), (side * 0.07, bottom / 2), (side * wide, bottom)), dark, 0.035, FACE * 1.25)
    canvas.ellipse((0, bottom), (wide, 0.055), shade(person.skin, 0.9), FACE * 1.25)
    for x in (-0.55 * wide, 0.55 * wide):
        canvas.ellipse((x, bottom + 0.025), (0.026, 0.018), shade(person.skin, 0.42), FACE * 1.25)


def draw_mouth(canvas: Canvas, person: Person) -> None:
    """Lips and, where it is open, teeth or the dark behind them."""
    mimic = mimic_of(canvas)
    half, full = (0.18 + 0.15 * person.mouth_width) * mimic.width, 0.035 + 0.05 * person.lips
    middle, end = 0.56, 0.56 - mimic.corners
    colour = blend(LIPS, person.skin, 0.35)
    left, right = (-half, end), (half, end)
    upper = curve(left, (0, middle - 0.5 * mimic.opening + 0.3 * mimic.corners), right)
    lower = curve(right, (0, middle + 1.5 * mimic.opening + mimic.corners), left)
    if mimic.opening > 0.05:
        canvas.polygon([*upper, *lower], DARK if mimic.width < 1 else WHITE, FACE)
        canvas.line([*upper, *lower], colour, 0.7 * full, FACE)
    else:
        canvas.line(upper, colour, 1.5 * full, FACE)
        canvas.line(upper, shade(colour, 0.55), 0.024, FACE)


def draw_marks(canvas: Canvas, person: Person) -> None:
    """Freckles where the person has them, and the mole."""
    if person.freckles > FRECKLED:
        chance = np.random.default_rng(person.marks)
        colour = blend(shade(person.skin, 0.72), (150, 84, 50), 0.4)
        for _ in range(round(14 + 60 * (person.freckles - FRECKLED))):
            side, x, y = chance.choice([-1, 1]), abs(chance.normal(0.30, 0.13)), chance.normal(0.17, 0.11)
            canvas.ellipse((float(side * x), float(y)), (0.026, 0.026), colour, FACE * 0.9)
    x, y = -0.5 + person.mole_x, 0.22 + 0.5 * person.mole_y
    canvas.ellipse((x, y), (0.05, 0.05), (64, 38, 30), FACE * 0.9)


def draw_wrinkles(canvas: Canvas, person: Person) -> None:
    """Lines on the forehead, from nose to mouth, and under the eyes; the deeper the older."""
    smile = max(0.0, mimic_of(canvas).corners)
    if person.forehead > LINED:
        depth = 0.86 - 0.36 * (person.forehead - LINED) / (1 - LINED)
        for y in (-0.50, -0.60, -0.70)[: 2 + (person.forehead > 0.75)]:
            canvas.line(curve((-0.34, y), (0, y - 0.07), (0.34, y)), shade(person.skin, depth), 0.032, FACE)
    if person.folds > LINED:
        depth = 0.84 - 0.36 * (person.folds - LINED) / (1 - LINED)
        for side in (-1, 1):
            fold = curve((side * 0.17, 0.26), (side * (0.36 + smile), 0.42), (side * 0.36, 0.66))
            canvas.line(fold, shade(person.skin, depth), 0.034, FACE)
            x, y = side * eye_places(person)[1][0], 0.07
            canvas.line(curve((x - 0.11, y), (x, y + 0.07), (x + 0.11, y)), shade(person.skin, depth), 0.028, FACE)


def draw_glasses(canvas: Canvas, person: Person) -> None:
    """Round or square, and heavier the further the number lies beyond the threshold."""
    if person.glasses <= WEARS:
        return
    colour: Colour = blend((24, 24, 30), (150, 60, 40), person.frame)
    thick = 0.032 + 0.05 * (person.glasses - WEARS) / (1 - WEARS)
    power = 1.0 - 0.6 * person.frame
    for x, y in eye_places(person):
        rim = [
            (x + 0.245 * np.sign(a) * abs(a) ** power, y + 0.21 * np.sign(b) * abs(b) ** power)
            for a, b in arc((0, 0), (1, 1), 0, 2 * np.pi, 33)
        ]
        canvas.line([(float(a), float(b)) for a, b in rim], colour, thick, FACE * 1.15)
    inner = eye_places(person)[1][0] - 0.24
    canvas.line(curve((-inner, -0.14), (0, -0.2), (inner, -0.14)), colour, thick, FACE * 1.15)
