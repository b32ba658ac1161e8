"""The command line as a user meets it: lazy, with clear errors and the agreed exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Annotated

import pytest
import typer

from eleven import __version__
from eleven.cli.main import COMMANDS, run
from eleven.errors import FileError, OutputError


@pytest.fixture
def command(monkeypatch):
    """Puts one more command into the table for the time of a test."""

    def add(function):
        monkeypatch.setitem(COMMANDS, "probe", "A probe.")
        monkeypatch.setitem(sys.modules, "eleven.cli.probe", SimpleNamespace(probe=function))

    return add


def start(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "eleven.cli.main", *words], capture_output=True, text=True, check=False, **options
    )


def seconds_of_children():
    """CPU time where the system counts it, so that a busy machine does not matter."""
    spent = os.times()
    return time.perf_counter() if os.name == "nt" else spent.children_user + spent.children_system


def test_overview_lists_every_command_in_under_half_a_second():
    start("--help")
    began = seconds_of_children()
    done = start("--help")
    assert seconds_of_children() - began < 0.5
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page(name, capsys):
    assert run([name, "--help"]) == 0
    page = capsys.readouterr().out
    assert f"Usage: eleven {name}" in page
    assert max(map(len, page.splitlines())) <= 80


def test_only_the_command_that_runs_is_imported():
    code = "import sys; from eleven.cli.main import run; run(['doctor', '--help']); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'eleven.cli.doctor'" in loaded
    assert "'eleven.cli.inspect'" not in loaded
    assert "'torch'" not in loaded


def test_version_and_no_arguments(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"eleven {__version__}\n"
    assert run([]) == 0
    assert "Usage: eleven" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["nonsense"], ["--nonsense"], ["doctor", "--nonsense"]])
def test_wrong_usage_exits_with_two(words, capsys):
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: No such ")
    assert "hint: " in err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["doctor", "--nonsense"], "See `eleven doctor --help`."),
        (["--quiet", "bake", "a.safetensors"], "See `eleven bake --help`."),
        (["nonsense", "bake"], "`eleven --help` lists the commands."),
        (["--nonsense"], "`eleven --help` lists the commands."),
    ],
)
def test_wrong_usage_names_the_help_page_of_its_command(words, hint, capsys):
    assert run(words) == 2
    assert capsys.readouterr().err.endswith(f"hint: {hint}\n")


def test_words_behind_two_dashes_are_no_options(command, capsys):
    from eleven.cli.console import note

    def probe(names: list[str]) -> None:
        note("by the way")
        raise FileError(" ".join(names))

    command(probe)
    assert run(["probe", "--", "--json", "--quiet"]) == 2
    assert capsys.readouterr() == ("", "by the way\nerror: --json --quiet\n")


@pytest.mark.parametrize(("kind", "code"), [(FileError, 2), (OutputError, 1)])
def test_errors_have_cause_hint_and_the_code_of_their_class(kind, code, command, capsys):
    def probe() -> None:
        raise kind("a.safetensors: no header.", hint="Download it again.")

    command(probe)
    assert run(["probe"]) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: a.safetensors: no header.\nhint: Download it again.\n")


def test_errors_are_json_too_where_json_was_asked_for(command, capsys):
    def probe(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
        raise FileError("no\x1b[2J header \udc80", hint="h")

    command(probe)
    assert run(["probe", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"cause": "no\x1b[2J header \udc80", "hint": "h"}}
    assert "\x1b" not in err
    assert run(["probe", "--json", "--wrong"]) == 2
    assert "--wrong" in json.loads(capsys.readouterr().out)["error"]["cause"]


def test_interruption_exits_with_130(command, capsys):
    def probe() -> None:
        raise KeyboardInterrupt

    command(probe)
    assert run(["probe"]) == 130
    assert capsys.readouterr().err == "interrupted.\n"


def test_interruption_while_a_command_loads_exits_with_130(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("eleven.cli.main.load", interrupted)
    assert run(["doctor"]) == 130
    assert capsys.readouterr().err == "interrupted.\n"


@pytest.mark.parametrize("words", [["--quiet", "probe"], ["probe", "--quiet"]])
def test_quiet_silences_notes_wherever_it_stands(words, command, capsys):
    from eleven.cli.console import note, show

    def probe() -> None:
        note("by the way")
        show("result")

    command(probe)
    assert run(words) == 0
    assert capsys.readouterr() == ("result\n", "")
    assert run(["probe"]) == 0
    assert capsys.readouterr() == ("result\n", "by the way\n")


def test_a_defect_shows_its_traceback_and_says_whose_fault_it_is():
    code = """
import sys, types
from eleven.cli import main
def probe() -> None:
    raise ZeroDivisionError("oops")
main.COMMANDS["probe"] = "A probe."
sys.modules["eleven.cli.probe"] = types.SimpleNamespace(probe=probe)
sys.argv = ["eleven", "probe"]
sys.exit(main.main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError: oops" in done.stderr
    assert done.stderr.endswith("error: this is a bug in Eleven, please report it with the lines above.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break with another error there")
def test_a_closed_pipe_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "eleven.cli.main", "--help"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")
