"""A suggestion as text for a terminal: strengths with reasons, findings, and the numbers with their chance levels."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from eleven.reports.suggestion_view import PairView, SuggestionView

STRENGTHS = ("model", "technique", "norm", "strength", "why")
PAIRS = ("pair", "weights", "(chance)", "inputs", "(chance)", "outputs", "(chance)")


def strength_rows(view: SuggestionView) -> list[tuple[str, ...]]:
    """A row for each file, one cell for each of `STRENGTHS`."""
    return [
        (one.name, one.technique, f"{one.norm:.3g}" if one.norm else "", f"{one.strength:.2f}", one.reason)
        for one in view.files
    ]


def pair_table(view: SuggestionView) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The headings, and a row for each pair; predictions only where a base was asked."""
    rows = [(f"{view.files[one.first].name} + {view.files[one.second].name}", *_cells(one)) for one in view.pairs]
    if not view.bands:
        return PAIRS, rows
    seen = [f"{one.predictions:+.2f}" for one in view.pairs if one.predictions is not None]
    return (*PAIRS, "predictions"), [(*row, cell) for row, cell in zip(rows, seen, strict=True)]


def finding_lines(view: SuggestionView, width: int = 80) -> Iterator[str]:
    """Every finding with its hint."""
    for one in view.findings:
        mark = "! " if one.severity == "warning" else "- "
        yield from textwrap.wrap(f"{one.text} {one.hint}", width, initial_indent=mark, subsequent_indent="  ")


def closing_lines(view: SuggestionView, width: int = 80) -> Iterator[str]:
    """The total with its reason, the collapse meter, the overlap by noise, and what cannot be told."""
    if view.total:
        yield from textwrap.wrap(f"total {view.total:.2f}: {view.reason}", width)
    if view.collapse is not None:
        yield from textwrap.wrap(view.collapse.text, width)
    if view.bands:
        told = ", ".join(f"{band.name} {band.overlap:.2f}" for band in view.bands)
        yield from textwrap.wrap(f"overlap of predictions by noise: {told}", width)
    yield from textwrap.wrap(view.limits, width)


def _cells(one: PairView) -> tuple[str, ...]:
    return (
        f"{one.cosine:+.3f}",
        f"±{one.cosine_chance:.4f}",
        percent(one.inputs),
        percent(one.inputs_chance),
        percent(one.outputs),
        percent(one.outputs_chance),
    )


def percent(share: float | None) -> str:
    """A share; "" for none."""
    return "" if share is None else f"{100 * share:.1f} %"
