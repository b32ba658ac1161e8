"""The words around the pictures of a sheet: title, settings, headings, and which letter is which file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import final

from eleven.engines.engine import Shot
from eleven.mix import Mix, Part
from eleven.mix_text import spell
from eleven.sheets.axes import NEGATIVE, TOTAL, Axis, letter
from eleven.sheets.page import Row, Sheet

LISTED = 12
"""Prompts that are written above a sheet."""

Find = Callable[[Mix | None, Shot], Path]
"""Where the picture of a mix and a shot lies."""


@final
@dataclass(frozen=True)
class Subject:
    """What a sheet is about: a mix, the shots of each of its points, the base's name, and the axes that vary."""

    mix: Mix | None
    shots: Sequence[Shot]
    base: str
    axes: tuple[Axis, ...] = ()

    @property
    def prompts(self) -> list[str]:
        """Every prompt once, in order."""
        return list(dict.fromkeys(shot.prompt for shot in self.shots))

    def headings(self) -> Iterator[str]:
        """What each shot is called: its seed, and the number of its prompt where there are several."""
        prompts = self.prompts
        for shot in self.shots:
            number = f"prompt {prompts.index(shot.prompt) + 1}, " if len(prompts) > 1 else ""
            yield f"{number}seed {shot.seed}"


def titled(subject: Subject, rows: Sequence[Row], columns: Sequence[str]) -> Sheet:
    """The sheet with its prompt as title, settings as notes, and the legend of the parts.

    Several prompts are listed, unless rows are named for them.
    """
    prompts = subject.prompts
    title = (prompts[0] or "no prompt") if len(prompts) == 1 else f"{len(prompts)} prompts"
    notes = [*_settings(subject.shots[0], subject.base)]
    if len(prompts) > 1 and prompts[0] not in [row.heading for row in rows]:
        notes += _listed(prompts)
    if any(len(cell.pictures) > 1 for row in rows for cell in row.cells):
        notes.append(f"in each cell, from left to right and down: {'; '.join(subject.headings())}")
    return Sheet(title, tuple(rows), tuple(columns), tuple(notes), tuple(_legend(subject)))


def _settings(shot: Shot, base: str) -> Iterator[str]:
    size = f"{shot.width}x{shot.height}" if shot.width and shot.height else ""
    sampler = f"{shot.sampler} {shot.schedule}".strip()
    told = [f"base {base}", f"{shot.steps} steps", f"guidance {spell(shot.guidance)}", sampler, size]
    yield " · ".join(text for text in told if text)
    if shot.negative:
        yield f"negative: {shot.negative}"


def _listed(prompts: Sequence[str]) -> Iterator[str]:
    for number, prompt in enumerate(prompts[:LISTED], start=1):
        yield f"prompt {number}: {prompt}"
    if len(prompts) > LISTED:
        yield f"and {len(prompts) - LISTED} more prompts"


def _legend(subject: Subject) -> Iterator[tuple[str, ...]]:
    """The table of the parts: letter, file, strength; what varies by its range."""
    parts = subject.mix.parts if subject.mix else ()
    if parts:
        yield "part", "file", "strength"
    for place, part in enumerate(parts):
        axes = [axis for axis in subject.axes if axis.part == place]
        yield letter(place), PurePath(part.file).name, _strengths(part, axes)
    for axis in subject.axes:
        if axis.part is None:
            yield axis.label, TOGETHER[axis.label], _range(axis)


TOGETHER = {
    TOTAL: "all parts together, in these proportions",
    NEGATIVE: "the share of all strengths for the negative prompt",
}


def _strengths(part: Part, axes: Sequence[Axis]) -> str:
    told = {"": spell(part.strength)} | {address: spell(value) for address, value in part.at.items()}
    told |= {name: spell(getattr(part, name)) for name in part.live}
    told |= {axis.address: _range(axis) for axis in axes}
    if {"unet", "te"} <= told.keys():
        del told[""]
    return ", ".join(f"{address} {text}".strip() for address, text in told.items())


def _range(axis: Axis) -> str:
    low, high = min(axis.values), max(axis.values)
    return spell(low) if low == high else f"{spell(low)} to {spell(high)}"
