"""When to stop a comparison, and what may then be said: looks for a claim, evidence for the live view, and budgets."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import StrEnum
from math import ceil, exp, inf, lgamma, log
from typing import final

import numpy as np

from eleven.errors import UsageError
from eleven.studies.differences import Difference, Values, compare, of_pairs
from eleven.studies.intervals import Interval, Mean

LOOKS, MARGIN, ERROR_RATE = 5, 0.05, 0.05
FINAL = (1.960, 1.977, 2.004, 2.024, 2.040, 2.053, 2.063, 2.072, 2.080, 2.087)
"""O'Brien and Fleming's boundary at the last of 1 to 10 looks, 5 % in all (Jennison and Turnbull 2000, table 2.3)."""

PROMPT, PROMPT_BY_ARM = 0.5, 0.35
"""How far prompts lie apart, for all arms alike and for one against another, in units of the spread over seeds."""


@final
class Verdict(StrEnum):
    """What may be said of the first arm against the second."""

    CONFIRMED = "confirmed"
    NO_DIFFERENCE = "no practical difference"
    WORSE = "worse"
    UNVERIFIED = "unverified"


def boundaries(looks: int = LOOKS, of: int = 1) -> tuple[float, ...]:
    """The size of z that ends a comparison at each of equally spaced looks (O'Brien and Fleming 1979).

    `of` is among how many arms the first was chosen by the same shots: as if each of them had been compared.
    """
    if not 1 <= looks <= len(FINAL):
        raise UsageError(f"{looks} looks are not planned for.", hint=f"Choose 1 to {len(FINAL)}.")
    last = FINAL[looks - 1] * z_of(ERROR_RATE / of) / z_of(ERROR_RATE)
    return tuple(last * (looks / look) ** 0.5 for look in range(1, looks + 1))


def look_sizes(shots: int, looks: int = LOOKS) -> tuple[int, ...]:
    """How many of the shots are there at each look, the last being all."""
    return tuple(ceil(shots * look / looks) for look in range(1, looks + 1))


def judge(
    difference: Difference, look: int, looks: int = LOOKS, margin: float = MARGIN, *, of: int = 1
) -> Verdict | None:
    """The verdict at one of the looks, counted from 1; None is to go on. `of` is as for `boundaries`.

    `margin` is the difference that makes none in practice: 0.05 are five points of a hit-rate. The z of a look is that
    with the p-value of t over prompts, so that few prompts need more evidence; with too few to tell of others, only
    the last look ends a comparison.
    """
    limit = boundaries(looks, of)[look - 1]
    if difference.this_prompt_only and look < looks:
        return None
    reached = z_of(difference.p_value)
    if reached >= limit and difference.mean.estimate:
        return Verdict.CONFIRMED if difference.mean.estimate > 0 else Verdict.WORSE
    bounds = at_boundary(difference.mean, limit)
    if -margin < bounds.low and bounds.high < margin:
        return Verdict.NO_DIFFERENCE
    return Verdict.UNVERIFIED if look == looks else None


def z_of(p_value: float) -> float:
    """The size of z with that two-sided p-value."""
    from scipy.special import ndtri

    return float(-ndtri(p_value / 2)) if p_value else inf


def at_boundary(mean: Mean, limit: float) -> Interval:
    """The interval that holds the truth at every look at once: what the boundary would not refuse."""
    from scipy.special import ndtr

    return mean.interval(level=float(2 * ndtr(limit) - 1))


def e_value(wins: float, losses: float) -> float:
    """How much a bettor on unequal odds has made of 1 by now; above 20, 5 % are not exceeded however often one looks.

    The likelihood of wins and losses under a uniform prior against equal odds (Ville 1939; Robbins 1970,
    doi:10.1214/aoms/1177696786).
    """
    total = wins + losses
    evidence = lgamma(1 + wins) + lgamma(1 + losses) - lgamma(2 + total) + total * log(2)
    return exp(min(evidence, 700.0))


def live_evidence(first: Values, second: Values, prompts: Sequence[Hashable]) -> float:
    """The bettor's gain on the wins and losses so far, each counted for as much as it tells of other prompts.

    Counts are divided by the design effect: how much wider t over prompts is than the interval of independent pairs,
    squared. For the live view, where rounds of one seed of every prompt follow each other; claims are for `judge`.
    """
    difference = compare(first > second, first < second, prompts, draws=0)
    wins, losses, mean = difference.wins, difference.losses, difference.mean
    alone = of_pairs(wins, losses, len(prompts))
    effect = (half_width(mean) / half_width(alone)) ** 2
    return e_value(wins / effect, losses / effect)


def half_width(mean: Mean) -> float:
    """Half of the 95 % interval."""
    return mean.interval().high - mean.estimate


def needed_pairs(rate: float, other: float, *, correlation: float = 0.5, power: float = 0.8, seeds: int = 1) -> int:
    """How many pairs show the difference of two hit-rates at 5 % with that power.

    `correlation` is that of the latent likeness in a pair. With more than one of the `seeds` to a prompt, pairs of a
    prompt tell less, as the assumed spread of prompts says. Connor 1987, doi:10.2307/2531961.
    """
    from scipy.special import ndtri

    if not (0 < rate < 1 and 0 < other < 1 and rate != other):
        raise UsageError(f"No number of pairs tells {rate} from {other}.", hint="Give two rates between 0 and 1.")
    heights = float(ndtri(rate)), float(ndtri(other))
    apart = abs(rate - other)
    discordant = rate + other - 2 * both(*heights, correlation)
    start, goal = -float(ndtri(ERROR_RATE / 2)), float(ndtri(power))
    pairs = (start * discordant**0.5 + goal * (discordant - apart**2) ** 0.5) ** 2 / apart**2
    return ceil(pairs * (1 + (seeds - 1) * alike_in_a_prompt(heights, discordant - apart**2)))


def alike_in_a_prompt(heights: tuple[float, float], variance: float) -> float:
    """The correlation of two paired differences of one prompt."""
    total = 1 + PROMPT**2 + PROMPT_BY_ARM**2
    same, across = (PROMPT**2 + PROMPT_BY_ARM**2) / total, PROMPT**2 / total
    first, second = heights
    shared = both(first, first, same) + both(second, second, same) - 2 * both(first, second, across)
    apart = both(first, first, 0) + both(second, second, 0) - 2 * both(first, second, 0)
    return (shared - apart) / variance


def both(first: float, second: float, correlation: float) -> float:
    """The chance that two standard normals lie below two heights.

    Sheppard 1900's integral of the density over the correlation, by Gauss and Legendre.
    """
    from scipy.special import ndtr

    nodes, weights = np.polynomial.legendre.leggauss(40)
    at = correlation * (nodes + 1) / 2
    density = np.exp(-(first**2 - 2 * at * first * second + second**2) / (2 * (1 - at**2))) / np.sqrt(1 - at**2)
    return float(ndtr(first) * ndtr(second) + correlation / 2 * (weights @ density) / (2 * np.pi))
