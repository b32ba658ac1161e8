"""How large the pictures of a sheet are drawn, and how many go on a page, which is never larger than 4096 x 4096."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import final

from eleven.sheets.lettering import line_height, width_of, wrapped

EDGE = 4096
LARGEST, SMALLEST = 512, 144
"""The longer side of a cell: as large as the picture, within these."""
HEADING = 12
"""The width of row headings in letters of their size, at most."""
LINES = 3
"""Lines of a heading above a column, or of a caption below a picture."""


@final
@dataclass(frozen=True)
class Grid:
    """What is to be placed: counts of columns and rows, pictures a cell, their size, and the headings.

    The baseline is one more row on every page.
    """

    columns: int
    rows: int
    pictures: int
    size: tuple[int, int]
    above: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    baseline: bool = False


@final
@dataclass(frozen=True)
class Frame:
    """Sizes in pixels: of a picture, of a cell (several pictures), of text and headings; columns and rows a page."""

    picture: tuple[int, int]
    across: int
    cell: tuple[int, int]
    text: int
    heading: tuple[int, int]
    caption: int
    columns: int
    rows: int

    @property
    def gap(self) -> int:
        """Between cells; twice that is the margin."""
        return max(8, self.text // 2)

    @property
    def step(self) -> tuple[int, int]:
        """From one cell to the next, across and down."""
        return self.cell[0] + self.gap, self.cell[1] + self.caption + self.gap

    @property
    def width(self) -> int:
        """Of a page with all its columns."""
        return 4 * self.gap + self.heading[0] + self.columns * self.step[0]


def frame_for(grid: Grid, reserved: int) -> Frame:
    """The largest pictures with which everything fits one page, or the smallest allowed with as many a page as fit.

    `reserved` is the share of the page, in lines of text, that stands above the table.
    """
    side = min(LARGEST, max(SMALLEST, max(grid.size)))
    while side > SMALLEST and not _fits(grid, _frame(grid, side, reserved)):
        side = max(SMALLEST, int(side * 0.94))
    return _frame(grid, side, reserved)


def _fits(grid: Grid, frame: Frame) -> bool:
    return frame.columns >= grid.columns and frame.rows >= grid.rows


def _frame(grid: Grid, side: int, reserved: int) -> Frame:
    across = ceil(sqrt(grid.pictures))
    down = ceil(grid.pictures / across)
    scale = side / max(grid.size[0] * across, grid.size[1] * down)
    scale = max(scale, SMALLEST / 2 / max(grid.size))
    picture = (max(1, round(grid.size[0] * scale)), max(1, round(grid.size[1] * scale)))
    seam = 2 if grid.pictures > 1 else 0
    cell = (picture[0] * across + seam * (across - 1), picture[1] * down + seam * (down - 1))
    text = max(13, min(24, round(max(cell) * 0.06)))
    beside = min(HEADING * text, max((width_of(label, text) for label in grid.beside), default=0))
    above = max((len(wrapped(label, text, cell[0], LINES)) for label in grid.above), default=0)
    below = max((len(wrapped(label, text, cell[0], LINES)) for label in grid.below), default=0)
    frame = Frame(picture, across, cell, text, (beside, above * line_height(text)), below * line_height(text), 0, 0)
    columns = (EDGE - frame.width) // frame.step[0]
    rows = (EDGE - 8 * frame.gap - frame.heading[1] - reserved * line_height(text)) // frame.step[1]
    rows -= grid.baseline
    counts = (max(1, min(columns, grid.columns)), max(1, min(rows, grid.rows)))
    return Frame(picture, across, cell, text, frame.heading, frame.caption, *counts)
