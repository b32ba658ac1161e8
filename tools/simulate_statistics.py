"""Writes the table of docs/concepts/statistics.md: how often intervals and claims are right in a simulated world.

Run it as `python tools/simulate_statistics.py`; `--worlds N` is how many worlds each number comes from (default 2000).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from eleven.studies.differences import compare
from eleven.studies.intervals import Interval, hit_rate, wilson
from eleven.studies.sequential import PROMPT, PROMPT_BY_ARM, Verdict, judge, live_evidence, look_sizes

PAGE = Path(__file__).parents[1] / "docs" / "concepts" / "statistics.md"
BEGIN, END = "<!-- simulation: begin -->\n", "<!-- simulation: end -->"
LAYOUTS = ((30, 10), (60, 5), (100, 3), (10, 30))
HEAD = (
    "prompts × seeds", "difference of hit-rates", "of likeness", "by bootstrap", "hit-rate", "Wilson alone",
    "false claims", "false alarms, live", "33 % shown above 25 %", "40 % above 25 %",
)  # fmt: skip
ALARM = 20
TOTAL = float(np.sqrt(1 + PROMPT**2 + PROMPT_BY_ARM**2))

Grid = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Prompts and seeds in each, the hit-rates of two or more arms, and the correlation of their likeness in a pair."""

    prompts: int
    seeds: int
    rates: tuple[float, ...] = (0.25, 0.25)
    correlation: float = 0.5

    @property
    def names(self) -> list[int]:
        """The prompt of each shot, in rounds of one seed of every prompt."""
        return np.tile(np.arange(self.prompts), self.seeds).tolist()

    def draws(self, count: int, seed: int) -> Iterator[tuple[Grid, ...]]:
        """The latent likeness of the arms on the same shots, as many times as asked; above 0 is a hit."""
        random = np.random.default_rng(seed)
        shape = (self.seeds, self.prompts)
        for _ in range(count):
            prompt = random.normal(0, PROMPT, self.prompts)
            noise = random.normal(0, self.correlation**0.5, shape)
            arms = [
                TOTAL * ndtri(rate)
                + prompt
                + random.normal(0, PROMPT_BY_ARM, self.prompts)
                + noise
                + random.normal(0, (1 - self.correlation) ** 0.5, shape)
                for rate in self.rates
            ]
            yield tuple(arm.ravel() for arm in arms)


def coverage(world: World, count: int, seed: int = 1) -> dict[str, float]:
    """How often each 95 % interval holds the truth."""
    first, second = world.rates
    truth = {"hits": first - second, "likeness": TOTAL * float(ndtri(first) - ndtri(second)), "rate": first}
    truth["wilson"] = first
    held = dict.fromkeys(truth, 0)
    for one, two in world.draws(count, seed):
        found = {
            "hits": compare(one > 0, two > 0, world.names, draws=0).interval,
            "likeness": compare(one, two, world.names, draws=0).interval,
            "rate": hit_rate(one > 0, world.names),
            "wilson": wilson(int((one > 0).sum()), len(one)),
        }
        for name, interval in found.items():
            held[name] += holds(interval, truth[name])
    return {name: number / count for name, number in held.items()}


def bootstrap_coverage(world: World, count: int, seed: int = 2) -> float:
    """How often the bootstrap's interval holds the truth."""
    truth = world.rates[0] - world.rates[1]
    pairs = world.draws(count, seed)
    found = (
        compare(one > 0, two > 0, world.names, draws=500, seed=at).bootstrap for at, (one, two) in enumerate(pairs)
    )
    return sum(interval is not None and holds(interval, truth) for interval in found) / count


def holds(interval: Interval, truth: float) -> bool:
    """Whether the truth lies between the bounds."""
    return interval.low <= truth <= interval.high


def verdict(world: World, one: Grid, two: Grid) -> tuple[Verdict, int]:
    """What five looks end with, and after how many pairs."""
    for look, size in enumerate(look_sizes(len(one)), 1):
        found = judge(compare(one[:size] > 0, two[:size] > 0, world.names[:size], draws=0), look)
        if found is not None:
            return found, size
    raise AssertionError("the last look has a verdict")


def claims(world: World, count: int, seed: int = 3) -> tuple[dict[Verdict, float], float]:
    """The share of worlds that ends with each verdict, and the mean number of pairs."""
    ends = [verdict(world, one, two) for one, two in world.draws(count, seed)]
    shares = {kind: sum(end is kind for end, _ in ends) / count for kind in Verdict}
    return shares, sum(size for _, size in ends) / count


def led_claims(world: World, count: int, seed: int = 6) -> dict[Verdict, float]:
    """The share of worlds with each verdict where the better of two mixes is held against the better of two singles.

    Both are chosen anew at each look, by the shots that the verdict is of, as a study does.
    """
    ends = [led_verdict(world, arms) for arms in world.draws(count, seed)]
    return {kind: ends.count(kind) / count for kind in Verdict}


def led_verdict(world: World, arms: tuple[Grid, ...]) -> Verdict:
    """What five looks end with; the mixes come first."""
    for look, size in enumerate(look_sizes(len(arms[0])), 1):
        hits = [arm[:size] > 0 for arm in arms]
        leader, rival = (max(pair, key=lambda one: one.sum()) for pair in (hits[:2], hits[2:]))
        found = judge(compare(leader, rival, world.names[:size], draws=0), look, of=2)
        if found is not None:
            return found
    raise AssertionError("the last look has a verdict")


def alarms(world: World, count: int, seed: int = 4) -> float:
    """How often the evidence of the live view passes 20, looked at after every round."""
    rounds = range(world.prompts, world.prompts * world.seeds + 1, world.prompts)
    return (
        sum(
            any(live_evidence(one[:size] > 0, two[:size] > 0, world.names[:size]) >= ALARM for size in rounds)
            for one, two in world.draws(count, seed)
        )
        / count
    )


def row(layout: tuple[int, int], count: int) -> str:
    """One line of the table."""
    covered = coverage(World(*layout, (0.33, 0.25)), count)
    null, _ = claims(World(*layout), count)
    shown = [claims(World(*layout, (rate, 0.25)), count // 4)[0][Verdict.CONFIRMED] for rate in (0.33, 0.40)]
    shares = [covered["hits"], covered["likeness"], bootstrap_coverage(World(*layout, (0.33, 0.25)), count // 4)]
    shares += [covered["rate"], covered["wilson"], null[Verdict.CONFIRMED] + null[Verdict.WORSE]]
    shares += [alarms(World(*layout), count), *shown]
    return f"| {layout[0]} × {layout[1]} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |"


def main() -> None:
    """Simulates every layout and writes the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000)
    count = parser.parse_args().worlds
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for layout in LAYOUTS:
        lines.append(row(layout, count))
        print(lines[-1], flush=True)
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
