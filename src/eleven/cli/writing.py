"""What the commands that write a mix share: their options as a form, and the proof as a report."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from typer import Exit

from eleven.cli.console import meter, note, show, show_error, show_json
from eleven.errors import OutputError, ProofFailed, UsageError
from eleven.mix import Mix

if TYPE_CHECKING:
    from eleven.exports.forms import Form
    from eleven.exports.proof import Progress, Proof

WIDEST = 1 << 20
LITTLE = 0.9
"""A compressed file that keeps a smaller share of the energy is remarked on."""
ROUNDED = 1e-4
"""The share of a layer's energy that half precision may lose."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""What malloc.h of glibc calls the bytes from which freed memory goes back, and from which it was the system's own."""
MODEL_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")


@dataclass(frozen=True)
class Job:
    """What is written where, and the relative error that is allowed; no form where it is a checkpoint."""

    to: Path
    form: Form | None
    tolerance: float | None

    @property
    def remedy(self) -> str:
        """What would bring the file nearer to what was asked."""
        if self.form is None:
            return "Bake into a base of more precision (fp32)."
        if self.form.technique != "lora":
            return "Use --as lora."
        if self.form.target is None:
            return "" if self.form.dtype == "fp32" else "Use --dtype fp32."
        if self.form.target.rank == WIDEST:
            return "Raise --energy."
        return "Raise --rank."


def check_place(to: Path, *, folder: bool = False) -> None:
    """UsageError for a name that tells of another format than is written; OutputError where no file can lie there."""
    try:
        taken, placed = to.is_dir(), to.parent.is_dir()
    except OSError as error:
        raise OutputError(f"{to}: cannot be written: {error.strerror}.", hint="Choose another name.") from error
    if not folder and taken:
        raise OutputError(f"{to} is a folder.", hint="Name a file in it, such as mix.safetensors.")
    if not placed:
        raise OutputError(f"the folder {to.parent} does not exist.", hint="Make it first, or choose another one.")
    if folder and to.suffix.lower() in MODEL_FILES:
        told = f"{to} is the name of a file, and a diffusers folder is written."
        raise UsageError(told, hint=f"Call it {to.with_suffix('').name}.")
    if not folder and to.suffix.lower() != ".safetensors":
        raise UsageError(f"{to} does not end in .safetensors.", hint="Only that format is written.")


def refuse_adapter_options(**given: object) -> None:
    """UsageError for an option that only adapters have, given together with --into."""
    name = next((name for name, value in given.items() if value is not None and value is not False), None)
    if name is not None:
        told = f"--{name.replace('_', '-')} is for adapters, and --into writes a checkpoint in its own types."
        raise UsageError(told, hint="Leave one of both out.")


def with_method(mix: Mix, method: str | None, options: Sequence[str], seed: int | None) -> Mix:
    """The mix with the method, options and seed that the command line names. UsageError for unknown ones."""
    from eleven.methods import find_method, settle

    given = dict(_option(text) for text in options)
    changed = {"method": method or mix.method, "seed": mix.seed if seed is None else seed}
    kept = {} if method and method != mix.method else dict(mix.options)
    settle(find_method(changed["method"] if isinstance(changed["method"], str) else mix.method), kept | given)
    return Mix.from_data(mix.model_dump() | changed | {"options": kept | given})


def form_of(
    rank: str, energy: float | None, written: tuple[str, str], *, private: bool = False, technique: str = "lora"
) -> Form:
    """Rank, energy (None for all), and (dialect, dtype) as a form. UsageError for values out of range."""
    (dialect, dtype), energy = written, 1.0 if energy is None else energy
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


def report(write: Callable[[Progress], Proof], job: Job, *, as_json: bool) -> None:
    """Runs the job behind a progress bar and shows its proof; leaves with 1 where it is above the tolerance."""
    leave_a_core_to_the_writer()
    keep_freed_memory()
    with meter(f"writing {job.to.name}", None) as advance:
        proof = write(advance)
    if as_json:
        show_json({"path": job.to, "tolerance": job.tolerance, **proof.listed()})
    else:
        _show(proof, job.to)
    for reason in proof.alarm.reasons if proof.alarm else ():
        note(f"warning: {reason}")
    try:
        proof.require(math.inf if job.tolerance is None else job.tolerance, str(job.to), remedy=job.remedy)
    except ProofFailed as error:
        show_error(error, as_json=False)
        raise Exit(error.exit_code) from None
    for remark in remarks(proof, job):
        note(remark)


def remarks(proof: Proof, job: Job) -> list[str]:
    """What a compressed file keeps less of than was asked, or than is wise, each with a remedy."""
    target, found = job.form.target if job.form else None, list[str]()
    if target is not None and target.energy < 1:
        stored = [layer for layer in proof.layers if layer.form.startswith(("rank", "kronecker"))]
        short = sum(1 - layer.error**2 < target.energy - ROUNDED for layer in stored)
        if short:
            told = f"note: {short} of {len(stored)} layers keep less than --energy {target.energy:g}."
            found.append(f"{told} {job.remedy}")
    if job.form is not None and proof.kept < LITTLE:
        found.append(f"note: only {100 * proof.kept:.3g} % of the energy is kept. {job.remedy}")
    return found


def without_share(mix: Mix) -> Mix:
    """What a file can hold of a mix whose parts have one share for the negative prompt; any other mix as it is."""
    if mix.filed is None or mix.filed[1] == 1:
        return mix
    told = f"the file needs a share of {mix.filed[1]:g} of its strength for the negative prompt, which it does not hold"
    note(f"note: {told}: eleven generate and the LoRA hooks of ComfyUI give it.", always=True)
    return mix.filed[0]


def leave_a_core_to_the_writer() -> None:
    """Arithmetic on all cores would wait for the thread that writes, and burn the time; the user's setting wins."""
    if "OMP_NUM_THREADS" not in os.environ:
        count = max(1, (os.cpu_count() or 2) // 2)
        # what torch reads when it is loaded, which a bake may never need
        os.environ["OMP_NUM_THREADS"] = str(count)
        if "torch._C" in sys.modules:
            import torch

            torch.set_num_threads(count)


def keep_freed_memory() -> None:
    """Layers' memory goes from one to the next, not back to the system, which would clear it each time (glibc)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 25)
        mallopt(M_TRIM_THRESHOLD, 1 << 28)


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
