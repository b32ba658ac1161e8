"""Compares ways to find strengths in simulated worlds, and writes the table into docs/search.md.

Run it as `python tools/compare_searches.py --worlds 80`; it needs optuna, which Eleven does not. `--counts 6` writes
one row alone.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import optuna

from eleven.mix import preset
from eleven.studies.measuring import Asked
from eleven.studies.searching import Beginning, search
from eleven.studies.space import Space
from eleven.studies.worlds import World, world

PAGE = Path(__file__).parents[1] / "docs" / "search.md"
COUNTS, BUDGETS, SHOTS, FIRST = (2, 3, 4, 6), (100,), 8, 70_000
Way = Callable[[World, int], np.ndarray]


def main() -> None:
    """Prints the table and writes it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=80)
    parser.add_argument(
        "--counts", type=int, nargs="+", default=COUNTS, help="numbers of models; others stay as written"
    )
    parser.add_argument("--first", type=int, default=FIRST, help="seed of the first world")
    parser.add_argument("--dry-run", action="store_true", help="print only")
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for count in asked.counts:
        told = row(count, [world(count, asked.first + seed) for seed in range(asked.worlds)])
        if not asked.dry_run:
            write(told, heading(asked.worlds))


def write(told: str, head: str) -> None:
    """Puts one row into the page's table; rows of other counts stay, if they are of the same table."""
    page = PAGE.read_text("utf-8")
    begin, end = "<!-- searches: begin -->\n", "<!-- searches: end -->"
    table = page[page.index(begin) + len(begin) : page.index(end)]
    kept = re.findall(r"^\| \d.*", table, flags=re.M) if table.startswith(head) else []
    rows = {int(one.split("|")[1]): one for one in [*kept, told]}
    text = "\n".join([head, *(rows[number] for number in sorted(rows))])
    PAGE.write_text(page.replace(table, f"{text}\n"), encoding="utf-8")


def heading(worlds: int) -> str:
    """The head of the table."""
    budgets = " / ".join(map(str, BUDGETS))
    names = ["models", "best single", "preset", "best there is", *(f"{name}, {budgets}" for name in WAYS)]
    told = f"Means over {worlds} worlds; first hit rates, then percent of the best there is, with standard errors."
    return "\n".join([told, "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"])


def row(count: int, worlds: list[World]) -> str:
    """One number of models: hit rates, and what each way reaches with each budget."""
    bests = np.array([there.best()[1] for there in worlds])
    single = np.mean([there.best_single() for there in worlds])
    usual = np.mean([there.hit_rate(preset(count)) for there in worlds])
    cells = [f"{100 * rate:.1f}" for rate in (single, usual, bests.mean())]
    for way in WAYS.values():
        reached = [np.array([there.hit_rate(way(there, budget)) for there in worlds]) for budget in BUDGETS]
        cells.append(" / ".join(share(rates, bests) for rates in reached))
    told = f"| {count} | {' | '.join(cells)} |"
    print(told, flush=True)
    return told


def share(rates: np.ndarray, bests: np.ndarray) -> str:
    """Percent of the best there is, with the standard error."""
    reached = rates.mean() / bests.mean()
    error = (rates - reached * bests).std(ddof=1) / np.sqrt(len(rates)) / bests.mean()
    return f"{100 * reached:.1f} ± {100 * error:.1f}"


def ours(there: World, budget: int) -> np.ndarray:
    """What `search` finds."""
    begun = Beginning(there.predicted_total)
    *_, last = search(Space(tuple("abcdef"[: there.count])), there.measure, budget, there.seed, begun)
    return np.array(last.best)


def at_random(there: World, budget: int) -> np.ndarray:
    """The luckiest of random mixes, eight pictures each."""
    draw = np.random.default_rng(there.seed)
    space = Space(tuple("abcdef"[: there.count]))
    shares = draw.dirichlet(np.ones(there.count), budget // SHOTS)
    return luckiest(there, space.clip(shares * draw.uniform(*space.total_range, (budget // SHOTS, 1))))


def on_a_grid(there: World, budget: int) -> np.ndarray:
    """The luckiest mix of the finest grid of strengths that the budget pays for, eight pictures each."""
    space = Space(tuple("abcdef"[: there.count]))
    points = 2
    while len(grid(space, points + 1)) <= budget // SHOTS:
        points += 1
    rows = grid(space, points)
    kept = np.linspace(0, len(rows) - 1, min(len(rows), budget // SHOTS)).round().astype(int)
    return luckiest(there, rows[kept])


def grid(space: Space, points: int) -> np.ndarray:
    """The mixes of so many strengths for each model that are inside the space."""
    rows = np.array(list(product(np.linspace(0.1, 1.0, points), repeat=space.count)))
    low, high = space.total_range
    return rows[(rows.sum(1) >= low) & (rows.sum(1) <= high)]


def by_tpe(there: World, budget: int) -> np.ndarray:
    """The luckiest trial of Optuna's TPE with its own settings, brought into the space, eight pictures a trial."""
    space = Space(tuple("abcdef"[: there.count]))

    def objective(trial: optuna.Trial) -> float:
        row = space.row([trial.suggest_float(str(number), 0, 1.2) for number in range(there.count)])
        return float(there.measure([Asked(tuple(map(float, row)), tuple(range(SHOTS)))])[0].mean())

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=there.seed))
    study.optimize(objective, n_trials=budget // SHOTS)
    return space.row([study.best_params[str(number)] for number in range(there.count)])


def luckiest(there: World, rows: np.ndarray) -> np.ndarray:
    """The row with the highest mean over the same eight shots."""
    found = there.measure([Asked(tuple(map(float, one)), tuple(range(SHOTS))) for one in rows])
    return rows[int(np.mean(found, axis=1).argmax())]


WAYS: dict[str, Way] = {"random": at_random, "grid": on_a_grid, "TPE": by_tpe, "Eleven": ours}


if __name__ == "__main__":
    main()
