"""What is believed of likeness: of a mix, plus luck of the shot that all mixes share, plus luck of the pair.

What a mix gives is theory (`theory.py`) with its parameters at their most probable values, plus a Gaussian process of
what theory misses. Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapters 2, 3.4 (Laplace)
and 5. Shots' luck is integrated out, so that mixes measured on the same shots are compared without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.studies.theory import Theory

Floats = NDArray[np.float64]

SHAPES = ((1.0, 0.03, 1.2), (1.5, 0.15, 1.2), (2.0, 0.4, 0.6), (2.0, 1.5, 0.5))
"""How much theory's beliefs are doubted, by how many units of luck it may be wrong, and over which distance."""

BELIEFS = (0.88, 0.07, 0.03, 0.02)
"""How much each of these shapes is believed before any picture."""

NEGLIGIBLE = 0.01
"""Experts believed less than this, beside the most believed one, are left out."""

ITERATIONS, HALVINGS, SETTLED = 10, 4, 0.01
"""Steps to the most probable parameters, how often one is halved, and a gain that is too small for another."""

PSEUDO_PICTURES = 4.0
"""For how many pictures the prior of the spreads counts."""


@final
@dataclass(frozen=True, eq=False)
class Points:
    """Mixes as they are believed in: coordinates in which likeness is smooth; what counts of strengths; knobs."""

    coordinates: Floats
    mixes: Floats


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
class Pictures:
    """What pictures say of their mixes, in units of luck: a precision matrix, its root, and it times the values."""

    points: Points
    root: Floats
    seen: Floats


@final
@dataclass(frozen=True, eq=False)
class Expert:
    """A posterior for one choice of doubt, amplitude and reach, and how much it is believed."""

    theory: Theory
    shape: tuple[float, float]
    mode: Floats
    slopes: Floats
    solved: Floats
    inner: Floats
    weight: float


@final
@dataclass(frozen=True, eq=False)
class Process:
    """What is believed of the likeness of mixes: experts, weighed by their evidence."""

    points: Points
    experts: tuple[Expert, ...]
    spread: Spread
    centre: float

    @property
    def unit(self) -> float:
        """The standard deviation of a picture's luck."""
        return float(np.sqrt(self.spread.pair + self.spread.shot))

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the likeness at these points, on shots of average luck."""
        means, variances = [], []
        for expert in self.experts:
            strayed = _near(points, self.points, *expert.shape)
            slopes = expert.theory.slopes(expert.mode, points.mixes)
            across = slopes @ expert.slopes.T + strayed
            means.append(expert.theory.likeness(expert.mode, points.mixes) + strayed @ expert.solved)
            alone = np.square(slopes).sum(1) + expert.shape[0] ** 2
            variances.append(np.maximum(alone - ((across @ expert.inner) * across).sum(1), 1e-12))
        weights = np.array([expert.weight for expert in self.experts])
        mean = weights @ np.array(means)
        variance = weights @ (np.array(variances) + (np.array(means) - mean) ** 2)
        return self.centre + self.unit * mean, self.unit * np.sqrt(variance)

    def covariance(self, points: Points) -> Floats:
        """How the errors of the expected likeness go together, for each two of these points."""
        whole = np.zeros((len(points.mixes), len(points.mixes)))
        for expert in self.experts:
            slopes = expert.theory.slopes(expert.mode, points.mixes)
            across = slopes @ expert.slopes.T + _near(points, self.points, *expert.shape)
            alone = slopes @ slopes.T + _near(points, points, *expert.shape)
            whole += expert.weight * (alone - across @ expert.inner @ across.T)
        return self.unit**2 * whole


def fit(table: Table, theory: Theory) -> Process:
    """The posterior after these pictures."""
    spread = spreads(table.values)
    centre, variance = float(np.nanmean(table.values)), spread.pair + spread.shot
    relative = Spread(spread.pair / variance, spread.shot / variance)
    precision, seen = _information((table.values - centre) / np.sqrt(variance), relative)
    pictures = Pictures(table.points, _root(precision), seen)
    experts = [
        _expert(pictures, replace(theory, doubt=doubt), (amplitude, reach)) for doubt, amplitude, reach in SHAPES
    ]
    told = np.array([expert.weight for expert in experts]) + np.log(BELIEFS)
    weights = np.exp(told - told.max())
    weights = np.where(weights < NEGLIGIBLE, 0, weights)
    weights /= weights.sum()
    kept = [replace(one, weight=float(weight)) for one, weight in zip(experts, weights, strict=True) if weight > 0]
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


def _expert(pictures: Pictures, theory: Theory, shape: tuple[float, float]) -> Expert:
    """The posterior of one shape; its weight is the logarithm of its evidence, up to what all shapes share."""
    prior, root = _near(pictures.points, pictures.points, *shape), pictures.root
    lower = np.linalg.cholesky(np.eye(len(root)) + root.T @ prior @ root)
    half = np.linalg.solve(lower, root.T)
    precision = half.T @ half
    seen = pictures.seen - precision @ (prior @ pictures.seen)
    mode, height = _mode(theory, pictures.points.mixes, precision, seen)
    slopes = theory.slopes(mode, pictures.points.mixes)
    told = precision @ slopes
    hessian = np.eye(len(mode)) + slopes.T @ told
    inner = precision - told @ np.linalg.solve(hessian, told.T)
    evidence = height + 0.5 * pictures.seen @ prior @ seen - np.log(np.diag(lower)).sum()
    weight = float(evidence - 0.5 * np.linalg.slogdet(hessian)[1])
    solved = seen - precision @ theory.likeness(mode, pictures.points.mixes)
    return Expert(theory, shape, mode, slopes, solved, inner, weight)


def _mode(theory: Theory, mixes: Floats, precision: Floats, seen: Floats) -> tuple[Floats, float]:
    """The most probable parameters by damped Gauss-Newton steps, and the logarithm of how probable they are."""

    def height(parameters: Floats) -> float:
        likeness = theory.likeness(parameters, mixes)
        return float(likeness @ seen - 0.5 * likeness @ precision @ likeness - 0.5 * parameters @ parameters)

    best = np.zeros(theory.parameters)
    reached = height(best)
    for _ in range(ITERATIONS):
        slopes = theory.slopes(best, mixes)
        left = seen - precision @ theory.likeness(best, mixes)
        hessian = np.eye(len(best)) + slopes.T @ precision @ slopes
        step = np.linalg.solve(hessian, slopes.T @ left - best)
        tried = (best + step * 0.5**halving for halving in range(HALVINGS))
        higher = next((one for one in tried if height(one) > reached + SETTLED), None)
        if higher is None:
            break
        best, reached = higher, height(higher)
    return best, reached


def _near(first: Points, second: Points, amplitude: float, reach: float) -> Floats:
    """How what theory misses goes together."""
    one, two = first.coordinates, second.coordinates
    far = np.square(one).sum(1)[:, None] + np.square(two).sum(1) - 2 * one @ two.T
    return amplitude**2 * np.exp(-np.maximum(far, 0) / (2 * reach**2))
