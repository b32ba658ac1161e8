"""What the commands that write a mix share: their options as a form, and the proof as a report."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from typer import Exit

from eleven.cli.console import meter, note, show, show_error, show_json
from eleven.errors import ProofFailed, UsageError
from eleven.mix import Mix

if TYPE_CHECKING:
    from eleven.exports.forms import Form
    from eleven.exports.proof import Progress, Proof

WIDEST = 1 << 20


def with_method(mix: Mix, method: str | None, options: Sequence[str], seed: int | None) -> Mix:
    """The mix with the method, options and seed that the command line names. UsageError for unknown ones."""
    from eleven.methods import find_method, settle

    given = dict(_option(text) for text in options)
    changed = {"method": method or mix.method, "seed": mix.seed if seed is None else seed}
    kept = {} if method and method != mix.method else dict(mix.options)
    settle(find_method(changed["method"] if isinstance(changed["method"], str) else mix.method), kept | given)
    return Mix.from_data(mix.model_dump() | changed | {"options": kept | given})


def form_of(
    rank: str, energy: float, written: tuple[str, str], *, private: bool = False, technique: str = "lora"
) -> Form:
    """Rank, energy, and (dialect, dtype) as a form. UsageError for values out of range."""
    dialect, dtype = written
    from eleven.compress import Target
    from eleven.exports.forms import Form

    if not 0 < energy <= 1:
        raise UsageError(f"--energy is {energy:g}.", hint="It is a share: above 0, at most 1.")
    if rank == "exact":
        target = Target(WIDEST, energy) if energy < 1 else None
    elif rank.isdecimal() and int(rank) > 0:
        target = Target(int(rank), energy)
    else:
        raise UsageError(f"--rank is {rank!r}.", hint="It is `exact` or a positive number.")
    return Form(target, dialect, dtype, private=private, technique=technique)


def report(write: Callable[[Progress], Proof], to: Path, tolerance: float | None, as_json: bool) -> None:
    """Runs the job behind a progress bar and shows its proof; leaves with 1 where it is above the tolerance."""
    leave_a_core_to_the_writer()
    with meter(f"writing {to.name}", None) as advance:
        proof = write(advance)
    if as_json:
        show_json({"path": to, "tolerance": tolerance, **proof.listed()})
    else:
        _show(proof, to)
    try:
        proof.require(math.inf if tolerance is None else tolerance, str(to))
    except ProofFailed as error:
        show_error(error, as_json=False)
        raise Exit(error.exit_code) from None


def leave_a_core_to_the_writer() -> None:
    """Arithmetic on all cores would wait for the thread that writes, and burn the time; the user's setting wins."""
    if "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))


def _show(proof: Proof, to: Path) -> None:
    show(f"{to}: {len(proof.layers)} layers, relative error {proof.error:.2e}, energy kept {100 * proof.kept:.4g} %.")
    for layer in proof.worst(3):
        show(f"  furthest: {layer.layer} ({layer.form}), {layer.error:.2e}")
    for name, reason in proof.skipped[:10]:
        note(f"not applied: {name}: {reason}")
    if len(proof.skipped) > 10:
        note(f"not applied: {len(proof.skipped) - 10} more; --json lists all.")


def _option(text: str) -> tuple[str, float | str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--option is {text!r}.", hint="Write NAME=VALUE.")
    try:
        return name, float(value)
    except ValueError:
        return name, value
