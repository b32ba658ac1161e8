"""Pages of many pictures with headings, captions and a legend, light and of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import final

from PIL import Image, ImageDraw

from eleven.sheets.geometry import LINES, Frame, Grid, frame_for
from eleven.sheets.lettering import font_for, line_height, width_of, wrapped
from eleven.sheets.png import open_png

PAPER, INK, FAINT, TINT = (252, 252, 250), (28, 28, 32), (96, 98, 106), (232, 238, 247)
TITLE, NARROWEST = 3, 34
"""Lines of the title at most; the width of the narrowest page in letters of the text's size."""


@final
@dataclass(frozen=True)
class Cell:
    """One or several pictures and what is written below them."""

    pictures: tuple[Path, ...]
    caption: str = ""


@final
@dataclass(frozen=True)
class Row:
    """Cells from the left, with a heading."""

    cells: tuple[Cell, ...]
    heading: str = ""

    def cut(self, start: int, count: int) -> Row:
        """The row with those of its cells only."""
        return Row(self.cells[start : start + count], self.heading)


@final
@dataclass(frozen=True)
class Sheet:
    """A table of pictures below its title, notes and legend (rows of columns, the first of them headings).

    The baseline is a row that every page begins with: one cell above all columns, or one in each of them.
    """

    title: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    legend: tuple[tuple[str, ...], ...] = ()
    baseline: Row | None = None

    @property
    def grid(self) -> Grid:
        """What has to be placed; pictures are of one size."""
        rows = [*self.rows, *([self.baseline] if self.baseline else [])]
        cells = [cell for row in rows for cell in row.cells]
        with open_png(cells[0].pictures[0]) as first:
            size = first.size
        counts = max(len(row.cells) for row in rows), len(self.rows)
        pictures = max(len(cell.pictures) for cell in cells)
        captions = tuple(dict.fromkeys(cell.caption for cell in cells if cell.caption))
        beside = tuple(row.heading for row in rows)
        return Grid(*counts, pictures, size, self.columns, beside, captions, self.baseline is not None)

    def part(self, start: tuple[int, int], counts: tuple[int, int]) -> Sheet:
        """The sheet with those columns and rows only."""
        (column, row), (wide, high) = start, counts
        rows = tuple(one.cut(column, wide) for one in self.rows[row : row + high])
        baseline = self.baseline.cut(column, wide) if self.baseline and not self.is_baseline_alone else self.baseline
        return replace(self, rows=rows, columns=self.columns[column : column + wide], baseline=baseline)

    @property
    def is_baseline_alone(self) -> bool:
        """Whether the baseline is one cell for all columns."""
        return self.baseline is not None and len(self.baseline.cells) == 1


def draw_pages(sheet: Sheet) -> Iterator[Image.Image]:
    """The pages, drawn one at a time; from left to right, then down."""
    grid = sheet.grid
    frame = frame_for(grid, _reserved(sheet))
    wide, high = ceil(grid.columns / frame.columns), ceil(grid.rows / frame.rows)
    for page in range(wide * high):
        start = (page % wide) * frame.columns, (page // wide) * frame.rows
        told = f"page {page + 1} of {wide * high}" if wide * high > 1 else ""
        narrowed = replace(frame, columns=min(frame.columns, grid.columns - start[0]))
        yield _Page(sheet.part(start, (frame.columns, frame.rows)), narrowed, told).drawn()


def _reserved(sheet: Sheet) -> int:
    """Lines above the table: a title is larger than text, and notes may take two lines each."""
    return 2 * TITLE + 2 * len(sheet.notes) + 2 * len(sheet.legend) + 4


class _Page:
    """One page while it is drawn from the top down."""

    def __init__(self, sheet: Sheet, frame: Frame, footer: str) -> None:
        self._sheet, self._frame, self._footer = sheet, frame, footer
        self._width = max(frame.width, NARROWEST * frame.text)
        self._left = 2 * frame.gap
        self._image, self._draw, self._top = self._blank(1)

    def drawn(self) -> Image.Image:
        """The page, as high as what is on it: measured first, then drawn."""
        self._all()
        self._image, self._draw, self._top = self._blank(self._top + self._frame.gap)
        self._all()
        return self._image

    def _blank(self, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
        image = Image.new("RGB", (self._width, height), PAPER)
        return image, ImageDraw.Draw(image), 2 * self._frame.gap

    def _all(self) -> None:
        frame, text = self._frame, self._frame.text
        self._lines(self._sheet.title, round(text * 1.3), TITLE)
        for note in self._sheet.notes:
            self._lines(note, text, 2, FAINT)
        self._legend()
        self._top += frame.gap
        baseline, alone = self._sheet.baseline, self._sheet.is_baseline_alone
        if baseline and alone:
            self._row(baseline, tinted=True)
        for at, heading in enumerate(self._sheet.columns):
            self._block(heading, self._cell_left(at), self._top, frame.cell[0])
        self._top += frame.heading[1]
        for row in [*([baseline] if baseline and not alone else []), *self._sheet.rows]:
            self._row(row, tinted=row is baseline)
        if self._footer:
            self._lines(self._footer, text, 1, FAINT)

    def _cell_left(self, column: int) -> int:
        beside = self._frame.heading[0]
        return self._left + (beside + self._frame.gap if beside else 0) + column * self._frame.step[0]

    def _row(self, row: Row, *, tinted: bool) -> None:
        frame, half = self._frame, self._frame.gap // 2
        if tinted:
            box = (half, self._top - half + 1, self._width - half, self._top + frame.step[1] - half - 1)
            self._draw.rectangle(box, fill=TINT)
        lines = wrapped(row.heading, frame.text, frame.heading[0], max(1, frame.cell[1] // line_height(frame.text)))
        top = self._top + (frame.cell[1] - len(lines) * line_height(frame.text)) // 2
        for line in lines:
            self._text(line, (self._left + frame.heading[0] - width_of(line, frame.text), top), frame.text)
            top += line_height(frame.text)
        for at, cell in enumerate(row.cells):
            self._cell(cell, self._cell_left(at))
        self._top += frame.step[1]

    def _cell(self, cell: Cell, left: int) -> None:
        frame = self._frame
        if self._image.height > 1:
            for at, path in enumerate(cell.pictures):
                across, down = at % frame.across, at // frame.across
                place = (left + across * (frame.picture[0] + 2), self._top + down * (frame.picture[1] + 2))
                with open_png(path) as image:
                    drawn = image.convert("RGB").resize(frame.picture, Image.Resampling.LANCZOS)
                self._image.paste(drawn, place)
        self._block(cell.caption, left, self._top + frame.cell[1], frame.cell[0], FAINT)

    def _legend(self) -> None:
        """Columns as wide as they need, the last with what is left."""
        text, rows = self._frame.text, self._sheet.legend
        if not rows:
            return
        self._top += self._frame.gap
        widths = [max(width_of(row[at], text) for row in rows) + 2 * text for at in range(len(rows[0]))]
        room = self._width - 2 * self._left
        widths[1] = max(8 * text, min(widths[1], room - sum(widths) + widths[1]))
        for number, row in enumerate(rows):
            self._legend_row(row, widths, INK if number else FAINT)

    def _legend_row(self, row: tuple[str, ...], widths: list[int], ink: tuple[int, int, int]) -> None:
        left, text, height = self._left, self._frame.text, 1
        for at, word in enumerate(row):
            room = widths[at] - text if at + 1 < len(row) else self._width - self._left - left
            lines = wrapped(word, text, max(text, room), LINES)
            for number, line in enumerate(lines):
                self._text(line, (left, self._top + number * line_height(text)), text, ink)
            left, height = left + widths[at], max(height, len(lines))
        self._top += height * line_height(text)

    def _lines(self, words: str, size: int, most: int, ink: tuple[int, int, int] = INK) -> None:
        for line in wrapped(words, size, self._width - 2 * self._left, most):
            self._text(line, (self._left, self._top), size, ink)
            self._top += line_height(size)

    def _block(self, words: str, left: int, top: int, width: int, ink: tuple[int, int, int] = INK) -> None:
        """Lines centred above or below a cell."""
        size = self._frame.text
        for number, line in enumerate(wrapped(words, size, width, LINES)):
            inset = max(0, (width - width_of(line, size)) // 2)
            self._text(line, (left + inset, top + number * line_height(size)), size, ink)

    def _text(self, line: str, place: tuple[int, int], size: int, ink: tuple[int, int, int] = INK) -> None:
        self._draw.text(place, line, fill=ink, font=font_for(line, size))
