"""How far the prediction of a mix is from the sum of what its models change one by one.

To first order a mix changes predictions by the weighted sum of what each model changes. Past some total it does not,
and its pictures fall apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray

from eleven.engines.inputs import Batch
from eleven.engines.probing import Change, Probing, changed, predictions, together
from eleven.errors import UsageError
from eleven.mix import Mix
from eleven.suggestions.models import Case
from eleven.suggestions.suggesting import Examined, conclude

if TYPE_CHECKING:
    from eleven.engines.diffusers import DiffusersEngine
    from eleven.tensors import Tensor


@final
@dataclass(frozen=True)
class Gain:
    """A mix of this total: what part of its change is no sum of its models' changes, and how much it changes.

    `non_additivity` is ‖v − v₀ − Σ wᵢΔvᵢ‖ / ‖Σ wᵢΔvᵢ‖, from 0; `gain` is ‖v − v₀‖ over the mean of ‖Δvᵢ‖, each model as
    it was given; `along` is the part of v − v₀ in the direction of v₀, over ‖v₀‖.
    """

    total: float
    non_additivity: float
    gain: float
    along: float


def additivity(
    engine: DiffusersEngine,
    mixes: Sequence[Mix],
    shares: Sequence[float],
    totals: Sequence[float],
    inputs: Sequence[Batch],
) -> tuple[Gain, ...]:
    """The gain at each total, the models at these shares of it; N + 1 + the number of totals predictions an input.

    The models are given at strength 1, or at their own best one: `gain` compares with them as they are given, and a
    share is of the strength 1 of what is given. UsageError unless there is one share ≥ 0 a model, some of them above 0.
    """
    if len(shares) != len(mixes) or min(shares, default=-1) < 0 or sum(shares) <= 0:
        told = f"shares {', '.join(f'{share:g}' for share in shares) or 'of nothing'} do not fit {len(mixes)} models."
        raise UsageError(told, hint="Give one share of 0 or more for each model.")
    weights = [[total * share / sum(shares) for share in shares] for total in totals]
    sums = np.zeros((len(totals), len(NAMES)))
    alone = np.zeros(len(mixes))
    plain = 0.0
    for _, group in groupby(changed(engine, mixes, inputs), lambda change: change.batch.band):
        changes = list(group)
        for change in changes:
            alone += change.changes.double().square().sum((1, 2)).numpy()
            plain += float(change.plain.double().square().sum())
        for row, strengths in enumerate(weights):
            whole = predictions(engine, together(mixes, strengths), [change.batch for change in changes])
            sums[row] += np.sum([_sums(*one, strengths) for one in zip(changes, whole, strict=True)], axis=0)
    return tuple(
        _gain(total, row, (float(np.sqrt(alone).mean()), plain)) for total, row in zip(totals, sums, strict=True)
    )


def concluded(case: Case, asked: Probing) -> Examined:
    """What follows from the measurements and from the base that was asked about the same models.

    The collapse meter's reading has the additivity and the gain of the suggested mix, words left out.
    """
    examined = conclude(case, asked.probe)
    named = zip(case.models, examined.suggestion.strengths, strict=True)
    strengths = [strength if model.changes else 0.0 for model, strength in named]
    if examined.reading is None or not sum(strengths):
        return examined
    found = additivity_at(asked, strengths)
    reading = examined.reading.with_predictions(additivity=found.non_additivity, gain=found.gain)
    return replace(examined, reading=reading)


def additivity_at(asked: Probing, strengths: Sequence[float]) -> Gain:
    """The gain of the probed models at these strengths, on a third of what the base was asked in each band.

    UsageError unless there is one strength ≥ 0 a model, some of them above 0.
    """
    bands = [list(group) for _, group in groupby(asked.inputs, lambda batch: batch.band)]
    some = [batch for band in bands for batch in band[: -(-len(band) // 3)]]
    return additivity(asked.engine, asked.mixes, strengths, [sum(strengths)], some)[0]


NAMES = ("rest", "linear", "moved", "along")


def _sums(change: Change, whole: Tensor, strengths: Sequence[float]) -> NDArray[np.float64]:
    """Squares of the rest, of the weighted sum and of the whole change, and the whole change times the base's."""
    plain = change.plain.double()
    moved = whole.double() - plain
    linear = torch.einsum("i,irn->rn", torch.tensor(strengths, dtype=torch.float64), change.changes.double())
    parts = (moved - linear).square(), linear.square(), moved.square(), moved * plain
    return np.array([float(part.sum()) for part in parts])


def _gain(total: float, sums: NDArray[np.float64], scale: tuple[float, float]) -> Gain:
    rest, linear, moved, along = map(float, sums)
    alone, plain = scale
    return Gain(
        total,
        (rest / linear) ** 0.5 if linear > 0 else 0.0,
        moved**0.5 / alone if alone > 0 else 0.0,
        along / plain if plain > 0 else 0.0,
    )
