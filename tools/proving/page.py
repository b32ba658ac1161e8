"""docs/evidence.md from docs/evidence.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEAD = """# Evidence from the concept lab

What mixing does for the lab's people, measured on pictures: every arm of a person draws the same fresh prompts and
seeds (12 steps, guidance 3), none of which was used to choose a strength.

- *Perfect* is an overall and a detail likeness that three of four held-out photos have among themselves (as the base's
  autoencoder returns them), and at least half of what the prompt asks for. *Good* is what nineteen of twenty photos
  have, and more than what 99.9 % of other people's have.
- Intervals are of 95 %, with prompts as clusters.
- *Gain* is the perfect share less that of the best single, on the same shots, with its p-value, which is
  not corrected for the number of arms.
- Single models stand at their own best strength of 0.8, 1, 1.2 and 1.4 by likeness, on 24 other shots.

Made by `python tools/evidence.py --work DIR` (hours, resumable); the numbers are in evidence.json.
"""
COLUMNS = (
    "| arm | shots | perfect % | good % | overall | detail | gain, points | p |\n|---|---|---|---|---|---|---|---|"
)


def page(data: Mapping[str, Mapping[str, Any]]) -> str:
    """The page: a section and a table for each person."""
    return "\n".join([HEAD, *(section(person) for person in data.values())])


def section(person: Mapping[str, Any]) -> str:
    """One person's table."""
    photos = person["photos"]
    among = f"overall {photos['overall']:.3f}, detail {photos['detail']:.3f}"
    told = f"Best single: {person['rival']}. Photos among themselves: {among}.\n"
    return "\n".join([f"## {person['name'].capitalize()}\n", told, COLUMNS, *map(line, person["rows"]), ""])


def line(row: Mapping[str, Any]) -> str:
    """One arm as a row."""
    rates = " | ".join(within(row[rate], 100, ".0f") for rate in ("perfect", "good"))
    likeness = " | ".join(within(row[part], 1, ".3f") for part in ("overall", "detail"))
    gain = within(row["gain"], 100, "+.0f") if row["gain"] else "–"
    p = "–" if row["p"] is None else f"{row['p']:.3f}"
    return f"| {row['arm']} | {row['shots']} | {rates} | {likeness} | {gain} | {p} |"


def within(three: tuple[float, float, float], scale: float, form: str) -> str:
    """An estimate and its interval."""
    middle, low, high = (format(scale * one, form) for one in three)
    return f"{middle} ({low} to {high})"
