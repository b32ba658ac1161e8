"""`landscape`: the likeness that pictures lead one to expect over totals and shares, where two models are mixed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eleven.studies.gaussian import Table, fit
from eleven.studies.measuring import Asked, Measure
from eleven.studies.space import Space, usual_total
from eleven.studies.theory import Theory

Floats = NDArray[np.float64]
TOTALS, SHARES = 24, 17


def landscape(
    space: Space, measure: Measure, asked: Sequence[Asked], knobs: Sequence[float] = ()
) -> tuple[Floats, Floats, Floats]:
    """Totals, shares of the first model, and likeness (shares, totals), by the pictures of what was asked before.

    Where the space has knobs, they stand at these values. Totals are sums of strengths, whatever they count.
    """
    rows = np.array(list(dict.fromkeys(one.strengths for one in asked)))
    total = usual_total(space, None)
    theory = Theory(space.count, len(space.knobs), total)
    process = fit(Table(space.points(rows, total), values_of(measure, asked)), theory)
    lift = space.lifts(np.array([[1.0] * space.count + list(knobs)]))[0]
    totals = np.linspace(*space.total_range, TOTALS) / lift
    shares = np.linspace(0, 1, SHARES)
    grid = np.array([(at * share, at * (1 - share), *knobs) for share in shares for at in totals])
    means, _ = process.predict(space.points(grid, total))
    return totals, shares, means.reshape(SHARES, TOTALS)


def values_of(measure: Measure, asked: Sequence[Asked]) -> Floats:
    """Likeness by mix, in the order in which each was first asked for, and by shot; NaN where there is none."""
    found: dict[tuple[float, ...], dict[int, float]] = {}
    for one, values in zip(asked, measure(asked), strict=True):
        found.setdefault(one.strengths, {}).update(zip(one.shots, values.tolist(), strict=True))
    shots = sorted({shot for row in found.values() for shot in row})
    return np.array([[row.get(shot, np.nan) for shot in shots] for row in found.values()])
