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
from eleven.combination import combine
from eleven.finetunes.checkpoint import Checkpoint, open_checkpoint
from eleven.finetunes.opening import open_finetune
from eleven.lab.shipped import base_folder, concept_folder
from eleven.mix import Mix, Part

LOST = 2 / 3
"""The share of the highest hit-rate that is left at the total that should be red."""
OVERLAPS = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Case:
    """A set: its person, its measures at a total of 1, the best total, and the total at which hits are lost."""

    person: str
    models: tuple[str, ...]
    measures: Mapping[str, float]
    best: float
    lost: float

    def span(self, name: str) -> tuple[float, float]:
        """Between which values of a measure the threshold should be."""
        return self.measures[name] * self.best, self.measures[name] * self.lost


def main() -> None:
    """Prints every set, and of every measure the threshold and its accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--people", type=Path, help="the folder of the people, where it is not the shipped one")
    parser.add_argument("--spectra", action="store_true", help="measure the spectra too, which takes seconds a set")
    given = parser.parse_args()
    with open_checkpoint(base_folder()) as base:
        rows = json.loads(given.file.read_text("utf-8"))
        cases = [case_of(row, base, given.people, spectra=given.spectra) for row in rows]
    for case in cases:
        told = ", ".join(f"{name} {low:.2f}–{high:.2f}" for name in case.measures for low, high in [case.span(name)])
        print(f"{case.person} {'+'.join(case.models)}: best {case.best:.2f}, a third lost {case.lost:.2f}; {told}")
    for name in cases[0].measures:
        print(f"{name}: {verdict(cases, name)}")


def case_of(row: dict[str, Any], base: Checkpoint, people: Path | None, *, spectra: bool) -> Case:
    """One set, measured on its files."""
    folder = people / row["person"] if people else concept_folder(row["person"])
    paths = [folder / f"{row['person']}-{name}.safetensors" for name in row["models"]]
    with ExitStack() as stack:
        finetunes = [stack.enter_context(open_finetune(path, base)) for path in paths]
        mix = Mix(parts=tuple(Part(file=path.name, strength=1 / len(paths)) for path in paths))
        found = measures_of(measure(finetunes), mix, tuple(row["singles"][name] for name in row["models"]))
        if spectra:
            seen = measure_spectra(combine(mix, finetunes), base)
            found |= {"spectral p95": seen.ratio, "spectral highest": seen.highest}
    best = row.get("best") or row["totals"][int(np.argmax(row["likeness"]))]
    return Case(row["person"], tuple(row["models"]), found, best, lost_at(row["totals"], row["perfect"]))


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


def lost_at(totals: Sequence[float], perfect: Sequence[float]) -> float:
    """Where behind the peak the hit-rate crosses two thirds of it, on straight lines; infinite where it does not."""
    peak = int(np.argmax(perfect))
    for at in range(peak, len(totals) - 1):
        high, low = perfect[at], perfect[at + 1]
        if low <= LOST * perfect[peak]:
            return totals[at] + (totals[at + 1] - totals[at]) * (high - LOST * perfect[peak]) / (high - low)
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
    low, high = case.span(name)
    return low <= line < high


if __name__ == "__main__":
    main()
