"""Measures the claims about mixing on the lab's people and writes docs/evidence.json and docs/evidence.md from it.

python tools/evidence.py --work DIR [--only SECTION] [NAME …]       measures (hours, resumable), then writes both
python tools/evidence.py --page                                      writes the page from the data
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.ensembling import EnsemblingEngine
from eleven.engines.opening import Setup, open_engine
from eleven.lab.people import CONCEPTS, Concept
from proving import arms, concepts, guided, rules, totals
from proving.page import page
from proving.stand import BATCH, open_stand
from proving.training import CLAIMS, train

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "evidence.json", DOCS / "evidence.md"
Bench = tuple[Concept, Path, DiffusersEngine]


def of_arms(bench: Bench) -> object:
    """Every arm of a person."""
    one, work, engine = bench
    for recipe in CLAIMS:
        train(one, recipe, work)
    with open_stand(one, work, engine) as stand:
        return arms.measure(stand)


def of_totals(bench: Bench) -> object:
    """Sets of models over their totals."""
    with open_stand(*bench) as stand:
        return totals.measure(stand)


def of_rules(bench: Bench) -> object:
    """Every rule that combines deltas, and predictions mixed at every step."""
    with open_stand(*bench) as stand:
        rows, base = rules.measure(stand), rules.sum_of(stand)
    engine = EnsemblingEngine(bench[2])
    with open_stand(*bench, engine) as stand:
        return [*rows, *rules.compared(stand, {"predictions mixed": {}}, base)]


PEOPLE: Mapping[str, Callable[[Bench], object]] = {"arms": of_arms, "totals": of_totals, "rules": of_rules}
"""Sections that are measured for each of the lab's people."""
TUNING, GUIDED = "tuning", "guided"


def main() -> None:
    """Measures what the command line names, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="people or cases (default: all)")
    parser.add_argument("--work", type=Path, help="keeps pictures, ledgers and models")
    parser.add_argument(
        "--only", action="append", choices=(*PEOPLE, TUNING, GUIDED), help="this section (default: all)"
    )
    parser.add_argument("--dtype", default="fp32", help="what pictures of the lab's people are computed in")
    parser.add_argument("--data", type=Path, default=DATA, help="where the numbers are kept")
    parser.add_argument("--page", action="store_true", help="write the page from the data only")
    options = parser.parse_args()
    if not options.page:
        options.work.mkdir(parents=True, exist_ok=True)
        setup = Setup("lab", "cpu", options.dtype, BATCH)
        measure(options.work, setup, options.only or [*PEOPLE, TUNING, GUIDED], options)
    if options.data == DATA:
        PAGE.write_text(page(json.loads(DATA.read_text("utf-8"))), "utf-8")


def measure(work: Path, setup: Setup, sections: list[str], options: argparse.Namespace) -> None:
    """Measures sections one after the other, and keeps each person's numbers as they are done."""
    names, data = options.names, options.data
    with open_engine(setup, print) as engine:
        for section in [one for one in sections if one in PEOPLE]:
            for one in CONCEPTS:
                if not names or one.name in names:
                    keep(data, section, one.name, PEOPLE[section]((one, work, engine)))
    if TUNING in sections:
        for name, case in concepts.cases(work).items():
            if not names or name in names:
                keep(data, TUNING, name, concepts.measure(case, work))
    if GUIDED in sections:
        for case in guided.cases(work, names):
            keep(data, GUIDED, case.name, guided.measure(case, work))


def keep(data: Path, section: str, name: str, found: object) -> None:
    """Puts one result among the others."""
    known: dict[str, Any] = json.loads(data.read_text("utf-8")) if data.exists() else {}
    known.setdefault(section, {})[name] = found
    data.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
