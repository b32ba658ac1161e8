"""How many pictures a search saves that begins at the predicted total, and writes the table into docs/search.md.

Run it as `python tools/compare_starts.py --worlds 80`. In each simulated world the same search is run from the
prediction and from the preset; counted are the pictures until what it would hand over is, on average over worlds and
from then on, as good as 95 % of what the search from the prediction ends with.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eleven.studies.searching import Beginning, search
from eleven.studies.space import Space
from eleven.studies.worlds import World, world

PAGE = Path(__file__).parents[1] / "docs" / "search.md"
BEGIN, END = "<!-- starts: begin -->\n", "<!-- starts: end -->"
COUNTS, FIRST, BUDGET, SHARE = (2, 3, 4), 52_000, 100, 0.95
Floats = NDArray[np.float64]


def main() -> None:
    """Prints the table and writes it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=80)
    asked = parser.parse_args()
    told = f"Pictures of {BUDGET} until {SHARE:.0%} of the final hit rate is reached, means over {asked.worlds} worlds."
    rows = [row(count, [world(count, FIRST + seed) for seed in range(asked.worlds)]) for count in COUNTS]
    head = "| models | from the prediction | from the preset | saved |\n|---|---|---|---|"
    page = PAGE.read_text("utf-8")
    before, rest = page.split(BEGIN)
    PAGE.write_text("".join([before, BEGIN, "\n".join([told, "", head, *rows, ""]), END, rest.split(END)[1]]), "utf-8")


def row(count: int, worlds: Sequence[World]) -> str:
    """One number of models."""
    told = mean([curve(there, Beginning(there.predicted_total)) for there in worlds])
    untold = mean([curve(there, Beginning()) for there in worlds])
    goal = SHARE * told[-1]
    with_it, without = pictures(told, goal), pictures(untold, goal)
    line = f"| {count} | {with_it} | {without} | {100 * (1 - with_it / without):.0f} % |"
    print(line, flush=True)
    return line


def curve(there: World, known: Beginning) -> Floats:
    """The true hit rate of what would be handed over after each picture; 0 before the first advice."""
    rates = np.zeros(BUDGET + 1)
    for step in search(Space(tuple("abcdef"[: there.count])), there.measure, BUDGET, there.seed, known):
        rates[step.used :] = there.hit_rate(np.array(step.best))
    return rates


def mean(curves: Sequence[Floats]) -> Floats:
    """Over worlds."""
    return np.mean(curves, axis=0)


def pictures(rates: Floats, goal: float) -> int:
    """The first number of pictures from which on the goal is reached."""
    missed = np.flatnonzero(rates < goal)
    return int(missed[-1]) + 1 if len(missed) else 0


if __name__ == "__main__":
    main()
