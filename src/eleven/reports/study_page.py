"""`report.html`: a study on one page that opens offline and fetches nothing, with `results.json` beside it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from eleven.reports.contact import FIRST, MARKS, contact_data, contact_rows
from eleven.reports.study import StudyView
from eleven.reports.study_charts import charts_of, histograms_of
from eleven.reports.study_results import to_json
from eleven.reports.thumbnails import LIMIT
from eleven.reports.verdict import number, percent, points, span, strengths_text, verdict_of
from eleven.sheets.png import write_bytes

if TYPE_CHECKING:
    from jinja2 import Environment

PAGES = Path(__file__).parent / "pages"
SYMBOLS = {
    "confirmed": "✓",
    "no practical difference": "=",
    "undecided": "?",
    "worse": "✕",
    "single": "1",
    "unverified": "!",
}
ROLES = {
    "mix": "found by the search",
    "single": "one model, at its own best strength",
    "raised single": "one model, turned up",
    "guided": "the best, guided from half of it",
    "preset": "usual strengths",
    "base": "no model",
    "given": "as asked for",
}
MOST_TRIALS = 200
"""Rows of the table of trials; all of them are in results.json."""


def write_report(study: StudyView, folder: Path) -> Path:
    """The path of `report.html`, written anew with `results.json`; pictures lie below the folder already.

    FileError where a picture cannot be read, OutputError where a file cannot be written.
    """
    page = render_page(study, folder)
    write_bytes(folder / "results.json", to_json(study).encode("utf-8", "replace"), force=True)
    write_bytes(folder / "report.html", page.encode("utf-8", "replace"), force=True)
    return folder / "report.html"


def templates() -> Environment:
    """The templates of all pages; a name that a page does not know is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render_page(study: StudyView, folder: Path, *, limit: int = LIMIT) -> str:
    """The page as HTML; thumbnails take at most `limit` letters of it, and equal data give equal bytes."""
    pages = templates()
    pages.filters.update(number=number, percent=percent, points=points, span=span, strengths=strengths_text, took=took)
    style, script = ((PAGES / name).read_text("utf-8") for name in ("study.css", "study.js"))
    rows = contact_rows(study, folder, limit=limit)
    return pages.get_template("study.html").render(
        study=study,
        verdict=verdict_of(study),
        symbols=SYMBOLS,
        roles=ROLES,
        marks=MARKS,
        charts=charts_of(study),
        histograms=histograms_of(study),
        rows=rows,
        first=FIRST,
        most_trials=MOST_TRIALS,
        data=contact_data(study, rows),
        style=style,
        script=script,
        style_hash=hash_of(style),
        script_hash=hash_of(script),
    )


def took(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def hash_of(text: str) -> str:
    """What a content security policy calls an inline text (W3C CSP3, section 6.7.2.3)."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
