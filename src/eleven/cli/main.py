"""The command line: a table of commands, of which only the one that was asked for is imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

from eleven import __version__
from eleven.cli.console import QUIET, WORDS, close_output, note, show, show_error
from eleven.cli.postponed import postpone
from eleven.errors import ElevenError, UsageError

COMMANDS = {
    "inspect": "What files hold: technique, family, ranks, trigger words, and what is wrong with them.",
    "suggest": "How alike models are, what to beware of, and the strengths to start from.",
    "bake": "Write a mix as one adapter, or into a checkpoint, and prove how close it is.",
    "extract": "Turn the difference of two checkpoints into an adapter.",
    "generate": "Make pictures of a mix, with a contact sheet, or a grid over its strengths.",
    "tune": "Find the strengths that most often give a perfect likeness, prove it, and bake the mix.",
    "compare": "How often given mixes give a perfect likeness, on the same shots, with intervals.",
    "train": "Train a fine-tune of a concept on photos, or several that complement each other.",
    "demo": "The main job on somebody of the concept lab, offline, in minutes.",
    "doctor": "What is installed, which device is used, what is missing and the command that mends it.",
}
"""Every command and its line in the overview; `eleven NAME` is the function NAME of the module eleven.cli.NAME."""

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no notes on stderr.")]
Version = Annotated[bool, typer.Option("--version", help="Show the version and leave.")]


def root(context: typer.Context, quiet: Quiet = False, version: Version = False) -> None:
    """Mix several fine-tunes of one concept exactly, and find the strengths that give the best likeness."""
    QUIET.set(quiet)
    if version:
        show(f"eleven {__version__}")
    elif context.invoked_subcommand is None:
        show(context.get_help())


def stand_in() -> None:
    """In the overview, a command that was not asked for."""


def load(name: str) -> Callable[..., Any]:
    """The function behind a command."""
    return getattr(import_module(f"eleven.cli.{name}"), name)


def parser(words: Sequence[str]) -> Any:  # noqa: ANN401 - typer keeps the type of its commands to itself
    """The parser of the whole command line, with the modules of those commands only that are among its words."""
    app = typer.Typer(name="eleven", add_completion=False, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(root)
    for name, line in COMMANDS.items():
        app.command(name, short_help=line)(load(name) if name in words else stand_in)
    return get_command(app)


def run(words: Sequence[str]) -> int:
    """The exit code of one command line; errors that Eleven or the parser raises on purpose are shown, others leave."""
    WORDS.set(tuple(words))
    end = words.index("--") if "--" in words else len(words)
    options, rest = words[:end], words[end:]
    as_json, quiet = "--json" in options, ["--quiet"] if "--quiet" in options else []
    ordered = [*quiet, *(word for word in options if word != "--quiet"), *rest]
    try:
        code = parser(words).main(ordered, "eleven", standalone_mode=False)
    except ElevenError as error:
        show_error(error, as_json=as_json)
        return error.exit_code
    except typer.TyperException as error:
        show_error(UsageError(error.format_message(), hint=where_to_look(words)), as_json=as_json)
        return UsageError.exit_code
    except KeyboardInterrupt:
        code = 130
    if code == 130:
        note("interrupted.")
    return code if isinstance(code, int) else 0


def where_to_look(words: Sequence[str]) -> str:
    """The help page for a command line that the parser refused."""
    command = next((word for word in words if not word.startswith("-")), "")
    return f"See `eleven {command} --help`." if command in COMMANDS else "`eleven --help` lists the commands."


def report_bug(*error: Any) -> None:  # noqa: ANN401 - what sys.excepthook takes
    """A traceback, and whose fault it is."""
    sys.__excepthook__(*error)
    note("error: this is a bug in Eleven, please report it with the lines above.", always=True)


def main() -> int:
    """The exit code of the command line that started this process."""
    sys.excepthook = report_bug
    postpone("torch")
    # a short command makes many objects and no garbage: looking for some would take a tenth of its time
    gc.set_threshold(100_000)
    code = close_output(run(sys.argv[1:]))
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())
