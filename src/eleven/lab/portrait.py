"""The portrait of a person or a cat in a scene, drawn by code: 96 × 96 pixels in about three milliseconds."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from eleven.lab.canvas import Canvas, Point, arc, blend, curve, shade
from eleven.lab.face import (
    draw_brows,
    draw_eyes,
    draw_glasses,
    draw_marks,
    draw_mouth,
    draw_nose,
    draw_wrinkles,
    mimic_of,
)
from eleven.lab.person import WEARS, Person
from eleven.lab.scene import BACKGROUNDS, HATS, SHIRTS, Scene

LONG = 0.5
"""From where on hair falls beside the face."""


def draw_portrait(person: Person, scene: Scene) -> np.ndarray:
    """The picture as uint8 of shape (96, 96, 3); the same person and scene give the same bytes."""
    canvas = Canvas(scene, BACKGROUNDS[scene.background])
    draw_body(canvas, person)
    (draw_cat if person.kind == "cat" else draw_head)(canvas, person)
    draw_hat(canvas, person)
    return canvas.finish()


def half_width(person: Person) -> float:
    """Of the face, in half heads."""
    return 0.62 + 0.20 * person.face_width


def half_height(person: Person) -> float:
    """Of the face, in half heads."""
    return 0.92 + 0.16 * person.face_height


def outline(person: Person) -> list[Point]:
    """The face: an ellipse above, and below a chin between pointed and square."""
    wide, high = half_width(person), half_height(person)
    power = 1.12 - 0.45 * person.jaw
    upper = arc((0, 0), (wide, high), -pi, 0, 24)
    lower = [
        (wide * abs(cos(angle)) ** power * (1 if angle < pi / 2 else -1), high * sin(angle) ** (2 - power))
        for angle in np.linspace(0.02, pi - 0.02, 30).tolist()
    ]
    return [*upper, *lower]


def draw_body(canvas: Canvas, person: Person) -> None:
    """Long hair or nothing behind, then neck and shirt."""
    wide = half_width(person)
    if person.kind == "person" and person.hair_length > LONG:
        end = 0.5 + 1.3 * (person.hair_length - LONG) / (1 - LONG)
        back = [*arc((0, -0.1), (wide + 0.22, 1.12), -pi, 0, 24), (wide + 0.2, end), (-wide - 0.2, end)]
        canvas.polygon(back, shade(person.hair, 0.78), -0.6)
    skin = person.hair if person.kind == "cat" else person.skin
    canvas.polygon([(-0.3, 0.5), (0.3, 0.5), (0.34, 1.5), (-0.34, 1.5)], shade(skin, 0.78), -0.4)
    shirt = SHIRTS[canvas.scene.shirt]
    shoulders = [(-1.9, 2.6), *curve((-1.5, 1.62), (-0.9, 1.18), (-0.32, 1.16)), (0, 1.4)]
    shoulders += [*curve((0.32, 1.16), (0.9, 1.18), (1.5, 1.62)), (1.9, 2.6)]
    canvas.polygon(shoulders, shirt, -0.8)
    canvas.line([(-0.34, 1.15), (0, 1.42), (0.34, 1.15)], shade(shirt, 0.75), 0.06, -0.8)


def draw_head(canvas: Canvas, person: Person) -> None:
    """Ears, face, features and marks, then beard, hair and glasses over them."""
    wide = half_width(person)
    for side in (-1, 1):
        canvas.ellipse((side * wide, 0.02), (0.11, 0.2), shade(person.skin, 0.9), 0.1)
    canvas.polygon(outline(person), person.skin, 0.3)
    shadow = 1 if cos(canvas.scene.light) < 0 else -1
    cheek = [point for point in outline(person) if point[0] * shadow > 0.62 * wide]
    canvas.line(sorted(cheek, key=lambda point: point[1]), shade(person.skin, 0.9), 0.07, 0.25)
    draw_wrinkles(canvas, person)
    draw_marks(canvas, person)
    draw_beard(canvas, person)
    draw_nose(canvas, person)
    draw_mouth(canvas, person)
    draw_eyes(canvas, person)
    draw_brows(canvas, person)
    draw_hair(canvas, person)
    draw_glasses(canvas, person)


def draw_beard(canvas: Canvas, person: Person) -> None:
    """Cheeks to chin, the lower the longer."""
    if person.beard <= WEARS:
        return
    wide = half_width(person)
    longer = 0.22 * (person.beard - WEARS) / (1 - WEARS)
    edge = [(x, y + longer * max(0.0, y) ** 2) for x, y in outline(person) if y > 0.12]
    inside = [(-0.72 * wide, 0.3), (-0.42, 0.40), (0, 0.36), (0.42, 0.40), (0.72 * wide, 0.3)]
    canvas.polygon([*edge, *inside], shade(person.hair, 0.85), 0.45)
    middle = 0.56 + 0.06 * mimic_of(canvas).opening
    canvas.ellipse((0, middle), (0.30, 0.13 + 0.5 * mimic_of(canvas).opening), person.skin, 0.9)


def draw_hair(canvas: Canvas, person: Person) -> None:
    """The cap of hair with its fringe and parting, and strands beside the face where it is long."""
    wide, high = half_width(person), half_height(person)
    part = 0.9 * wide * (person.parting - 0.5)
    line = -high + 0.20 + 0.34 * person.fringe
    top = arc((0, -0.10), (wide + 0.13, high + 0.13), -pi - 0.05, 0.05, 26)
    fringe = [*curve((wide + 0.02, -0.18), (0.75 * wide, line), (part, line - 0.14))]
    fringe += [*curve((part, line - 0.14), (-0.75 * wide, line), (-wide - 0.02, -0.18))]
    canvas.polygon([*top, *fringe], person.hair, 0.45)
    for share in (-0.6, -0.25, 0.25, 0.6):
        strand = curve((part, -high - 0.15), (share * wide, -high + 0.02), (1.25 * share * wide, line - 0.06))
        canvas.line(strand, shade(person.hair, 0.86), 0.022, 0.45)
    if person.hair_length > LONG:
        end = 0.3 + 1.1 * (person.hair_length - LONG) / (1 - LONG)
        for side in (-1, 1):
            lock = [(side * (wide - 0.1), -0.5), (side * (wide + 0.17), -0.3), (side * (wide + 0.2), end)]
            canvas.polygon([*lock, (side * (wide - 0.02), end - 0.1)], shade(person.hair, 0.93), 0.35)


def draw_hat(canvas: Canvas, person: Person) -> None:
    """A hat with a brim all round or a cap with a peak, over whatever hair there is."""
    colour = HATS[canvas.scene.hat]
    if colour is None:
        return
    wide, high = half_width(person), half_height(person)
    brim = -0.60 * high
    crown = [(-wide - 0.12, brim), *curve((-wide - 0.1, brim - 0.5), (0, -high - 0.62), (wide + 0.1, brim - 0.5))]
    canvas.polygon([*crown, (wide + 0.12, brim)], colour, 0.45)
    reach = 0.42 if canvas.scene.hat == "hat" else 0.05
    canvas.ellipse((0, brim), (wide + 0.12 + reach, 0.12), shade(colour, 0.78), 0.7)


def draw_cat(canvas: Canvas, person: Person) -> None:
    """Ears, fur with stripes and a patch, muzzle, whiskers, eyes with slits."""
    wide, high, fur = half_width(person) + 0.12, 0.78, person.hair
    pale, dark = blend(fur, (255, 250, 244), 0.7), shade(fur, 0.55)
    for side in (-1, 1):
        tip = 0.25 + 0.35 * person.hair_length
        ear = [(side * 0.22, -0.62), (side * (0.62 + 0.1 * person.jaw), -0.75 - tip), (side * (wide - 0.02), -0.3)]
        canvas.polygon(ear, fur, 0.1)
        middle = (side * 0.52, -0.7)
        canvas.polygon([(0.45 * x + 0.55 * middle[0], 0.5 * y + 0.5 * middle[1]) for x, y in ear], (226, 160, 158), 0.1)
    canvas.ellipse((0, 0.08), (wide, high), fur, 0.3)
    if person.mole_x > 0.4:
        side = -1 if person.mole_y < 0.5 else 1
        canvas.ellipse((side * 0.36, -0.14), (0.24 + 0.1 * person.mole_x, 0.27), blend(fur, dark, 0.7), 0.8)
    if person.forehead > 0.3:
        for x in (-0.22, 0.0, 0.22):
            canvas.line([(x, -0.68), (0.8 * x, -0.42)], dark, 0.04 + 0.06 * person.forehead, 0.7)
    canvas.ellipse((0, 0.46), (0.36 + 0.1 * person.mouth_width, 0.27), pale, 1.0)
    mouth = mimic_of(canvas)
    canvas.polygon([(-0.09, 0.28), (0.09, 0.28), (0, 0.39)], (206, 110, 112), 1.25)
    if mouth.opening > 0.05:
        canvas.ellipse((0, 0.57), (0.13 * mouth.width, 0.6 * mouth.opening), (110, 40, 48), 1.0)
    for side in (-1, 1):
        end = (side * 0.22, 0.54 - 0.7 * mouth.corners)
        canvas.line(curve((0, 0.40), (side * 0.06, 0.56), end), shade(fur, 0.35), 0.034, 1.0)
        for y in (0.36, 0.46, 0.56):
            canvas.line([(side * 0.3, y), (side * (wide + 0.22), 1.4 * y - 0.2)], (244, 240, 232), 0.018, 1.0)
    draw_eyes(canvas, person, slit=True)
    draw_glasses(canvas, person)
