"""A Gaussian process over mixes: likeness of a mix, plus luck of the shot that all mixes share, plus luck of the pair.

Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapters 2 and 5. Shots' luck is integrated
out, so that mixes measured on the same shots are compared without it, and others as well as they can be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHAPES = tuple(
    (slope, amplitude, reach) for slope in (0.15, 0.4, 0.8) for amplitude in (0.1, 0.4) for reach in (0.5, 1.2)
)
"""How much slopes may differ and likeness may stray from bowl and slopes, in units of luck, and over which distance."""

BOWL, BOWL_SPREAD = 2.0, 1.0
"""How deep the bowl is thought to be, in units of luck, and how uncertain that is."""

EXPERTS = 5
"""How many shapes are kept."""

LEVEL = 100.0
"""The variance of the level of likeness, which nothing is known of."""

PSEUDO_PICTURES = 4.0
"""For how many pictures the prior of the spreads counts."""


@final
@dataclass(frozen=True, eq=False)
class Points:
    """Mixes as the process sees them: coordinates in which likeness is smooth, how far off the ideal theory puts each,
    and what likeness may depend on beyond that, one after the other.
    """

    coordinates: Floats
    bowl: Floats
    slopes: Floats


@final
@dataclass(frozen=True, eq=False)
class Table:
    """Likeness by mix (rows) and shot (columns); NaN where there was no picture."""

    points: Points
    values: Floats


@final
@dataclass(frozen=True, eq=False)
class Spread:
    """Variances of the luck of a pair of mix and shot, and of the luck of a shot."""

    pair: float
    shot: float


@final
@dataclass(frozen=True, eq=False)
class Expert:
    """A posterior for one choice of slope, amplitude and reach, and how much it is believed."""

    unit: float
    slope: float
    amplitude: float
    reach: float
    solved: Floats
    inner: Floats
    weight: float


@final
@dataclass(frozen=True, eq=False)
class Process:
    """What is believed of the likeness of mixes: experts that differ in smoothness, weighed by their evidence."""

    points: Points
    experts: tuple[Expert, ...]
    spread: Spread
    centre: float

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the likeness at these points, on shots of average luck."""
        means, variances = [], []
        for expert in self.experts:
            across = _kernel(points, self.points, expert)
            means.append(self.centre + expert.unit * BOWL * points.bowl + across @ expert.solved)
            inner = ((across @ expert.inner) * across).sum(1)
            variances.append(np.maximum(_alone(points, expert) - inner, 1e-12))
        weights = np.array([expert.weight for expert in self.experts])
        mean = weights @ np.array(means)
        variance = weights @ (np.array(variances) + (np.array(means) - mean) ** 2)
        return mean, np.sqrt(variance)

    def covariance(self, points: Points) -> Floats:
        """How the errors of the expected likeness go together, for each two of these points."""
        whole = np.zeros((len(points.bowl), len(points.bowl)))
        for expert in self.experts:
            across = _kernel(points, self.points, expert)
            whole += expert.weight * (_kernel(points, points, expert) - across @ expert.inner @ across.T)
        return whole


def fit(table: Table) -> Process:
    """The posterior after these pictures."""
    spread = spreads(table.values)
    centre = float(np.nanmean(table.values))
    unit = float(np.sqrt(spread.pair + spread.shot))
    information, seen = _information(table.values - centre - unit * BOWL * table.points.bowl[:, None], spread)
    root = _root(information)
    experts = [_expert(table.points, (unit, *shape), root, seen) for shape in SHAPES]
    top = max(expert.weight for expert in experts)
    weights = np.exp([expert.weight - top for expert in experts])
    weights = np.where(weights < np.sort(weights)[-EXPERTS], 0, weights)
    weights /= weights.sum()
    kept = [
        replace(expert, weight=float(weight)) for expert, weight in zip(experts, weights, strict=True) if weight > 0
    ]
    return Process(table.points, tuple(kept), spread, centre)


def spreads(values: Floats) -> Spread:
    """Variances of the luck of pairs and of shots, from what is left beside the means of mixes and shots."""
    seen = ~np.isnan(values)
    filled = np.where(seen, values, 0.0)
    rows, columns = seen.sum(1), seen.sum(0)
    mixes, shots = np.zeros(len(rows)), np.zeros(len(columns))
    for _ in range(6):
        mixes = (filled - seen * shots).sum(1) / np.maximum(rows, 1)
        shots = (filled - seen * mixes[:, None]).sum(0) / np.maximum(columns, 1)
        shots -= shots[columns > 0].mean()
    left = np.square(seen * (filled - mixes[:, None] - shots)).sum()
    free = max(seen.sum() - len(rows) - (columns > 0).sum() + 1, 0)
    total = max(float(np.var(values[seen])), 1e-6)
    pair = float((left + PSEUDO_PICTURES * total / 2) / (free + PSEUDO_PICTURES))
    used = columns > 0
    excess = np.square(shots[used]).sum() - pair * (1 / columns[used]).sum()
    shot = float((max(excess, 0.0) + PSEUDO_PICTURES * total / 2) / (used.sum() - 1 + PSEUDO_PICTURES))
    return Spread(max(pair, 1e-9), max(shot, 1e-9))


def _information(values: Floats, spread: Spread) -> tuple[Floats, Floats]:
    """What the pictures say of each mix: the precision matrix, and that times the values."""
    seen = (~np.isnan(values)).astype(float)
    filled = np.nan_to_num(values)
    shrink = spread.shot / (spread.pair + seen.sum(0) * spread.shot)
    precision = (np.diag(seen.sum(1)) - (seen * shrink) @ seen.T) / spread.pair
    return precision, (filled.sum(1) - (seen * shrink) @ filled.sum(0)) / spread.pair


def _root(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0))


def _expert(points: Points, shape: tuple[float, float, float, float], root: Floats, seen: Floats) -> Expert:
    """The posterior of one shape; its weight is the logarithm of its evidence, up to what all shapes share."""
    expert = Expert(*shape, seen, root, 0.0)
    prior = _kernel(points, points, expert)
    lower = np.linalg.cholesky(np.eye(len(seen)) + root.T @ prior @ root)
    half = np.linalg.solve(lower, root.T)
    inner = half.T @ half
    solved = seen - inner @ (prior @ seen)
    evidence = 0.5 * seen @ prior @ solved - np.log(np.diag(lower)).sum()
    return Expert(*shape, solved, inner, float(evidence))


def _kernel(first: Points, second: Points, expert: Expert) -> Floats:
    one, two = first.coordinates, second.coordinates
    far = np.square(one).sum(1)[:, None] + np.square(two).sum(1) - 2 * one @ two.T
    near = np.exp(-np.maximum(far, 0) / (2 * expert.reach**2))
    slopes = expert.slope**2 * first.slopes @ second.slopes.T
    bowl = BOWL_SPREAD**2 * first.bowl[:, None] * second.bowl
    return expert.unit**2 * (LEVEL + slopes + bowl + expert.amplitude**2 * near)


def _alone(points: Points, expert: Expert) -> Floats:
    """The diagonal of the kernel."""
    varied = expert.slope**2 * np.square(points.slopes).sum(1) + BOWL_SPREAD**2 * points.bowl**2
    return expert.unit**2 * (LEVEL + varied + expert.amplitude**2)
