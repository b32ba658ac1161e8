"""Writes docs/reference/commands.md and docs/concepts/methods.md from the code; a test compares them."""

from __future__ import annotations

from pathlib import Path

from eleven.cli.main import COMMANDS, load
from eleven.methods import METHODS

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Writes both pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Each page's text by its name."""
    return {"reference/commands.md": commands(), "concepts/methods.md": methods()}


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


if __name__ == "__main__":
    main()
