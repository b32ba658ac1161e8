"""Heat: a strip for each model over the blocks of a base, and tables of cosines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from markupsafe import Markup

from eleven.reports.charts.ramp import colour, ramp
from eleven.reports.charts.svg import element, fitted, picture, text

HIGH, GAP = 34, 24
"""Of a cell, and above it where the model's name stands there."""
SQUARE = 46
DARK = 0.62
"""Colours above this share of the ramp are light, and take dark letters."""


def draw_blocks(rows: Sequence[tuple[str, Mapping[str, float]]], *, width: float) -> Markup:
    """A strip for each model: the lighter a block, the more of the model's change is there (0 to 1)."""
    blocks = list(dict.fromkeys(name for _, shares in rows for name in shares))
    most = max((share for _, shares in rows for share in shares.values()), default=1.0) or 1.0
    wide = width / max(len(blocks), 1)
    drawn: list[Markup] = []
    for number, (name, shares) in enumerate(rows):
        top = number * (HIGH + GAP) + GAP
        drawn.append(text(fitted(name, width), 0, top - 7, class_="strong"))
        for place, block in enumerate(blocks):
            share = shares.get(block, 0.0)
            title = element("title", f"{name}, {block}: {100 * share:.0f} % of its change")
            box = {"x": place * wide, "y": top, "width": max(wide - 1, 1), "height": HIGH}
            drawn.append(element("rect", title, fill=colour(share / most) if share else "#80808030", **box))
            if share and wide >= 30:
                drawn.append(_number(f"{100 * share:.0f}", place * wide + wide / 2, top + HIGH / 2, share / most))
    bottom = len(rows) * (HIGH + GAP) + GAP - 8
    drawn += _names(blocks, wide, bottom)
    below = bottom + (14 if wide >= 46 else 50)
    drawn += ramp(0, below, min(260, width - 10), ("0 %", f"{100 * most:.0f} % of the model's change"))
    return picture(width, below + 30, f"Where {len(rows)} models change the base, block by block", *drawn)


def draw_matrices(
    names: Sequence[str], tables: Sequence[tuple[str, Sequence[Sequence[float]]]], *, width: float
) -> Markup:
    """Tables of cosines side by side, as many to a row as fit; models are numbered as their list is."""
    side = len(names) * SQUARE
    columns = max(1, int((width + 30) // (side + 30)))
    drawn: list[Markup] = []
    for number, (title, table) in enumerate(tables):
        left, top = (number % columns) * (side + 30), (number // columns) * (side + 62)
        drawn.append(element("g", *_matrix(title, table), transform=f"translate({left} {top})"))
    rows = ceil(len(tables) / columns)
    told = f"How alike {len(names)} models are: {', '.join(title for title, _ in tables)}"
    shown = min(columns, len(tables)) * (side + 30)
    return picture(max(min(width, shown), side), rows * (side + 62), told, *drawn)


def _matrix(title: str, table: Sequence[Sequence[float]]) -> list[Markup]:
    drawn = [text(title, 0, 14, class_="strong")]
    for row, values in enumerate(table):
        for column, value in enumerate(values):
            x, y = column * SQUARE, 26 + row * SQUARE
            label = element("title", f"{row + 1} and {column + 1}: {value:.3f}")
            box = {"x": x, "y": y, "width": SQUARE - 2, "height": SQUARE - 2, "rx": 4}
            if row == column:
                drawn += [
                    element("rect", label, fill="#80808030", **box),
                    text(str(row + 1), x + SQUARE / 2 - 1, y + SQUARE / 2 + 4, text_anchor="middle", class_="faint"),
                ]
                continue
            drawn.append(element("rect", label, fill=colour(value), **box))
            drawn.append(_number(f"{value:.2f}", x + SQUARE / 2 - 1, y + SQUARE / 2, value))
    return drawn


def _number(words: str, x: float, y: float, share: float) -> Markup:
    """A number on a colour of the ramp, in letters that stand out."""
    return text(words, x, y + 4, text_anchor="middle", class_="on-light" if share > DARK else "on-dark")


def _names(blocks: Sequence[str], wide: float, top: float) -> list[Markup]:
    """Below the strips; upright where there is no room across."""
    if wide >= 46:
        return [
            text(fitted(block, wide), place * wide + wide / 2, top, text_anchor="middle", class_="faint")
            for place, block in enumerate(blocks)
        ]
    return [
        text(
            block, 0, 0, class_="faint", text_anchor="end",
            transform=f"translate({place * wide + wide / 2 + 4:.1f} {top - 8}) rotate(-90)",
        )
        for place, block in enumerate(blocks)
    ]  # fmt: skip
