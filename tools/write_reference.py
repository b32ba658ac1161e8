"""Writes the pages of the documentation that come from the code: commands, methods, results; a test compares them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from eleven.cli.main import COMMANDS, load
from eleven.methods import METHODS

DOCS = Path(__file__).parents[1] / "docs"
REPORTS = Path(__file__).parents[1] / "src" / "eleven" / "reports"
RESULTS = ("study_results", "study", "study_measures")
SUGGESTION = REPORTS / "suggestion_view.py", REPORTS.parent / "suggestions" / "findings.py"


def main() -> None:
    """Writes all pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Each page's text by its name."""
    return {
        "reference/commands.md": commands(),
        "concepts/methods.md": methods(),
        "reference/results.md": results(),
        "reference/suggestion.md": suggestion(),
    }


def commands() -> str:
    """Every command with its options."""
    parts = ["# Commands\n\nWritten by `tools/write_reference.py`.\n"]
    for name in COMMANDS:
        parts.append(f"## eleven {name}\n\n{describe(name)}\n")
    return "\n".join(parts)


def describe(name: str) -> str:
    """A command's text and a table of its arguments and options."""
    import typer
    from typer.main import get_command

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(load(name))
    command = get_command(app)
    text = "\n".join(line.strip() for line in (command.help or "").splitlines()).strip()
    rows = ["| option | meaning | default |", "|---|---|---|"]
    for parameter in command.params:
        told = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
        if parameter.name != "help":
            default = (
                "" if parameter.default in (None, False, [], ()) or callable(parameter.default) else parameter.default
            )
            rows.append(f"| {spelled(parameter)} | {told} | {default} |")
    return f"{text}\n\n" + "\n".join(rows)


def spelled(parameter: object) -> str:
    """How an option or argument is written."""
    options = getattr(parameter, "opts", [])
    if getattr(parameter, "param_type_name", "") == "argument":
        return f"`{getattr(parameter, 'metavar', None) or str(getattr(parameter, 'name', '')).upper()}`"
    return f"`{max(options, key=len)}`"


def methods() -> str:
    """Every method with its source and options."""
    parts = [
        "# Methods\n\nWritten by `tools/write_reference.py`.\n",
        "A method makes one delta of the parts' deltas, layer by layer; a common factor of the strengths comes out.\n",
        "| method | does | source | options |",
        "|---|---|---|---|",
    ]
    for row in METHODS:
        options = "; ".join(f"`{one.name}` ({one.range}, default {one.default}): {one.text}" for one in row.options)
        needs = " Needs calibration activations." if row.needs_activations else ""
        parts.append(f"| `{row.name}` | {row.text}{needs} | {row.paper} | {options} |")
    return "\n".join(parts) + "\n"


def results() -> str:
    """Every field of results.json, from the dataclasses' own docstrings."""
    head = "# results.json\n\nWritten by `tools/write_reference.py`.\n\nUnknown keys are refused, and no number is NaN."
    found = dataclasses_of([REPORTS / f"{name}.py" for name in RESULTS])
    return "\n".join([f"{head} Models, arms and shots are numbered from 0.\n", *map(table_of, found)])


def suggestion() -> str:
    """Every field of `eleven suggest --json`."""
    head = "# eleven suggest --json\n\nWritten by `tools/write_reference.py`.\n\nModels are numbered from 0."
    return "\n".join([f"{head} N-by-N tables are lists of rows.\n", *map(table_of, dataclasses_of(SUGGESTION))])


def dataclasses_of(paths: Iterable[Path]) -> list[ast.ClassDef]:
    """The dataclasses with fields in these modules, in their order, the whole first."""
    trees = [ast.parse(path.read_text("utf-8")) for path in paths]
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef) and node.decorator_list]
    return sorted(nodes, key=lambda node: (node.name not in ("Results", "SuggestionView"), node.name != "StudyView"))


def table_of(node: ast.ClassDef) -> str:
    """A dataclass as a table of its fields; a text after a field is what it means."""
    rows = [f"## {node.name}", "", ast.get_docstring(node) or "", "", "| field | type | meaning |", "|---|---|---|"]
    for field, told in pairwise(node.body):
        if isinstance(field, ast.AnnAssign) and isinstance(told, ast.Expr):
            meaning = " ".join(ast.literal_eval(told.value).split())
            kind = ast.unparse(field.annotation).replace("|", "or")
            rows.append(f"| `{ast.unparse(field.target)}` | {kind} | {meaning} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
