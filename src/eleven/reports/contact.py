"""The contact sheet of a study's page: a row for each shot, a column for each arm, with thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from eleven.reports.study import Arm, Shot, StudyView, Taken
from eleven.reports.thumbnails import LIMIT, Thumbnails
from eleven.reports.verdict import number

Mark = Literal["perfect", "good", "miss"]

MARKS: dict[Mark, str] = {"perfect": "★", "good": "✓", "miss": "✕"}
FIRST = 6
"""So many rows stand in the page itself, for readers without scripts and for printing."""


@final
@dataclass(frozen=True)
class Cell:
    """A picture with its thumbnail (base64 of WebP, or empty) and what is said about it."""

    taken: Taken
    thumbnail: str
    told: str

    @property
    def mark(self) -> Mark:
        """How good it is."""
        return mark_of(self.taken)

    @property
    def symbol(self) -> str:
        """The mark as it is drawn."""
        return MARKS[self.mark]

    @property
    def source(self) -> str:
        """Where the browser finds it: in the page, or else beside it."""
        return f"data:image/webp;base64,{self.thumbnail}" if self.thumbnail else self.taken.file


@final
@dataclass(frozen=True)
class Row:
    """One shot in every arm; None where it was not made."""

    shot: Shot
    cells: tuple[Cell | None, ...]

    @property
    def differs(self) -> bool:
        """Whether the arms' marks are not all equal."""
        return len({cell.mark for cell in self.cells if cell}) > 1


def mark_of(taken: Taken) -> Mark:
    """What a picture counts as."""
    return "perfect" if taken.perfect else "good" if taken.good else "miss"


def contact_rows(study: StudyView, folder: Path, *, limit: int = LIMIT) -> list[Row]:
    """Every shot in order; where thumbnails have no room for all, shots in which the arms differ come first."""
    table = {(one.shot, one.arm): one for one in study.pictures}
    rows = [[table.get((shot, arm)) for arm in range(len(study.arms))] for shot in range(len(study.shots))]
    wanted = sorted(rows, key=lambda row: len({mark_of(one) for one in row if one}) < 2)
    small = Thumbnails([folder / one.file for row in wanted for one in row if one], limit=limit)
    return [
        Row(shot, tuple(one and _cell(one, study, small.of(folder / one.file)) for one in row))
        for shot, row in zip(study.shots, rows, strict=True)
    ]


def contact_data(study: StudyView, rows: Sequence[Row]) -> dict[str, object]:
    """What the page's script draws the sheet from."""
    prompts = study.prompts
    numbers = {prompt: at for at, prompt in enumerate(prompts)}
    return {
        "arms": [_named(arm) for arm in study.arms],
        "prompts": prompts,
        "winner": study.winner,
        "shots": [[numbers[row.shot.prompt], row.shot.seed] for row in rows],
        "cells": [[cell and [cell.taken.file, cell.mark, cell.told] for cell in row.cells] for row in rows],
        "thumbnails": [[cell.thumbnail if cell else "" for cell in row.cells] for row in rows],
    }


def _named(arm: Arm) -> list[str]:
    return [arm.name, " + ".join(number(arm.strengths[one]) for one in arm.active)]


def _cell(taken: Taken, study: StudyView, thumbnail: str) -> Cell:
    """The scores in words: what a reader sees below the enlarged picture."""
    told = ["miss" if not taken.good else "perfect" if taken.perfect else "good enough"]
    if taken.fault:
        told.append(taken.fault)
    elif taken.copy_of:
        told.append(f"repeats the training photo {taken.copy_of}")
    told.append(f"likeness {number(taken.likeness)}" if taken.likeness is not None else "likeness not scored")
    told += [
        f"{scale.name} {number(score)}"
        for scale, score in zip(study.scales, taken.scores, strict=False)
        if score is not None
    ]
    if taken.prompt is not None:
        told.append(f"prompt {100 * taken.prompt:.0f} %")
    return Cell(taken, thumbnail, ", ".join(told))
