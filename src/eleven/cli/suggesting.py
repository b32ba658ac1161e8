"""What `eleven suggest` is made of: files examined, a base asked, and the report in text, JSON, a recipe and a page."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eleven.cli.console import meter, note, show, show_json, show_table
from eleven.engines.opening import Setup
from eleven.errors import OutputError, UsageError
from eleven.reports.suggestion_text import STRENGTHS, closing_lines, finding_lines, pair_table, strength_rows
from eleven.reports.suggestion_view import SuggestionView, view_of
from eleven.suggestions.suggesting import Examined, conclude, examine

RECIPES = (".toml", ".json")


@dataclass(frozen=True)
class Outputs:
    """Where the recipe and the page go, and what is shown."""

    to: Path | None
    page: Path | None
    force: bool
    as_json: bool


def check_outputs(outputs: Outputs, models: Sequence[Path]) -> None:
    """UsageError for a recipe of no known kind, OutputError for a file that is there or is one of the models."""
    if outputs.to is not None and outputs.to.suffix.lower() not in RECIPES:
        raise UsageError(f"{outputs.to} does not end in .toml or .json.", hint="A recipe is one of both.")
    for place in (outputs.to, outputs.page):
        if place is None:
            continue
        if place.resolve() in [model.resolve() for model in models]:
            raise OutputError(f"{place} is one of the inputs.", hint="Choose another name.")
        if place.exists() and not outputs.force:
            raise OutputError(f"{place}: exists already.", hint="Choose another name, or use --force.")


def examined_by(setup: Setup, models: Sequence[Path], photos: Path | None, trigger: str) -> Examined:
    """The models examined, with a probe of the base where one is named. Every error of reading and of opening."""
    if photos is not None and not setup.base:
        raise UsageError("--photos needs a base to be measured with.", hint="Name the base with --base.")
    # numpy's threads, which this much algebra does not repay, take longer to start
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    base = _located(setup) if setup.base else None
    with meter("layers", None) as advance:
        case = examine(models, base, advance=advance)
    if not setup.base:
        return conclude(case)
    from eleven.engines.additivity import concluded
    from eleven.engines.probing import open_probe

    said = trigger or case.called
    if not said:
        note("no file tells its trigger word, so the base is asked without one; --trigger names it")
    with meter("predictions", None) as advance, open_probe(setup, models, photos, said, note, advance) as asked:
        return concluded(case, asked)


def report(examined: Examined, outputs: Outputs) -> None:
    """Shows the suggestion, and writes what was asked for."""
    from eleven.sheets.png import write_bytes

    view = view_of(examined)
    if outputs.to is not None:
        mix = examined.mix()
        text = mix.to_toml() if outputs.to.suffix.lower() == ".toml" else mix.to_json()
        write_bytes(outputs.to, text.encode(), force=outputs.force)
    if outputs.page is not None:
        from eleven.reports.suggestion_page import render_suggestion

        write_bytes(outputs.page, render_suggestion(view).encode("utf-8", "replace"), force=outputs.force)
    if outputs.as_json:
        show_json(view)
        return
    show_view(view)
    for what, place in (("recipe", outputs.to), ("page", outputs.page)):
        if place is not None:
            show(f"{what}: {place}")


def show_view(view: SuggestionView) -> None:
    """The view as text, as wide as the terminal."""
    width = max(40, shutil.get_terminal_size((100, 24)).columns) if sys.stdout.isatty() else 100
    show_table(STRENGTHS, strength_rows(view))
    show("")
    if view.pairs:
        show_table(*pair_table(view))
        show("")
    for line in (*finding_lines(view, width), *closing_lines(view, width)):
        show(line)


def _located(setup: Setup) -> Path:
    """Where the base lies. UsageError where it would have to be downloaded and may not be."""
    from eleven.bases.hub import locate

    return locate(setup.base, download=setup.download).path
