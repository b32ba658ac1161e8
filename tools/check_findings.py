"""How often `eleven suggest` is right about models of one run, of another person and of another base, in the lab.

    python tools/check_findings.py [FOLDER …] [--sets N] [--drawn N] [--only MODE …]

FOLDER holds more models of the lab's people, and those of newcomers, as `tools/evidence.py` trains them into
WORK/models. The first word of a file's name is its person, and a number behind the last dash a step of the run of that
name; `-weak` ends the name of a model that is hardly trained, which is part of no set. A model of an unrelated base is
made from each LoRA, by changing the order of its inputs and outputs. The lines were drawn on the three people that
Eleven ships; newcomers are counted apart.

Told: the model of another person or base is called a stranger, or of no help, and the two of one run redundant. Of two
models without photos either may be the stranger: there "of different concepts", which names both and accuses none, is
right. False alarm: any other model is called so, or models of one person are said to be of different concepts; in a set
of three or more, "of different concepts" counts as one too. Where files do not say what would be needed, `suggest`
says nothing, or that it cannot know: such sets are neither told nor false alarms, and have their share.

Modes: `photos`; `drawn`, the pictures that `suggest` itself makes of a set where there are no photos (10 s a set on one
core); `files`, without a base; `bases`, what files tell of their base, told where the odd one is named alone, with as
many sets of one base to raise false alarms.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.opening import Setup, open_engine
from eleven.lab.people import CONCEPTS, Concept
from eleven.lab.shipped import base_folder, concept_folder
from eleven.suggestions.models import Case
from eleven.suggestions.probe import Probe, restricted
from eleven.suggestions.suggesting import examine
from judging.bases import counts
from judging.probes import turned, with_photos, with_pictures
from judging.trials import TURNED, Trial, judged, overlaps, owner, part_of, trials
from proving.concepts import newcomers

KINDS = ("lora-a", "lora-b", "loha", "lokr", "dreambooth")
MODES = ("photos", "drawn", "files", "bases")
SHIPPED = tuple(one.name for one in CONCEPTS)
Asked = Callable[[Trial, Concept], Probe | None]


@dataclass
class Shelf:
    """The models with what is known of them, and an open base."""

    files: list[Path]
    case: Case
    engine: DiffusersEngine
    most: int
    drawn: int
    probes: dict[str, Probe] = field(default_factory=dict[str, Probe])

    @property
    def names(self) -> list[str]:
        """Of the models."""
        return [path.stem for path in self.files]

    def people(self) -> Iterator[tuple[str, list[Concept], tuple[str, ...]]]:
        """Those whose models drew the lines, then newcomers, each with the names of whom strangers may be of."""
        there = {owner(name) for name in self.names}
        new = [one for one in newcomers() if one.name in there]
        yield "three people", list(CONCEPTS), SHIPPED
        if new:
            yield "newcomers", new, (*SHIPPED, *(one.name for one in new))

    def known(self, one: Concept) -> Probe:
        """What the person's photos tell of all models, asked once."""
        if one.name not in self.probes:
            self.probes[one.name] = with_photos(self.engine, self.files, one)
        return self.probes[one.name]

    def asked(self, mode: str) -> Asked:
        """What the base tells about a set."""
        if mode == "files":
            return lambda _, __: None
        if mode == "drawn":
            return self.drawn_for
        return lambda trial, one: restricted(self.known(one), trial.numbers)

    def drawn_for(self, trial: Trial, _: Concept) -> Probe:
        """What pictures tell, asked by the words of a model that may be the stranger, as `suggest` would."""
        order = np.random.default_rng(trial.numbers).permutation(trial.numbers)
        called = self.case.models[order[0]].origin.called
        return with_pictures(self.engine, [self.files[number] for number in trial.numbers], called)


def main() -> None:
    """Prints a row for each mode, group of people and kind of set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--sets", type=int, default=400, help="sets of each kind and person at most")
    parser.add_argument("--drawn", type=int, default=14, help="the same where pictures are drawn for each set")
    parser.add_argument("--only", nargs="*", choices=MODES, default=MODES)
    given = parser.parse_args()
    files = [concept_folder(person) / f"{person}-{kind}.safetensors" for person in SHIPPED for kind in KINDS]
    files += sorted(path for folder in given.folders for path in folder.glob("*.safetensors"))
    with TemporaryDirectory() as folder, open_engine(Setup("lab", "cpu", batch=24), print) as engine:
        files += [turned(path, Path(folder)) for path in files if path.stem.endswith(("-lora-a", "-lora-b"))]
        shelf = Shelf(files, examine(files, base_folder()), engine, given.sets, given.drawn)
        for mode in given.only:
            print_bases(shelf) if mode == "bases" else print_mode(shelf, mode)


@dataclass
class Tally:
    """Sets of one kind that are told, and that raise a false alarm; the least overlap of own and the most of others."""

    sets: int = 0
    told: int = 0
    false: int = 0
    own: float = 1.0
    others: float = -1.0

    def add(self, case: Case, trial: Trial, probe: Probe | None) -> None:
        """One more set."""
        told, false = judged(part_of(case, probe, trial.numbers), trial)
        self.sets, self.told, self.false = self.sets + 1, self.told + told, self.false + false
        if probe is not None:
            own, others = overlaps(probe, trial)
            self.own, self.others = min([self.own, *own]), max([self.others, *others])


def print_mode(shelf: Shelf, mode: str) -> None:
    """The rows of a mode."""
    asked, most = shelf.asked(mode), shelf.drawn if mode == "drawn" else shelf.most
    for group, people, others in shelf.people():
        tallies = dict[str, Tally]()
        for person in people:
            for trial in trials(shelf.names, person.name, others, most):
                tallies.setdefault(trial.kind, Tally()).add(shelf.case, trial, asked(trial, person))
        for kind, one in tallies.items():
            silent = mode == "files" and kind.startswith("another")
            told = "cannot be told" if silent else "" if kind == "one person" else one.told
            reach = f"own {one.own:.2f} and more, others up to {one.others:.2f}" if mode != "files" else ""
            print(row(f"{mode}, {group}, {kind}", one.sets, told, one.false), reach, flush=True)


def print_bases(shelf: Shelf) -> None:
    """The rows of what files tell of their base, for every spelling; weights, and so people, play no part in that."""
    sets = [one for _, people, _ in shelf.people() for person in people for one in own_sets(shelf, person.name)]
    for one in counts(shelf.case, sets):
        told = one.told if one.spelling.tells else "nothing to tell by"
        print(row(f"bases, {one.spelling.name}", one.sets, told, one.false, 2), flush=True)


def own_sets(shelf: Shelf, person: str) -> Sequence[tuple[int, ...]]:
    """Some sets of two and three adapters of a person."""
    own = [
        number for number, name in enumerate(shelf.names)
        if owner(name) == person and TURNED not in name and not name.endswith("dreambooth")
    ]  # fmt: skip
    return [one for count in (2, 3) for one in combinations(own, count)][:14]


def row(what: str, sets: int, told: int | str, false: int, times: int = 1) -> str:
    """A line of the table, false alarms being counted in so many times the sets."""
    share = f"{told} ({told / sets:.1%})" if isinstance(told, int) else told
    return f"| {what} | {sets} | {share} | {false} of {times * sets} ({false / (times * sets):.1%}) |"


if __name__ == "__main__":
    main()
