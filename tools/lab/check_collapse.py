"""Judges the collapse meter by measured sets of models: whether their best total is outside the red zone, and the
total at which a third of the hits is lost inside it.

Run it as `python tools/lab/check_collapse.py TOTALS.json`. The file is a list of sets: person, models (names of files
without the person's), totals with the likeness and the share of perfect pictures at each, the best total, and each
model's best strength alone. Every measure grows as the total does, so each set asks for a threshold between two values.
The accuracy is that of thresholds fitted to the other people's sets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from eleven.amplification.grams import Grams, measure
from eleven.amplification.meter import Known, read
from eleven.amplification.spectra import measure_spectra
from eleven.amplification.zones import EFFECT, EFFECT_AT_BEST, OVERLAP
from eleven.combination import combine
from eleven.finetunes.checkpoint import Checkpoint, open_checkpoint
from eleven.finetunes.opening import open_finetune
from eleven.lab.shipped import base_folder, concept_folder
from eleven.mix import Mix, Part

LOST, FALLEN = 2 / 3, 0.15
"""What should be red: a total at which this share of the highest hit-rate is left, or likeness has fallen so far."""
LEAST = 0.25
"""Below this highest hit-rate, which is 8 of 32 pictures, its third is noise; likeness tells then."""
OVERLAPS = (0.0, 0.3, 0.6, 0.9)
SHIPPED = {f"effect {OVERLAP:g}": EFFECT.red, f"effect {OVERLAP:g} at best": EFFECT_AT_BEST.red}


@dataclass(frozen=True)
class Case:
    """A set: its person, its measures at a total of 1, the best total, and the total at which hits are lost."""

    person: str
    models: tuple[str, ...]
    measures: Mapping[str, float]
    best: float
    lost: float
    told_by: str

    def span(self, name: str) -> tuple[float, float]:
        """Between which values of a measure the threshold should be."""
        return self.measures[name] * self.best, self.measures[name] * self.lost


def main() -> None:
    """Prints every set, and of every measure the threshold and its accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--people", type=Path, help="the folder of the people, where it is not the shipped one")
    parser.add_argument("--by", choices=("hits", "likeness"), default="hits", help="what tells that hits are lost")
    parser.add_argument("--spectra", action="store_true", help="measure the spectra too, which takes seconds a set")
    given = parser.parse_args()
    with open_checkpoint(base_folder()) as base:
        rows = json.loads(given.file.read_text("utf-8"))
        cases = [case_of(row, base, given) for row in rows]
    for case in cases:
        print(f"{case.person} {'+'.join(case.models)}: best {case.best:.2f}, lost {case.lost:.2f} by {case.told_by}")
        print("  " + ", ".join(f"{name} {case.span(name)[0]:.2f}–{case.span(name)[1]:.2f}" for name in case.measures))
    for name in cases[0].measures:
        print(f"{name}: {verdict(cases, name)}")
    for name, line in SHIPPED.items():
        outside, inside = (sum(one) for one in zip(*(sides(case, name, line) for case in cases), strict=True))
        both = sum(all(sides(case, name, line)) for case in cases)
        print(
            f"as shipped, {name} at {line:g}: best outside {outside}, lost inside {inside}, both {both} of {len(cases)}"
        )


def case_of(row: Mapping[str, Any], base: Checkpoint, given: argparse.Namespace) -> Case:
    """One set, measured on its files."""
    folder = given.people / row["person"] if given.people else concept_folder(row["person"])
    paths = [folder / f"{row['person']}-{name}.safetensors" for name in row["models"]]
    with ExitStack() as stack:
        finetunes = [stack.enter_context(open_finetune(path, base)) for path in paths]
        mix = Mix(parts=tuple(Part(file=path.name, strength=1 / len(paths)) for path in paths))
        found = measures_of(measure(finetunes), mix, tuple(row["singles"][name] for name in row["models"]))
        if given.spectra:
            seen = measure_spectra(combine(mix, finetunes), base)
            found |= {"spectral p95": seen.ratio, "spectral highest": seen.highest}
    best = row.get("best") or row["totals"][int(np.argmax(row["likeness"]))]
    return Case(row["person"], tuple(row["models"]), found, best, *lost_at(row, given.by))


def measures_of(grams: Grams, mix: Mix, singles: tuple[float, ...]) -> dict[str, float]:
    """Every measure of a mix with a total of 1."""
    size = sum(one.table.sum() for one in grams.layers) ** 0.5 / grams.count
    found = {"total": 1.0, "norm over median": size / float(np.median(grams.norms))}
    for told, known in (("", ()), (" at best", singles)):
        for overlap in OVERLAPS:
            found[f"effect {overlap:g}{told}"] = read(grams, mix, Known(known, overlap)).effect
        found[f"layers{told}"] = read(grams, mix, Known(known)).layers
        found[f"total{told}"] = read(grams, mix, Known(known, 1.0)).effect
    return found


def lost_at(row: Mapping[str, Any], by: str) -> tuple[float, str]:
    """The total at which a third of the hits is lost, and by what it is told: hits if there are enough, or likeness."""
    for kind in ("perfect", "good") if by == "hits" else ():
        if max(row[kind]) >= LEAST:
            return crossing(row["totals"], row[kind], LOST * max(row[kind])), kind
    return crossing(row["totals"], row["likeness"], max(row["likeness"]) - FALLEN), "likeness"


def crossing(totals: Sequence[float], values: Sequence[float], line: float) -> float:
    """Where behind the peak the values fall below a line, linearly between totals; infinite where they do not."""
    for at in range(int(np.argmax(values)), len(totals) - 1):
        high, low = values[at], values[at + 1]
        if low <= line:
            return totals[at] + (totals[at + 1] - totals[at]) * (high - line) / (high - low)
    return float("inf")


def verdict(cases: Sequence[Case], name: str) -> str:
    """The threshold that fits most sets, how many, and how many fit one that was drawn without their person."""
    line, fitted = fit(cases, name)
    held = 0
    for person in {case.person for case in cases}:
        others = [case for case in cases if case.person != person]
        drawn = fit(others, name)[0] if others else line
        held += sum(fits(case, name, drawn) for case in cases if case.person == person)
    return f"threshold {line:.3f}, fits {fitted} of {len(cases)}; drawn without the person {held} of {len(cases)}"


def fit(cases: Sequence[Case], name: str) -> tuple[float, int]:
    """The threshold that fits most sets, in the middle of the widest range of such, and how many they are."""
    ends = sorted(end for case in cases for end in case.span(name) if np.isfinite(end))
    ranges = list(pairwise(ends))
    counts = [sum(fits(case, name, (low * high) ** 0.5) for case in cases) for low, high in ranges]
    most = max(counts)
    low, high = max(
        (one for one, count in zip(ranges, counts, strict=True) if count == most), key=lambda one: one[1] / one[0]
    )
    return (low * high) ** 0.5, most


def fits(case: Case, name: str, line: float) -> bool:
    """Whether the best total is not above the line, and the other one is."""
    return all(sides(case, name, line))


def sides(case: Case, name: str, line: float) -> tuple[bool, bool]:
    """Whether the best total is outside the red zone, and whether the other one is inside."""
    best, lost = case.span(name)
    return best <= line, line < lost


if __name__ == "__main__":
    main()
