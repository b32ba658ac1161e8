"""How sure a rate or a mean is: Wilson's interval, and t intervals whose unit is the prompt."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.errors import UsageError

LEVEL = 0.95
"""The share of intervals that hold the truth."""


@final
@dataclass(frozen=True)
class Interval:
    """An estimate, and the bounds between which the truth lies as often as the level says."""

    estimate: float
    low: float
    high: float


@final
@dataclass(frozen=True)
class Mean:
    """A mean with its standard error, and the degrees of freedom that the error was found with."""

    estimate: float
    error: float
    freedom: float

    def interval(self, level: float = LEVEL) -> Interval:
        """The t interval of the level."""
        half = t_quantile(level, self.freedom) * self.error
        return Interval(self.estimate, self.estimate - half, self.estimate + half)


def t_quantile(level: float, freedom: float) -> float:
    """How many standard errors the two-sided interval of the level reaches; the normal's for infinite freedom."""
    from scipy.special import ndtri, stdtrit

    upper = (1 + level) / 2
    return float(ndtri(upper) if np.isinf(freedom) else stdtrit(freedom, upper))


def mean_over_prompts(values: NDArray[np.float64] | NDArray[np.bool_], prompts: Sequence[Hashable]) -> Mean:
    """The mean of all shots, with the error of a sample of prompts; where there is one prompt, of its shots.

    Prompts of unequal numbers of shots count by their shots: the linearised error of a ratio of two sums over
    clusters (Cochran 1977, Sampling Techniques, section 9A). UsageError for fewer than two shots.
    """
    group, count = grouped(values, prompts)
    if len(values) < 2:
        raise UsageError("One shot tells nothing of its error.", hint="Two or more shots do.")
    if count == 1:
        group, count = np.arange(len(values)), len(values)
    data = np.asarray(values, np.float64)
    centre = float(data.mean())
    sums = np.bincount(group, data - centre, count)
    error = float(np.sqrt(count / (count - 1) * (sums**2).sum())) / len(data)
    return Mean(centre, error, count - 1)


def grouped(
    values: NDArray[np.float64] | NDArray[np.bool_], prompts: Sequence[Hashable]
) -> tuple[NDArray[np.intp], int]:
    """The number of each shot's prompt in order of first appearance, and how many prompts there are."""
    if len(values) != len(prompts) or not len(values):
        raise UsageError(f"{len(values)} values for the prompts of {len(prompts)} shots.", hint="Give one for each.")
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    return np.fromiter(map(numbers.__getitem__, prompts), np.intp, len(prompts)), len(numbers)


def wilson(hits: int, shots: int, level: float = LEVEL) -> Interval:
    """The hit-rate with Wilson's interval, as if each shot were of a prompt of its own.

    Wilson 1927, doi:10.1080/01621459.1927.10502953. UsageError unless 0 <= hits <= shots and shots > 0.
    """
    if not 0 <= hits <= shots or not shots:
        raise UsageError(f"{hits} hits of {shots} shots are no rate.", hint="Hits are some of one or more shots.")
    return score_interval(hits / shots, shots, t_quantile(level, np.inf))


def hit_rate(hits: NDArray[np.bool_], prompts: Sequence[Hashable], level: float = LEVEL) -> Interval:
    """The hit-rate with Wilson's interval for as many shots as the spread over prompts leaves; one prompt: for all.

    The effective number of shots and the t quantile are those of survey samples: Franco, Little, Louis and Slud 2019,
    doi:10.1093/jssam/smy019.
    """
    _, count = grouped(hits, prompts)
    if count == 1:
        return wilson(int(hits.sum()), len(hits), level)
    mean = mean_over_prompts(hits, prompts)
    spread = mean.estimate * (1 - mean.estimate)
    shots = min(len(hits), spread / mean.error**2) if mean.error else len(hits)
    return score_interval(mean.estimate, shots, t_quantile(level, mean.freedom))


def score_interval(rate: float, shots: float, quantile: float) -> Interval:
    """Wilson's interval for a rate of that many shots, which need not be whole."""
    shrunk = quantile**2 / shots
    centre = (rate + shrunk / 2) / (1 + shrunk)
    half = quantile * np.sqrt(rate * (1 - rate) / shots + shrunk / (4 * shots)) / (1 + shrunk)
    return Interval(rate, max(0.0, float(centre - half)), min(1.0, float(centre + half)))
