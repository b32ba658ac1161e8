"""`Theory`: how likeness should depend on strengths, with what is unknown of models as parameters to be learned.

What a model has learned is a part that all models of the person share and a part of its own. A mix is short of the
person by what is missing of the shared part, and off by the own parts that remain; both count by their squares:
`-depth · ((goal - Σ shared_i·w_i)² + Σ own_i·own_j·cosine_ij·w_i·w_j)`. Equal models are best at the usual total.
Each parameter is a standard normal before any picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL_SPREAD = 10.0
"""How uncertain the level of likeness is, in units of luck: nothing is known of it."""

DEPTH, DEPTH_SPREAD = 1.8, 0.8
"""How much likeness an error of one costs, in units of luck, and how uncertain its logarithm is."""

GOAL_SPREAD = 0.12
"""How uncertain the logarithm of the usual total is."""

OWN = 0.44
"""The square of what a model has of its own, over that of what it shares: predictions with a cosine of 0.7."""

SCALE_SPREAD, SHARED_SPREAD, OWN_SPREAD = 0.15, 0.12, 0.32
"""How models differ, in logarithms: in the size of all that they learned, in the shared part, in their own part."""

COSINE_SPREAD = 0.29
"""How much two models' own parts may agree or cancel."""

KNOB_SPREAD = 0.4
"""How far from its expected value a knob may be best."""

FARTHEST = 3.0
"""No logarithm goes beyond this."""


class _Told(NamedTuple):
    """What parameters say of the models: numbers, then one place for each model, each two models and each knob."""

    level: float
    depth: float
    goal: float
    shared: Floats
    own: Floats
    cosines: Floats
    knobs: Floats


@final
@dataclass(frozen=True)
class Theory:
    """So many models and knobs, best at about this total; `doubt` widens all that is believed of models and total."""

    models: int
    knobs: int
    total: float
    doubt: float = 1.0

    @property
    def parameters(self) -> int:
        """How many there are."""
        return 3 + 3 * self.models + self.models * (self.models - 1) // 2 + self.knobs

    def likeness(self, parameters: Floats, mixes: Floats) -> Floats:
        """In units of luck, of rows of strengths followed by knobs, each knob less its expected value."""
        told = self._told(parameters)
        short, _, _, squares = self._errors(told, mixes)
        return told.level - told.depth * (short**2 + squares)

    def slopes(self, parameters: Floats, mixes: Floats) -> Floats:
        """How the likeness of each mix (rows) changes with each parameter (columns)."""
        told = self._told(parameters)
        short, owned, others, squares = self._errors(told, mixes)
        strengths, knobs = mixes[:, : self.models], mixes[:, self.models :]
        first, second = _pairs(self.models)
        held = short[:, None] * strengths * told.shared
        off = owned * others
        inner = np.column_stack(
            [
                -DEPTH_SPREAD * (short**2 + squares),
                -2 * self.doubt * GOAL_SPREAD * told.goal * short,
                2 * self.doubt * SCALE_SPREAD * (held - off),
                2 * self.doubt * SHARED_SPREAD * held,
                -2 * self.doubt * OWN_SPREAD * off,
                -2 * self.doubt * COSINE_SPREAD * owned[:, first] * owned[:, second],
                2 * KNOB_SPREAD * (knobs - told.knobs),
            ]
        )
        return np.hstack([np.full((len(mixes), 1), LEVEL_SPREAD), told.depth * inner])

    def _told(self, parameters: Floats) -> _Told:
        models, doubt = self.models, self.doubt
        level, depth, goal = parameters[:3]
        scale, shared, own = parameters[3 : 3 + 3 * models].reshape(3, models)
        rest = parameters[3 + 3 * models :]
        pairs = len(rest) - self.knobs
        return _Told(
            LEVEL_SPREAD * level,
            DEPTH * float(_power(DEPTH_SPREAD * depth)),
            self.total * (1 + OWN / models) * float(_power(doubt * GOAL_SPREAD * goal)),
            _power(doubt * (SCALE_SPREAD * scale + SHARED_SPREAD * shared)),
            np.sqrt(OWN) * _power(doubt * (SCALE_SPREAD * scale + OWN_SPREAD * own)),
            doubt * COSINE_SPREAD * rest[:pairs],
            KNOB_SPREAD * rest[pairs:],
        )

    def _errors(self, told: _Told, mixes: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """What is missing; each model's own part, and how far all go its way; the squares of own parts and knobs."""
        strengths, knobs = mixes[:, : self.models], mixes[:, self.models :]
        agreement = np.zeros((self.models, self.models))
        agreement[_pairs(self.models)] = told.cosines
        owned = strengths * told.own
        others = owned + owned @ (agreement + agreement.T)
        squares = (owned * others).sum(1) + np.square(knobs - told.knobs).sum(1)
        return told.goal - strengths @ told.shared, owned, others, squares


@cache
def _pairs(models: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first, second = np.triu_indices(models, 1)
    return first, second


def _power(logarithms: Floats) -> Floats:
    return np.exp(np.minimum(np.maximum(logarithms, -FARTHEST), FARTHEST))
