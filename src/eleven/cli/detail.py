"""What `--detail` does to a mix on the command line: strengths by a recipe's effects, and steps where allowed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eleven.cli.console import note
from eleven.errors import UsageError
from eleven.mix import Mix
from eleven.mix_text import is_recipe, read_effects, spell


def with_detail(mix: Mix, parts: Sequence[str], detail: float, *, steps: bool = False) -> Mix:
    """The mix for this much more detail. UsageError where nothing tells what models carry, and steps may not move."""
    from eleven.steering import rising, steered

    if not detail:
        return mix
    effects = read_effects(Path(parts[0])) if len(parts) == 1 and is_recipe(parts[0]) else ()
    if not effects and not steps:
        told = f"--detail {detail:g}: nothing tells what each model carries."
        raise UsageError(
            told, hint="Run eleven tune and give the mix.toml that it writes, or --detail-steps (generate)."
        )
    found = steered(mix, effects, detail) if effects else mix
    if effects and found == mix:
        note("note: --detail moves no strength: as far as was measured, no change gains detail and keeps the look.")
    elif effects:
        told = ", ".join(f"{Path(part.file).name} {spell(part.strength)}" for part in found.parts)
        note(f"--detail {detail:g}: {told}")
    return rising(found, detail) if steps else found
