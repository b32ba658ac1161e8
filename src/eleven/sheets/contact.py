"""Contact sheets: every picture of one mix, under its seed, and beside its prompt where there are several."""

from __future__ import annotations

from math import ceil, sqrt

from eleven.sheets.legend import Find, Subject, titled
from eleven.sheets.page import Cell, Row, Sheet


def contact_sheet(subject: Subject, find: Find) -> Sheet:
    """A row for each prompt, below the seeds; one prompt alone fills rows of about equal length, with captions."""
    shots, prompts = subject.shots, subject.prompts
    if len(prompts) == 1:
        wide = columns_for(len(shots))
        cells = [Cell((find(subject.mix, shot),), f"seed {shot.seed}") for shot in shots]
        return titled(subject, [Row(tuple(cells[at : at + wide])) for at in range(0, len(cells), wide)], ())
    rows = [(prompt, [shot for shot in shots if shot.prompt == prompt]) for prompt in prompts]
    drawn = [Row(tuple(Cell((find(subject.mix, shot),)) for shot in taken), prompt) for prompt, taken in rows]
    return titled(subject, drawn, [f"seed {shot.seed}" for shot in rows[0][1]])


def columns_for(count: int) -> int:
    """The columns that leave the fewest places empty, from square to twice as wide as high."""
    square = ceil(sqrt(count))
    return min(range(square, 2 * square + 1), key=lambda wide: (-count % wide, wide))
