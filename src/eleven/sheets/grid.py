"""Grids: the pictures of one or two axes of a mix, with the base alone in the first row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from eleven.mix import Mix
from eleven.sheets.axes import Axis
from eleven.sheets.legend import Find, Subject, titled
from eleven.sheets.page import Cell, Row, Sheet

BASELINE = "no models"


@final
@dataclass(frozen=True)
class Line:
    """One row of a grid: its mixes from the left; None is the base alone."""

    heading: str
    mixes: tuple[Mix | None, ...]


@final
@dataclass(frozen=True)
class Plot:
    """The mixes of a grid; without headings above, every row has one mix, and its shots stand side by side."""

    lines: tuple[Line, ...]
    above: tuple[str, ...] = ()

    @property
    def mixes(self) -> list[Mix | None]:
        """Every mix, row by row."""
        return [mix for line in self.lines for mix in line.mixes]


def plot_of(mix: Mix, axes: Sequence[Axis], *, baseline: bool = True) -> Plot:
    """One axis goes down; of two, the first goes across and the second down."""
    first = [Line(BASELINE, (None,))] if baseline else []
    down = axes[-1]
    if len(axes) == 1:
        return Plot((*first, *(Line(down.heading(value), (down.at(mix, value),)) for value in down.values)))
    across = axes[0]
    rows = [
        Line(down.heading(low), tuple(down.at(across.at(mix, high), low) for high in across.values))
        for low in down.values
    ]
    return Plot((*first, *rows), tuple(map(across.heading, across.values)))


def grid_sheet(subject: Subject, plot: Plot, find: Find) -> Sheet:
    """The grid with its legend; with two axes, a cell has all shots of its mix."""
    shots = subject.shots
    rows: list[Row] = []
    for line in plot.lines:
        if plot.above:
            cells = [Cell(tuple(find(mix, shot) for shot in shots)) for mix in line.mixes]
        else:
            cells = [Cell((find(line.mixes[0], shot),)) for shot in shots]
        rows.append(Row(tuple(cells), line.heading))
    sheet = titled(subject, rows, plot.above or list(subject.headings()))
    if plot.lines[0].heading != BASELINE:
        return sheet
    return replace(sheet, rows=tuple(rows[1:]), baseline=rows[0])
