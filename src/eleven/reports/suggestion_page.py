"""A suggestion on one page of HTML that opens offline and fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping

from eleven.reports.charts.heat import draw_blocks, draw_matrices
from eleven.reports.collapse import draw_collapse
from eleven.reports.study_charts import NARROW, WIDE, Chart
from eleven.reports.study_page import PAGES, hash_of, templates
from eleven.reports.suggestion_text import percent
from eleven.reports.suggestion_view import SuggestionView
from eleven.suggestions.probe import Table, as_table, cosines

STYLES = ("study.css", "suggestion.css")


def render_suggestion(view: SuggestionView) -> str:
    """The page; equal views give equal bytes."""
    pages = templates()
    pages.filters["percent"] = percent
    style = "".join((PAGES / name).read_text("utf-8") for name in STYLES)
    return pages.get_template("suggestion.html").render(
        view=view,
        changing=[one for one in view.files if one.layers],
        charts=charts_of(view),
        style=style,
        style_hash=hash_of(style),
    )


def charts_of(view: SuggestionView) -> dict[str, Chart]:
    """Every chart that there are data for, by name."""
    numbers = [number for number, one in enumerate(view.files) if one.layers]
    found = dict[str, Chart]()
    if numbers:
        rows = [(view.files[number].name, shares_of(view.files[number].blocks)) for number in numbers]
        found["blocks"] = Chart(draw_blocks(rows, width=WIDE), draw_blocks(rows, width=NARROW))
    if len(numbers) > 1:
        names = [view.files[number].name for number in numbers]
        tables = [(title, _restricted(table, numbers)) for title, table in _tables(view)]
        found["overlap"] = Chart(*(draw_matrices(names, tables, width=width) for width in (WIDE, NARROW)))
    collapse = view.collapse
    if collapse is not None:
        found["collapse"] = Chart(*(draw_collapse(collapse, "suggested", width=width) for width in (WIDE, NARROW)))
    return found


def shares_of(norms: Mapping[str, float]) -> dict[str, float]:
    """What each block has of the whole, whose squared norm is the sum of the blocks'."""
    whole = sum(norm * norm for norm in norms.values())
    return {name: norm * norm / whole if whole else 0.0 for name, norm in norms.items()}


def _tables(view: SuggestionView) -> list[tuple[str, Table]]:
    bands = [(f"Predictions, {band.name}", band.cosines) for band in view.bands]
    return [*bands, ("Weights", as_table(cosines(view.gram)))]


def _restricted(table: Table, numbers: list[int]) -> Table:
    return tuple(tuple(table[row][column] for column in numbers) for row in numbers)
