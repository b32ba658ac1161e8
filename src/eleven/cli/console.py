"""What every command shares: results on stdout, notes, errors and progress on stderr, JSON and tables alike."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, TypeVar

from eleven.errors import ElevenError

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")

QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
"""Whether notes and progress are unwanted; set once, by the command line."""

WORDS: ContextVar[tuple[str, ...]] = ContextVar("words", default=())
"""The command line as it was typed, so that a command can say how to go on with it."""

PATIENCE = 2.0
"""Seconds that may pass before progress is shown."""


def show(text: str) -> None:
    """A line of the result."""
    print(readable(text, sys.stdout.encoding))


def show_json(value: object) -> None:
    """The result for programs: dataclasses as objects, paths as text, NaN and inf as null."""
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(plain(value), indent=2, ensure_ascii=ascii_only, allow_nan=False)
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Rows below their headings; in the terminal's width, or one whole line a row where stdout is no terminal."""
    from rich.table import Table
    from rich.text import Text

    console = console_for(sys.stdout.isatty())
    table = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    table.header_style = "" if console.no_color else "bold"
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(readable(str(cell), sys.stdout.encoding)) for cell in row))
    with console.capture() as capture:
        console.print(table)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def note(text: str, *, always: bool = False) -> None:
    """A message beside the result, unless the user wants quiet."""
    if always or not QUIET.get():
        print(readable(text, sys.stderr.encoding), file=sys.stderr)


def note_resumption(told: str, *, without: str = "") -> None:
    """How far an interrupted command came, and the words that go on with it, one of them left out."""
    note(told, always=True)
    note(f"  {shlex.join(['eleven', *(word for word in WORDS.get() if word != without)])}", always=True)


def show_error(error: ElevenError, *, as_json: bool) -> None:
    """Cause and hint on stderr; with JSON, the object {"error": {"cause", "hint"}} on stdout too."""
    note(f"error: {error.cause}", always=True)
    if error.hint:
        note(f"hint: {error.hint}", always=True)
    if as_json:
        show_json({"error": {"cause": error.cause, "hint": error.hint}})


def track(items: Iterable[Item], what: str, *, length: int | None = None) -> Iterator[Item]:
    """The items, with a bar and the time left on the terminal once two seconds have passed."""
    total = len(items) if length is None and isinstance(items, Sized) else length
    with meter(what, total) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def meter(what: str, total: int | None) -> Generator[Callable[..., None]]:
    """A function to call once a step, behind a bar that appears after two seconds.

    Whatever the function is given it ignores, but for a number at the end: how many steps there are in all.
    """
    if QUIET.get() or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console_for(True, stderr=True),
        transient=True,
    )
    task = bar.add_task(readable(what, sys.stderr.encoding), total=total)
    timer = Timer(PATIENCE, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda *told: bar.update(task, advance=1, total=told[-1] if told and type(told[-1]) is int else total)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def console_for(terminal: bool, *, stderr: bool = False) -> Console:
    """A console of the terminal's width, or wide enough for any row; rich itself honours NO_COLOR."""
    from rich.console import Console

    width = None if terminal else 10_000
    return Console(stderr=stderr, width=width, highlight=False, emoji=False, soft_wrap=False)


def plain(value: object) -> object:
    """The value in JSON's types."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [plain(entry) for entry in (sorted(value, key=str) if isinstance(value, Set) else value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def readable(text: str, encoding: str | None) -> str:
    """The text as this stream can write it; control characters, which a file may hold, are replaced."""
    safe = "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
    encoding = encoding or "utf-8"
    return safe.encode(encoding, "replace").decode(encoding)


def close_output(code: int) -> int:
    """The exit code, once everything is written; 1 without a word where the reader of stdout has gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code
