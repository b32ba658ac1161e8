"""`eleven inspect`: what model files hold, and what is wrong with them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from eleven.cli.console import note, show, show_error, show_json, show_table, track
from eleven.errors import ElevenError
from eleven.reports.catalogue import Problem, Unreadable, catalogue, is_catalogue
from eleven.reports.inspection import Inspection, inspect_file
from eleven.reports.inspection_text import COLUMNS, lines, row

Report = Inspection | Unreadable
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Models, or folders of models.")]
Json = Annotated[bool, typer.Option("--json", help="A list with one JSON object a file.")]
Deep = Annotated[bool, typer.Option("--norms", help="Norms of the change by block; decodes every layer.")]
Digests = Annotated[bool, typer.Option("--hashes", help="Hashes by which other programs name the file.")]
Base = Annotated[Path | None, typer.Option("--base", metavar="MODEL", help="For norms that depend on the base.")]
Recursive = Annotated[bool, typer.Option("--recursive", help="Folders inside folders too.")]


def inspect(
    files: Files,
    norms: Deep = False,
    hashes: Digests = False,
    base: Base = None,
    recursive: Recursive = False,
    as_json: Json = False,
) -> None:
    """What files hold: technique, family, ranks, trigger words, and what is wrong with them.

    Example: eleven inspect mine.safetensors --hashes

    A folder of models is shown as a table. Exit code 2 where a FILE cannot be read.
    """
    # numpy reads the files, and its threads for algebra, which is not wanted here, take longer to start
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    reports: list[Report] = []
    unreadable = False
    for path in files:
        try:
            if is_catalogue(path):
                found: list[Report] = list(track(catalogue(path, recursive=recursive), f"reading {path}"))
            else:
                found = [inspect_file(path, norms=norms, hashes=hashes, base=base)]
        except ElevenError as error:
            unreadable = True
            reports.append(Unreadable(path, Problem(error.cause, error.hint)))
            show_error(error, as_json=False)
            continue
        reports += found
        if not as_json:
            show_folder(path, found) if is_catalogue(path) else show_file(found)
    if as_json:
        show_json(reports)
    if unreadable:
        raise typer.Exit(2)


def show_file(found: Sequence[Report]) -> None:
    """Reports as wide as the terminal."""
    width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
    for line in (line for told in found if isinstance(told, Inspection) for line in lines(told, width=max(40, width))):
        show(line)


def show_folder(folder: Path, found: Sequence[Report]) -> None:
    """One row a file, then the reasons why others cannot be read."""
    rows = [row(folder, told) for told in found]
    show(str(folder))
    show_table(COLUMNS, rows)
    for told in found:
        if isinstance(told, Unreadable):
            show(f"unreadable: {told.error.cause}")
    if not found:
        note(f"{folder} holds no models; --recursive looks into its folders.")
