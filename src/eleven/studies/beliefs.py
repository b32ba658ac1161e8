"""`Beliefs`: what the pictures so far say of any mix, how often it is perfect, and where a picture tells most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.studies.edge import Edge, find_edge
from eleven.studies.gaussian import Process, Table, fit
from eleven.studies.space import Space
from eleven.studies.theory import Theory

Floats = NDArray[np.float64]

HOPEFUL = 60
"""How many mixes the best may be among."""


@final
@dataclass(frozen=True, eq=False)
class Beliefs:
    """Likeness of whole pictures, and how many are ruined."""

    space: Space
    total: float
    process: Process
    edge: Edge

    def likeness(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of what is believed of each row's likeness."""
        return self.process.predict(self.space.points(rows, self.total))

    def covariance(self, rows: Floats) -> Floats:
        """How the errors of that go together, for each two of the rows."""
        return self.process.covariance(self.space.points(rows, self.total))

    def ruined(self, rows: Floats) -> Floats:
        """The expected share of ruined pictures of each row."""
        return self.edge.ruined(rows[:, : self.space.count])

    def log_hits(self, rows: Floats, hope: float = 0.0) -> Floats:
        """The logarithm of each row's expected share of perfect pictures: those whole, and with a likeness above 0.

        With `hope`, as if likeness were so many standard deviations higher, less what is uncertain of all rows alike.
        """
        from scipy.special import log_ndtr

        means, errors = self.likeness(rows)
        means = means + hope * np.sqrt(np.maximum(errors**2 - errors.min() ** 2, 0))
        return log_ndtr(means / np.hypot(self.process.unit, errors)) + np.log1p(-self.ruined(rows))

    def highest(self, rows: Floats) -> Floats:
        """The row that is thought to be perfect most often."""
        return rows[int(self.log_hits(rows).argmax())]


def form(space: Space, total: float, rows: Floats, values: Floats, counts: tuple[Floats, Floats]) -> Beliefs:
    """After pictures of these rows: their likeness by shot, and how many are whole and lost; `total` is the usual."""
    process = fit(Table(space.points(rows, total), values), Theory(space.count, len(space.knobs), total))
    usual = np.full(space.count, total / space.count)
    return Beliefs(space, total, process, find_edge(usual, rows[:, : space.count], *counts))


def most_telling(beliefs: Beliefs, rows: Floats, count: int, shots: int) -> list[int]:
    """Which rows, measured together on so many fresh shots, tell most about which of the hopeful ones is the best.

    That is by how much the variances of those, less what is common to them, come down once the row is known; a ruined
    picture tells nothing.
    """
    hopeful = np.argsort(-beliefs.log_hits(rows, hope=1.0), kind="stable")[:HOPEFUL]
    whole_share, spread = 1 - beliefs.ruined(rows), beliefs.process.spread
    noise, whole = spread.pair / shots, beliefs.covariance(rows) + spread.shot / shots
    picked: list[int] = []
    for _ in range(count):
        told = whole[hopeful] - whole[hopeful].mean(0)
        best = int((whole_share * np.square(told).sum(0) / (np.diag(whole) + noise)).argmax())
        picked.append(best)
        whole = whole - np.outer(whole[:, best], whole[best]) / (whole[best, best] + noise)
    return list(dict.fromkeys(picked))
