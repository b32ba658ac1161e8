"""A DreamBooth checkpoint's difference to its base as an adapter, and signs that the base is the wrong one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from eleven.errors import UsageError
from eleven.exports.baking import Request, bake
from eleven.exports.forms import Form
from eleven.exports.proof import Progress, Proof, ignore
from eleven.finetunes.checkpoint import Checkpoint, open_checkpoint
from eleven.finetunes.difference import require_layers
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part

UNTRAINED = "vae."
SAMPLES = 8
ROUNDING = 2e-3
"""Relative difference that storing in half precision explains."""


@dataclass(frozen=True)
class Extraction:
    """Which difference to write, where, and how."""

    tuned: Path
    base: Path
    to: Path
    form: Form
    force: bool = False


def extract(job: Extraction, *, progress: Progress = ignore) -> Proof:
    """Writes tuned − base as an adapter, one layer in memory at a time, and gives the proof.

    Errors as `bake`; FamilyMismatch and TensorError where the two models have different layers, UsageError where they
    are equal.
    """
    mix = Mix(parts=(Part(file=str(job.tuned)),))
    with open_checkpoint(job.tuned) as tuned, open_checkpoint(job.base) as base:
        if tuned.family == base.family:
            require_layers(tuned, base)
    try:
        return bake(mix, Request(job.to, job.form, base=job.base, force=job.force), progress=progress)
    except UsageError:
        _refuse_equal(job)
        raise


def _refuse_equal(job: Extraction) -> None:
    with open_finetune(job.tuned, job.base) as found:
        if any(bool(delta.dense().any()) for _, delta in found.deltas()):
            return
    told = f"the two models are equal: {job.tuned.name} changes no layer of {job.base.name}."
    raise UsageError(told, hint="Is this the right base?")


def suspicious(tuned: Path, base: Path) -> list[str]:
    """Why the base looks like the wrong one: parts that training a concept leaves alone differ beyond rounding."""
    with open_checkpoint(tuned) as first, open_checkpoint(base) as second:
        sampled = _sampled(first, second)
        moved = [name for name in sampled if _differs(first, second, name)]
    if not moved:
        return []
    told = f"{len(moved)} of {len(sampled)} sampled layers of the picture decoder differ (first: {moved[0]})"
    return [f"{told}: {base.name} may not be the base of {tuned.name}, or another VAE was put in."]


def _sampled(first: Checkpoint, second: Checkpoint) -> list[str]:
    names = [name for name in first.sources if name.startswith(UNTRAINED) and name in second.sources]
    weights = [name for name in names if name.endswith(".weight")]
    return weights[:: max(1, len(weights) // SAMPLES)][:SAMPLES]


def _differs(first: Checkpoint, second: Checkpoint, name: str) -> bool:
    one, other = first.load(name), second.load(name)
    return one.shape != other.shape or bool((one - other).norm() > ROUNDING * torch.linalg.vector_norm(other))
