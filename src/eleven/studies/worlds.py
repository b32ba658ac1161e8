"""Simulated persons whose true hit rate is known at any strengths, to try a search on thousands of pictures in seconds.

What a model has learned is a part that all models of the person share and a part of its own. A mix is short of the
person by what is missing of the shared part, and off by the own parts that remain; too large a change ruins pictures.
The spreads are those of a simulation that the numbers of two, three, four and six models were read from: they show
the order and the size of effects, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.studies.measuring import FLOOR, Asked

Floats = NDArray[np.float64]

SHOT_SPREAD, PAIR_SPREAD = 0.75, 0.6
"""How much likeness differs between shots whatever the mix, and between mixes in one shot for no reason of theirs."""

OWN_PLACES = 12
"""In how many directions models err."""

REACH = 1.45
"""How much of the shared part would be the person; more than a model has, so that totals over 1 pay."""

EDGE, EDGE_SPREAD = 1.85, 0.1
"""The size of change where half of the pictures are ruined, and how soon the other half is."""

SLOPE = 1.7
"""How much likeness an error of one costs."""

MOST = 1.2
"""No strength is over this."""


@final
@dataclass(frozen=True, eq=False)
class World:
    """A person and models of it; `measure` is what a search asks, `hit_rate` the truth that it should raise."""

    level: float
    shared: Floats
    own: Floats
    predicted_total: float
    seed: int

    @property
    def count(self) -> int:
        """How many models there are."""
        return len(self.shared)

    def likeness(self, strengths: Floats) -> Floats:
        """The expected likeness of pictures that are not ruined, of rows of strengths."""
        short = REACH - strengths @ self.shared
        off = np.square(strengths @ self.own).sum(-1)
        return self.level - SLOPE * (short**2 + off)

    def ruined(self, strengths: Floats) -> Floats:
        """The share of pictures that are ruined, of rows of strengths."""
        size = np.sqrt((strengths @ self.shared) ** 2 + np.square(strengths @ self.own).sum(-1))
        return _normal((size - EDGE) / EDGE_SPREAD)

    def hit_rate(self, strengths: Floats | Sequence[float]) -> Floats:
        """The true share of pictures that are perfect, of strengths or of rows of them."""
        rows = np.asarray(strengths, float)
        spread = np.hypot(SHOT_SPREAD, PAIR_SPREAD)
        return _normal(self.likeness(rows) / spread) * (1 - self.ruined(rows))

    def measure(self, asked: Sequence[Asked]) -> list[Floats]:
        """A likeness of each shot: with the shot's own luck, which all mixes share, and that of mix and shot."""
        return [self._likenesses(one) for one in asked]

    def _likenesses(self, asked: Asked) -> Floats:
        row = np.asarray(asked.strengths, float)
        name = np.frombuffer(row.tobytes(), np.uint32)
        luck = np.array([self._luck(number, name) for number in asked.shots]).reshape(-1, 2)
        shared = np.array([self._luck(number, name[:0])[0] for number in asked.shots])
        values = self.likeness(row) + SHOT_SPREAD * shared + PAIR_SPREAD * luck[:, 0]
        return np.where(_normal(luck[:, 1]) < self.ruined(row), FLOOR, values)

    def _luck(self, shot: int, name: NDArray[np.uint32]) -> Floats:
        return np.random.default_rng([self.seed, shot, *name.tolist()]).standard_normal(2)

    def best(self) -> tuple[Floats, float]:
        """The strengths with the highest hit rate, and that rate."""
        draw = np.random.default_rng(self.seed)
        rows = draw.dirichlet(np.ones(self.count), 2000) * draw.uniform(0.6, 1.8, (2000, 1))
        for step in np.geomspace(0.3, 0.005, 24):
            rows = np.clip(rows, 0, MOST)
            leaders = rows[np.argsort(-self.hit_rate(rows))[:20]]
            moved = leaders.repeat(30, 0) + step * draw.standard_normal((600, self.count))
            rows = np.vstack([leaders, moved])
        rows = np.clip(rows, 0, MOST)
        rates = self.hit_rate(rows)
        return rows[rates.argmax()], float(rates.max())

    def best_single(self) -> float:
        """The hit rate of the best model alone at its own best strength."""
        rows = np.linspace(0, MOST, 121)[:, None, None] * np.eye(self.count)
        return float(self.hit_rate(rows).max())


def world(count: int, seed: int) -> World:
    """A person with so many models, unlike in quality and in scale; equal seeds give equal worlds."""
    draw = np.random.default_rng([count, seed])
    scale = np.exp(0.15 * draw.standard_normal(count))
    shared = scale * np.exp(0.12 * draw.standard_normal(count))
    off = 0.66 * scale * np.exp(0.32 * draw.standard_normal(count))
    places = draw.standard_normal((count, OWN_PLACES))
    own = off[:, None] * places / np.linalg.norm(places, axis=1, keepdims=True)
    level = 0.36 + 0.15 * draw.standard_normal()
    agreement = np.mean(shared**2 / (shared**2 + off**2))
    total = REACH / (1 + (1 - agreement) / agreement / count) / np.mean(shared) * np.exp(0.1 * draw.standard_normal())
    return World(float(level), shared, own, float(total), seed)


def _normal(values: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(values))
