"""The pictures that one command asks for, each under its name: mixes times shots, none of them twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from eleven.engines.engine import Shot
from eleven.mix import Mix
from eleven.sheets.recipe import Origin, Recipe


@final
@dataclass(frozen=True)
class Wanted:
    """One picture that is asked for: what it is made of, and its file's name, which tells its place and digest."""

    name: str
    digest: str
    recipe: Recipe


def series_of(mixes: Sequence[Mix | None], shots: Sequence[Shot], base: Origin) -> tuple[Wanted, ...]:
    """The pictures mix by mix, so that strengths change seldom; a mix without any strength is the base alone."""
    recipes: dict[str, Recipe] = {}
    for mix in map(effective, mixes):
        for shot in shots:
            recipe = Recipe(base, mix, shot)
            recipes.setdefault(recipe.digest, recipe)
    named = enumerate(recipes.items(), start=1)
    return tuple(Wanted(_name(place, digest, recipe), digest, recipe) for place, (digest, recipe) in named)


def effective(mix: Mix | None) -> Mix | None:
    """The mix, or None where no part has a strength."""
    return mix if mix is not None and any(part.is_active for part in mix.parts) else None


def _name(place: int, digest: str, recipe: Recipe) -> str:
    return f"{place:04d}_seed{recipe.shot.seed}_{digest[:8]}.png"
