"""`Beliefs`: what the pictures so far say of any mix, how often it is perfect, and where a picture tells most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.studies.gaussian import Process, Table, fit
from eleven.studies.space import Space
from eleven.studies.theory import Theory

Floats = NDArray[np.float64]

HOPEFUL = 60
"""How many mixes the best may be among."""


@final
@dataclass(frozen=True, eq=False)
class Beliefs:
    """Likeness of pictures that are not ruined, as the process has it."""

    space: Space
    total: float
    process: Process

    def likeness(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of what is believed of each row's likeness."""
        return self.process.predict(self.space.points(rows, self.total))

    def covariance(self, rows: Floats) -> Floats:
        """How the errors of that go together, for each two of the rows."""
        return self.process.covariance(self.space.points(rows, self.total))

    def log_hits(self, rows: Floats, hope: float = 0.0) -> Floats:
        """The logarithm of each row's expected share of perfect pictures: those with a likeness above 0.

        With `hope`, as if likeness were so many standard deviations higher, less what is uncertain of all rows alike.
        """
        means, errors = self.likeness(rows)
        return self._log_hits(means + hope * np.sqrt(np.maximum(errors**2 - errors.min() ** 2, 0)), errors)

    def highest(self, rows: Floats, caution: float = 0.0) -> Floats:
        """The row that is thought to be perfect most often, each likeness taken so many standard errors lower."""
        means, errors = self.likeness(rows)
        return rows[int(self._log_hits(means - caution * errors, errors).argmax())]

    def _log_hits(self, means: Floats, errors: Floats) -> Floats:
        from scipy.special import log_ndtr

        return log_ndtr(means / np.hypot(self.process.unit, errors))


def form(space: Space, total: float, rows: Floats, values: Floats) -> Beliefs:
    """After pictures of these rows: their likeness by shot, NaN where unknown; `total` is the usual."""
    process = fit(Table(space.points(rows, total), values), Theory(space.count, len(space.knobs), total))
    return Beliefs(space, total, process)


def most_telling(beliefs: Beliefs, rows: Floats, count: int, shots: int) -> list[int]:
    """Which rows, measured together on so many fresh shots, tell most about which of the hopeful ones is the best.

    That is by how much the variances of those, less what is common to them, come down once the row is known.
    """
    hopeful = np.argsort(-beliefs.log_hits(rows, hope=1.0), kind="stable")[:HOPEFUL]
    spread = beliefs.process.spread
    noise, whole = spread.pair / shots, beliefs.covariance(rows) + spread.shot / shots
    picked: list[int] = []
    for _ in range(count):
        told = whole[hopeful] - whole[hopeful].mean(0)
        best = int((np.square(told).sum(0) / (np.diag(whole) + noise)).argmax())
        picked.append(best)
        whole = whole - np.outer(whole[:, best], whole[best]) / (whole[best, best] + noise)
    return list(dict.fromkeys(picked))
