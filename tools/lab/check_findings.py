"""How often `eleven suggest` is right about models of one run, of another person and of another base, in the lab.

Run `python tools/lab/check_findings.py [FOLDER]`, where FOLDER holds more models of the lab's people. The first word of
a file's name is its person, and a number behind the last dash a step of the run of that name. A model of an unrelated
base is made from each LoRA, by changing the order of its inputs and outputs. Needs minutes.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from eleven.engines.inputs import noised
from eleven.engines.opening import Setup, open_engine
from eleven.engines.probing import products
from eleven.lab.people import concept
from eleven.lab.shipped import base_folder, concept_folder
from eleven.mix import Mix, Part
from eleven.scorers.references import photos_of
from eleven.suggestions.findings import find
from eleven.suggestions.models import Case
from eleven.suggestions.probe import Probe, overlap, restricted
from eleven.suggestions.suggesting import examine

PEOPLE, KINDS = ("ada", "minka", "otto"), ("lora-a", "lora-b", "loha", "lokr", "dreambooth")
TURNED, STEP = "-turned", re.compile(r"-\d{3,}$")
TOLD = ("redundant", "stranger", "no-help")
MOST = 400
"""Sets of one kind and person at most, drawn."""


@dataclass(frozen=True)
class Trial:
    """Models by number, the places of those that should be told, and what kind of set it is."""

    numbers: tuple[int, ...]
    wanted: frozenset[int]
    kind: str


def main() -> None:
    """Prints, with and without photos, how many of each kind are told and how many sets raise a false alarm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    given = parser.parse_args()
    files = [concept_folder(person) / f"{person}-{kind}.safetensors" for person in PEOPLE for kind in KINDS]
    files += sorted(given.folder.glob("*.safetensors")) if given.folder else []
    with TemporaryDirectory() as folder:
        files += [turned(path, Path(folder)) for path in files if path.stem.endswith(("-lora-a", "-lora-b"))]
        print_all(examine(files, base_folder()), probes(files))


def probes(files: Sequence[Path]) -> dict[str, Probe]:
    """What all models change, by the person whose photos and words were asked."""
    mixes, found = [Mix(parts=(Part(file=str(path)),)) for path in files], dict[str, Probe]()
    with open_engine(Setup("lab", "cpu", batch=24), print) as engine:
        for person in PEOPLE:
            photos = list(photos_of(concept_folder(person) / "references").values())
            found[person] = products(engine, mixes, noised(engine, photos, concept(person).trigger)).probe()
    return found


def turned(path: Path, folder: Path) -> Path:
    """The LoRA as if it were of a base whose channels have another order, which is what an unrelated base has."""
    with safe_open(path, "pt") as file:
        told = file.metadata()
    tensors, draw = load_file(path), torch.Generator().manual_seed(5)
    for name, tensor in sorted(tensors.items()):
        if name.endswith("lora_down.weight"):
            tensors[name] = tensor[:, torch.randperm(tensor.shape[1], generator=draw)].contiguous()
        elif name.endswith("lora_up.weight"):
            tensors[name] = tensor[torch.randperm(tensor.shape[0], generator=draw)].contiguous()
    save_file(tensors, folder / f"{path.stem}{TURNED}.safetensors", told)
    return folder / f"{path.stem}{TURNED}.safetensors"


def print_all(case: Case, found: Mapping[str, Probe]) -> None:
    """The counts of every person and in all, with photos and without, and the lines that other people draw."""
    names = [model.name for model in case.models]
    for photos in (True, False):
        counts = dict[str, list[int]]()
        for person, probe in found.items():
            known = probe if photos else without_photos(probe)
            for trial in trials(names, person):
                told, false = judged(part_of(case, known, trial.numbers), trial)
                sums = counts.setdefault(trial.kind, [0, 0, 0])
                counts[trial.kind] = [one + more for one, more in zip(sums, (told, false, 1), strict=True)]
        for kind, (told, false, count) in counts.items():
            right = "" if kind == "one person" else f"{told} of {count} told, "
            print(f"{'with' if photos else 'without'} photos, {kind}: {right}{false} of {count} with a false alarm")
    for person in found:
        others = [spans(names, one, probe) for one, probe in found.items() if one != person]
        if others:
            print(f"{person}: {spans(names, person, found[person])}; the others draw {lines(others)}")


def trials(names: Sequence[str], person: str) -> Iterator[Trial]:
    """Sets of two to four models: of one person, with one of another person or base, and with two of one run."""
    last = {run_of(name): number for number, name in enumerate(names)}
    own = [number for run, number in last.items() if run.split("-")[0] == person and TURNED not in run]
    others = [number for run, number in last.items() if run.split("-")[0] != person and TURNED not in run]
    strange = [number for run, number in last.items() if TURNED in run]
    sets = [one for count in (2, 3, 4) for one in combinations(own, count)]
    yield from some([Trial(one, frozenset(), "one person") for one in sets])
    few = [one for count in (1, 2, 3) for one in combinations(own, count)]
    for kind, odd in (("another person", others), ("another base", strange)):
        yield from some([Trial((*one, other), frozenset({len(one)}), kind) for one in few for other in odd])
    twins = [
        pair for pair in combinations(range(len(names)), 2)
        if run_of(names[pair[0]]) == run_of(names[pair[1]]) and names[pair[0]].split("-")[0] == person
    ]  # fmt: skip
    rest = [(), *((number,) for number in own), *combinations(own, 2)]
    mixed = [(*pair, *one) for pair in twins for one in rest if run_of(names[pair[0]]) not in runs(names, one)]
    yield from some([Trial(one, frozenset({0, 1}), "one run") for one in mixed])


def run_of(name: str) -> str:
    """The run that a model comes from."""
    return STEP.sub("", name)


def runs(names: Sequence[str], numbers: Sequence[int]) -> set[str]:
    """The runs of some models."""
    return {run_of(names[number]) for number in numbers}


def some(found: Sequence[Trial]) -> list[Trial]:
    """At most so many of them, always the same."""
    order = np.random.default_rng(0).permutation(len(found))[:MOST]
    return [found[number] for number in sorted(order)]


def judged(case: Case, trial: Trial) -> tuple[bool, bool]:
    """Whether what should be told is, and whether anything else is."""
    redundant = [one.files for one in find(case) if one.kind == "redundant"]
    strange = {number for one in find(case) if one.kind in TOLD[1:] for number in one.files}
    if trial.kind == "one run":
        return (0, 1) in redundant, bool(strange) or any(frozenset(pair) != trial.wanted for pair in redundant)
    return trial.wanted <= strange, bool(redundant) or bool(strange - trial.wanted)


def part_of(case: Case, probe: Probe, numbers: Sequence[int]) -> Case:
    """The case of some of its models, in this order, with what a probe tells of them."""
    place, anatomy = {number: at for at, number in enumerate(numbers)}, case.anatomy
    pairs = tuple(
        replace(one, first=min(place[one.first], place[one.second]), second=max(place[one.first], place[one.second]))
        for one in anatomy.pairs
        if one.first in place and one.second in place
    )
    counts = {
        name: tuple(getattr(anatomy, name)[number] for number in numbers) for name in ("layers", "needs_base", "failed")
    }
    gram = tuple(tuple(anatomy.gram[row][column] for column in numbers) for row in numbers)
    part = replace(anatomy, gram=gram, pairs=pairs, components={}, blocks={}, **counts)
    # what files tell of their run is left out, so that weights and predictions alone are judged
    models = (case.models[number] for number in numbers)
    nameless = tuple(replace(model, origin=replace(model.origin, run="")) for model in models)
    return Case(nameless, part, None, restricted(probe, numbers))


def without_photos(probe: Probe) -> Probe:
    """The probe as if nobody knew what should be predicted."""
    return Probe(tuple(replace(band, target=(), error=0.0) for band in probe.bands))


@dataclass(frozen=True)
class Spans:
    """The least overlap of two of the person's runs, the most with another's; the same of the help over the best's."""

    own: float
    others: float
    helping: float
    idle: float

    def __str__(self) -> str:
        told = f"overlap of own {self.own:.2f} and more, of others up to {self.others:.2f}"
        return f"{told}; help of own {self.helping:.2f} and more, of others up to {self.idle:.2f}"


def spans(names: Sequence[str], person: str, probe: Probe) -> Spans:
    """What a person's photos tell of all models."""
    own = [number for number, name in enumerate(names) if name.split("-")[0] == person and TURNED not in name]
    others = [number for number in range(len(names)) if number not in own]
    table, helping = np.array(overlap(probe)), np.array(probe.helping)
    most = helping[own].max()
    between = table[np.ix_(own, own)].min()
    return Spans(between, table[np.ix_(own, others)].max(), helping[own].min() / most, helping[others].max() / most)


def lines(found: Sequence[Spans]) -> str:
    """The lines halfway between own and others, over several people."""
    strange = (min(one.own for one in found) + max(one.others for one in found)) / 2
    helps = (min(one.helping for one in found) + max(one.idle for one in found)) / 2
    return f"an overlap of {strange:.2f} and a help of {helps:.2f}"


if __name__ == "__main__":
    main()
