"""Two arms on the same shots: how much better the first is, how sure that is, and how often it wins."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.errors import UsageError
from eleven.studies.intervals import Interval, Mean, grouped, mean_over_prompts, wilson

FEW = 5
"""With fewer prompts, a difference is told of these prompts only."""

Values = NDArray[np.bool_] | NDArray[np.float64]
"""Of each shot of an arm: a hit or not, or a likeness."""


@final
@dataclass(frozen=True)
class Difference:
    """Mean of the first arm minus mean of the second, with its 95 % interval and two-sided p-value.

    The interval is of t over prompts, and Newcombe's of pairs where hits are of one prompt; `bootstrap` is a second
    one, from prompts and then seeds drawn again, None where none was drawn. Wins are shots where the first is better.
    """

    mean: Mean
    interval: Interval
    p_value: float
    wins: int
    ties: int
    losses: int
    prompts: int
    bootstrap: Interval | None

    @property
    def this_prompt_only(self) -> bool:
        """Whether there are too few prompts to say anything of others."""
        return self.prompts < FEW


def compare(
    first: Values, second: Values, prompts: Sequence[Hashable], *, draws: int = 2000, seed: int = 0
) -> Difference:
    """The difference of two arms whose values stand in the same order of shots, each with the prompt named for it.

    `draws` are those of the bootstrap, 0 for none. UsageError where the numbers of values differ or one is not finite.
    """
    if len(first) != len(second):
        raise UsageError(f"{len(first)} shots against {len(second)} are no pairs.", hint="Give both arms all shots.")
    apart = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    if not np.isfinite(apart).all():
        raise UsageError(
            "A value that is not finite cannot be compared.", hint="Give a picture without score the floor."
        )
    group, count = grouped(apart, prompts)
    wins, losses = int((apart > 0).sum()), int((apart < 0).sum())
    hits = first.dtype == np.bool_ and second.dtype == np.bool_
    if hits and count == 1:
        mean = of_pairs(wins, losses, len(apart))
        interval, p_value = newcombe(first, second), mcnemar(wins, losses)
    else:
        mean = mean_over_prompts(apart, prompts)
        if hits:
            floor = of_pairs(wins, losses, len(apart)).error
            mean = Mean(mean.estimate, max(mean.error, floor), mean.freedom)
        interval, p_value = mean.interval(), p_value_of(mean)
    again = bootstrap(apart, group, draws, seed) if draws else None
    return Difference(mean, interval, p_value, wins, len(apart) - wins - losses, losses, count, again)


def of_pairs(wins: int, losses: int, shots: int) -> Mean:
    """The difference of two hit-rates, with the error of independent pairs, which no luck of few pairs makes nought.

    Bonett and Price 2012, doi:10.3102/1076998611411915: one win and one loss more.
    """
    more, less, whole = (wins + 1) / (shots + 2), (losses + 1) / (shots + 2), shots + 2
    return Mean((wins - losses) / shots, float(np.sqrt((more + less - (more - less) ** 2) / whole)), np.inf)


def p_value_of(mean: Mean) -> float:
    """The two-sided p-value of t against no difference."""
    from scipy.special import stdtr

    if not mean.error:
        return 1.0 if not mean.estimate else 0.0
    return float(2 * stdtr(mean.freedom, -abs(mean.estimate) / mean.error))


def mcnemar(wins: int, losses: int) -> float:
    """The exact two-sided p-value of wins against losses, each as likely (McNemar 1947, doi:10.1007/BF02295996)."""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5)))


def newcombe(first: Values, second: Values) -> Interval:
    """The 95 % interval of the difference of two hit-rates on the same shots.

    Newcombe 1998, doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C, method 10.
    """
    hits, others, shots = int(first.sum()), int(second.sum()), len(first)
    one, two = wilson(hits, shots), wilson(others, shots)
    shared = correlation(int((first * second).sum()), hits, others, shots)
    down, up = one.estimate - one.low, one.high - one.estimate
    other_down, other_up = two.estimate - two.low, two.high - two.estimate
    low = np.sqrt(max(0.0, down**2 - 2 * shared * down * other_up + other_up**2))
    high = np.sqrt(max(0.0, up**2 - 2 * shared * up * other_down + other_down**2))
    middle = one.estimate - two.estimate
    return Interval(middle, middle - float(low), middle + float(high))


def correlation(both: int, hits: int, others: int, shots: int) -> float:
    """Newcombe's correlation of hits in pairs, which half a pair less brings nearer to nought where it is positive."""
    scale = hits * others * (shots - hits) * (shots - others)
    if not scale:
        return 0.0
    neither = shots - hits - others + both
    product = both * neither - (hits - both) * (others - both)
    return (max(product - shots / 2, 0.0) if product > 0 else product) / float(np.sqrt(scale))


def bootstrap(apart: NDArray[np.float64], group: NDArray[np.intp], draws: int, seed: int) -> Interval:
    """The middle 95 % of means of prompts drawn again, and of each one's shots drawn again."""
    random = np.random.default_rng(seed)
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    starts, ordered = np.cumsum(counts) - counts, apart[order]
    means = np.empty(draws)
    for number in range(draws):
        chosen = random.integers(len(counts), size=len(counts))
        repeats = counts[chosen]
        inside = random.random(repeats.sum()) * np.repeat(repeats, repeats)
        means[number] = ordered[np.repeat(starts[chosen], repeats) + inside.astype(np.intp)].mean()
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(apart.mean()), float(low), float(high))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of planned contrasts, adjusted so that one false claim among them all is as rare as one said to be.

    Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, np.float64)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted.tolist()
