"""The words of the lab: what a portrait's caption says of the person and of the scene."""

from __future__ import annotations

import colorsys

import numpy as np

from eleven.lab.person import FRECKLED, WEARS, Person
from eleven.lab.portrait import LONG
from eleven.lab.scene import BACKGROUNDS, EXPRESSIONS, HATS, SHIRTS, Scene

HAIR = ("black", "brown", "red", "blond", "gray", "white")
TRAITS = ("long hair", "short hair", "glasses", "beard", "freckles", "old")
NAMED, TOLD = 0.6, 0.85
"""How often a caption names a trait of the person, and of the scene."""
WORDS = tuple(
    dict.fromkeys(
        ["photo", "of", "a", "person", "cat", ",", "hair", "fur", "background", "shirt", "portrait", "picture", "the"]
        + [word for trait in TRAITS for word in trait.split()]
        + [*HAIR, *EXPRESSIONS, *BACKGROUNDS, *SHIRTS, *(hat for hat in HATS if hat), "with", "and", "in", "no"]
    )
)
"""Every word of the grammar; the tokenizer holds each as one token."""


def hair_word(person: Person) -> str:
    """The name of the colour of hair or fur."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in person.hair))
    if value < 0.27:
        return "black"
    if saturation < 0.22:
        return "white" if value > 0.75 else "gray"
    if hue < 0.055 and saturation > 0.45:
        return "red"
    return "blond" if value > 0.65 else "brown"


def is_old(person: Person) -> bool:
    """Whether a stranger would call the person old."""
    return person.kind == "person" and (person.forehead > 0.7 or person.folds > 0.7)


def traits(person: Person) -> list[str]:
    """Everything a caption can say of the person."""
    if person.kind == "cat":
        return [f"{hair_word(person)} fur", *(["glasses"] if person.glasses > WEARS else [])]
    told = [f"{hair_word(person)} hair", "long hair" if person.hair_length > LONG else "short hair"]
    told += ["glasses"] if person.glasses > WEARS else []
    told += ["beard"] if person.beard > WEARS else []
    told += ["freckles"] if person.freckles > FRECKLED else []
    return [*told, "old"] if is_old(person) else told


def surroundings(scene: Scene) -> list[str]:
    """Everything a caption can say of the scene."""
    told = [scene.expression, f"{scene.background} background", f"{scene.shirt} shirt"]
    return [scene.hat, *told] if scene.hat else told


def caption(person: Person, scene: Scene, seed: int) -> str:
    """A caption in which each trait is named or left out at random, always the same of one seed."""
    chance = np.random.default_rng([seed, 13])
    named = [trait for trait in traits(person) if chance.random() < NAMED]
    told = [word for word in surroundings(scene) if chance.random() < TOLD]
    return ", ".join([f"photo of a {person.kind}", *named, *told])


def caption_of(trigger: str, scene: Scene) -> str:
    """The caption of a photo of a concept: the trigger in the place of the person, and the whole scene."""
    return ", ".join([f"photo of {trigger}", *surroundings(scene)])
