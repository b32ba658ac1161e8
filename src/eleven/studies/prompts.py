"""Prompts for those who give none: the concept in many places, lights and clothes, or in many scenes of the lab."""

from __future__ import annotations

from collections.abc import Callable

from eleven.lab.captions import caption_of
from eleven.lab.scene import draw_scene

COUNT = 48
"""Prompts of the lab; others have as many as there are places below."""
PLACES = (
    "in a park on a sunny day", "in a kitchen, morning light", "at the beach at sunset", "in the rain with an umbrella",
    "in a library between shelves", "on a mountain trail", "in a city street at night, neon lights",
    "in front of a brick wall", "in a garden full of flowers", "in a snowy forest", "in a workshop, side light",
    "in a museum hall", "on a train beside the window", "on a boat, open sea", "in a wheat field, evening light",
    "under a tree in autumn", "at a market stall", "in an empty studio, plain grey backdrop", "on a balcony at dawn",
    "in a desert, harsh light", "by a campfire at night", "on a stone bridge, fog", "in a greenhouse",
    "at a desk with a lamp", "in a café, window light", "on a staircase", "in a meadow, overcast sky",
    "in a subway station", "on a rooftop, city behind", "beside a lake, reflections", "in a theatre, stage light",
    "in a barn, dust in the light", "at a harbour, cranes behind", "in a corridor, candle light",
    "on a playground", "in a tent, lantern light", "in front of a world map", "in a vineyard",
    "on a bench in winter", "in a bright white room",
)  # fmt: skip


def default_prompts(family: str, trigger: str) -> tuple[str, ...]:
    """Prompts that say the trigger, for a base of this family."""
    return FOR_FAMILY.get(family, in_places)(trigger)


def in_places(trigger: str) -> tuple[str, ...]:
    """A photo in each of forty places."""
    return tuple(f"photo of {trigger} {place}" for place in PLACES)


def in_scenes(trigger: str) -> tuple[str, ...]:
    """Forty-eight scenes of the lab."""
    told = (caption_of(trigger, draw_scene(80_000 + number)) for number in range(4 * COUNT))
    return tuple(dict.fromkeys(told))[:COUNT]


FOR_FAMILY: dict[str, Callable[[str], tuple[str, ...]]] = {"lab": in_scenes}
"""Families whose text encoders know other words than people's."""
