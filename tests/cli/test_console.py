"""Tables, JSON and progress: whole, plain and safe to print."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from pathlib import Path

from eleven.cli import console


@dataclass(frozen=True)
class Row:
    path: Path
    norm: float
    words: frozenset[str]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_json_is_strict(capsys):
    console.show_json([Row(Path("a") / "b", float("nan"), frozenset({"z", "ä"}))])
    assert json.loads(capsys.readouterr().out) == [{"path": str(Path("a/b")), "norm": None, "words": ["z", "ä"]}]


def test_rows_are_whole_lines_where_stdout_is_no_terminal(capsys):
    name = "x" * 300
    console.show_table(("name", "n"), [(name, 1), ("[bold]y[/bold]\x1b[31m", 2)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split() == [name, "1"]
    assert "[bold]y[/bold]\N{REPLACEMENT CHARACTER}[31m" in lines[2]
    assert all(line == line.rstrip() for line in lines)


def test_text_never_breaks_a_stream_of_another_encoding():
    assert console.readable("naïve 漢\n", "cp1252") == "naïve ?\n"
    assert console.readable("\x9b\x07", None) == "\N{REPLACEMENT CHARACTER}" * 2


def test_progress_gives_every_item_and_stays_silent_where_stderr_is_no_terminal(capsys):
    assert list(console.track(iter(range(5)), "counting", length=5)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr() == ("", "")


def test_progress_appears_only_after_some_time(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert list(console.track([1, 2, 3], "quick")) == [1, 2, 3]
    assert terminal.getvalue() == ""
    monkeypatch.setattr(console, "PATIENCE", 0.05)
    for _ in console.track([1, 2, 3], "slow"):
        time.sleep(0.15)
    assert "slow" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()


def test_progress_stays_silent_when_quiet(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(console, "PATIENCE", 0.0)
    token = console.QUIET.set(True)
    try:
        for _ in console.track([1, 2], "slow"):
            time.sleep(0.1)
    finally:
        console.QUIET.reset(token)
    assert terminal.getvalue() == ""
