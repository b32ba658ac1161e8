"""What of the numbers is worth a remark: models that are one, that are strangers, that were made for another base."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median
from typing import Literal, final

from eleven.suggestions.anatomy import Pair
from eleven.suggestions.groups import Groups, groups_of
from eleven.suggestions.models import Case
from eleven.suggestions.origins import Origin, same_base, same_base_by_name, same_words
from eleven.suggestions.probe import Table, overlap

REDUNDANT, SAME_FACTORS = 0.7, 0.35
"""The cosines of weights, or of both factors, from which on models are of one run. In the lab its checkpoints after a
tenth and all of the steps have 0.44 and 0.51 and more, trainings apart 0.28 and 0.07 at most."""
ALIKE, STRANGE = 0.95, 0.40
"""Cosines of predictions above and below which models count as one, and as strangers. Models of the lab's three people
have 0.42 and more with each other of theirs, those of others 0.37 at most; two runs on the same photos up to 0.91."""
STRANGE_IN_PICTURES = 0.27
"""The same where pictures of their mix stand for photos: there the three people's have 0.29 and more, others 0.25."""
HELPS = 0.5
"""Of the best model's cosine with what photos miss, what another of the same concept has at least: of the lab's three
people's 0.57, and of another concept's 0.40 at most."""
STARTED_ALIKE = 0.3
"""The share of inputs, beyond chance, from which on two adapters began from the same random numbers."""
OPPOSED = -0.1
WEAK, STRONG = 1 / 3, 3.0
"""Norms over the median of the models of the same technique; of two, a small one is told from a large one only."""


@final
@dataclass(frozen=True)
class Finding:
    """One remark, with the numbers that it rests on."""

    kind: str
    """Its name, such as `redundant`."""
    severity: Literal["warning", "note"]
    """`warning`: should be acted on; `note`: explains."""
    files: tuple[int, ...]
    """The models that it is about."""
    text: str
    """What was found."""
    hint: str
    """What to do about it."""
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])
    """What it rests on by name; the chance level of `x` is `x_chance`."""


def find(case: Case) -> tuple[Finding, ...]:
    """All findings, warnings first."""
    found = [one for check in CHECKS for one in check(case)]
    return tuple(sorted(found, key=lambda one: one.severity != "warning"))


def redundant(case: Case) -> Iterator[Finding]:
    """Two models that do the same, and files that are given twice."""
    for first, second in case.equal:
        one, other = case.models[first], case.models[second]
        twice = one.path == other.path
        text = f"{one.name} is given twice." if twice else f"{one.name} and {other.name} are the same file."
        yield Finding("redundant", "warning", (first, second), text, "Name it once.")
    for pair, first, second in case.pairs():
        run = one_run(pair) or (bool(first.origin.run) and first.origin.run == second.origin.run)
        seen = overlap(case.probe)[pair.first][pair.second] if case.probe is not None else None
        alike = run or (seen is not None and seen >= ALIKE)
        if not alike or (pair.first, pair.second) in case.equal:
            continue
        numbers = {"cosine": pair.cosine, "cosine_chance": pair.spread}
        numbers |= {"prediction_cosine": seen} if seen is not None else {}
        told = "look like checkpoints of one run" if run else "do nearly the same to predictions"
        text = f"{first.name} and {second.name} {told} "
        text += f"(cosine of the weights {pair.cosine:.2f}, by chance ±{pair.spread:.4f})."
        hint = "Count them as one: halve both strengths, or keep one."
        yield Finding("redundant", "warning", (pair.first, pair.second), text, hint, numbers)


def one_run(pair: Pair) -> bool:
    """Whether weights are as alike as only those of one training are."""
    factors = pair.downs is not None and pair.ups is not None and min(pair.downs, pair.ups) >= SAME_FACTORS
    return factors or pair.cosine >= REDUNDANT


def strangers(case: Case) -> Iterator[Finding]:
    """Models whose effect on predictions is unlike that of most others, or of what helps most with the photos.

    Where neither photos nor a majority tell who is the stranger, no group is called one.
    """
    if case.probe is None:
        return
    table, helping = overlap(case.probe), case.probe.helping
    counted = [number for number, model in enumerate(case.models) if model.changes]
    line = STRANGE if helping else STRANGE_IN_PICTURES
    groups = groups_of(counted, lambda one, other: table[one][other] >= line)
    home = of_best(groups, helping) if helping else largest(groups, case)
    if len(groups) > 1 and not home:
        yield of_different_concepts(case, groups, table)
    for group in groups if home else ():
        strange = tuple(number for number in group if not (helping and helps(helping, number)))
        if group != home and strange:
            most = closest(table, strange, [number for number in counted if number not in group])
            text = (
                f"{listed(case, strange)} {'change' if len(strange) > 1 else 'changes'} predictions unlike the others "
            )
            text += f"(overlap {most:.2f} at most): another concept, another word, or another base."
            hint = "Check the trigger word and the base, or leave it out."
            yield Finding("stranger", "warning", strange, text, hint, {"prediction_cosine": most})


def of_best(groups: Groups, helping: Sequence[float]) -> tuple[int, ...]:
    """The group of the model that helps most with the photos."""
    return max(groups, key=lambda group: max(helping[number] for number in group), default=())


def largest(groups: Groups, case: Case) -> tuple[int, ...]:
    """The group of most models, those that do the same counted once; () where several have as many."""
    same = {one.files for one in redundant(case)}
    sizes = [len(groups_of(group, lambda one, other: (min(one, other), max(one, other)) in same)) for group in groups]
    found = [group for group, size in zip(groups, sizes, strict=True) if size == max(sizes)]
    return found[0] if len(found) == 1 else ()


def of_different_concepts(case: Case, groups: Groups, table: Table) -> Finding:
    """Groups as large as each other, of which none can be called the stranger."""
    most = max(closest(table, one, other) for one, other in combinations(groups, 2))
    text = f"Of different concepts or bases: {'; '.join(listed(case, group) for group in groups)} "
    text += f"(overlap of their predictions {most:.2f} at most). Which is the right one cannot be told without photos."
    hint = "Name photos with --photos; do not mix models of two concepts."
    files = tuple(sorted(sum(groups, ())))
    return Finding("different-concepts", "warning", files, text, hint, {"prediction_cosine": most})


def closest(table: Table, first: Sequence[int], second: Sequence[int]) -> float:
    """The greatest overlap of one of the first with one of the second."""
    return max(table[one][other] for one in first for other in second)


def helps(helping: Sequence[float], number: int) -> bool:
    """Whether a model helps with the photos as one of their concept does."""
    return helping[number] > max(0.0, HELPS * max(helping))


def other_words(case: Case) -> Iterator[Finding]:
    """Files that name different words; an embedding has a word of its own."""
    told = [number for number, model in enumerate(case.models) if model.changes and model.origin.words]
    groups = groups_by(case, told, same_words)
    if len(groups) > 1:
        said = [f"{listed(case, group)} by “{case.models[group[0]].origin.called}”" for group in groups]
        text = f"Called by different words: {'; '.join(said)}. Other concepts, or one under several names."
        hint = "If it is one concept, say all the words in the prompt; else do not mix them."
        yield Finding("other-words", "warning", tuple(told), text, hint)


def other_bases(case: Case) -> Iterator[Finding]:
    """Files that were trained on different bases, or on another one than is given."""
    for number, model in enumerate(case.models):
        other = case.base is not None and same_base(model.origin, case.base) is False
        if other or model.doubt:
            told = f"{model.name} was trained on {model.origin.base or 'another base'}, which is not the given base."
            text = told if other else model.doubt
            hint = "Its change is meant for that base; expect less likeness, or use that base."
            yield Finding("other-base", "warning", (number,), text, hint)
    told = [number for number, model in enumerate(case.models) if model.origin.has_base]
    groups = groups_by(case, told, same_base)
    if len(groups) > 1:
        hint = "Mixes work best where all were trained on the base that is used."
        text = f"Trained on different bases: {by_base(case, groups)}."
        yield Finding("different-bases", "warning", tuple(told), text, hint)
    named = [number for number, model in enumerate(case.models) if model.origin.base]
    by_name = groups_by(case, named, same_base_by_name)
    if len(by_name) > 1 and len(groups) < 2:
        text = (
            f"Trained on bases of different names: {by_base(case, by_name)}. Other bases, or one under several names."
        )
        hint = "If they are other bases, mixes work best with the one that is used."
        yield Finding("other-base-names", "note", tuple(named), text, hint)


def groups_by(case: Case, numbers: Sequence[int], same: Callable[[Origin, Origin], bool | None]) -> Groups:
    """The models in groups by what their files say of their origin."""
    return groups_of(numbers, lambda one, other: same(case.models[one].origin, case.models[other].origin))


def by_base(case: Case, groups: Groups) -> str:
    """Each group with the base that its files name."""
    bases = [next((name for one in group if (name := case.models[one].origin.base)), "another") for group in groups]
    return "; ".join(f"{listed(case, group)} on {base}" for group, base in zip(groups, bases, strict=True))


def started_alike(case: Case) -> Iterator[Finding]:
    """Adapters that began from the same random numbers."""
    for pair, first, second in case.pairs():
        if pair.inputs is not None and pair.inputs.beyond >= STARTED_ALIKE and not one_run(pair):
            text = f"{first.name} and {second.name} read the same inputs ({_of(pair.inputs.share)}, "
            text += f"{_of(pair.inputs.expected)} by chance): both began from the same random numbers."
            numbers = {"inputs": pair.inputs.share, "inputs_chance": pair.inputs.expected}
            yield Finding("same-start", "note", (pair.first, pair.second), text, "This is harmless.", numbers)


def opposed(case: Case) -> Iterator[Finding]:
    """Models that undo each other."""
    for pair, first, second in case.pairs():
        if pair.cosine <= OPPOSED:
            text = (
                f"{first.name} and {second.name} pull apart (cosine {pair.cosine:.2f}): together they undo each other."
            )
            numbers = {"cosine": pair.cosine, "cosine_chance": pair.spread}
            hint = "Check that none of them is a slider turned round."
            yield Finding("opposed", "warning", (pair.first, pair.second), text, hint, numbers)


def sizes(case: Case) -> Iterator[Finding]:
    """Models much smaller or larger than the others of their technique."""
    for number, model in enumerate(case.models):
        ratio, count = relative_norm(case, number)
        norm = case.anatomy.norms[number]
        numbers = {"norm": norm, "ratio": ratio}
        if norm > 0 and ratio < WEAK:
            text = f"{model.name} changes little (norm {norm:.3g}, {ratio:.2f} of the median {model.technique} here): "
            text += "it may be hardly trained."
            yield Finding("weak", "note", (number,), text, "Start it low, at 0.2–0.4.", numbers)
        if count > 2 and ratio > STRONG:
            text = f"{model.name} changes much (norm {norm:.3g}, {ratio:.1f} × the median {model.technique} here)."
            yield Finding("strong", "note", (number,), text, "Start it lower than the others.", numbers)


def no_help(case: Case) -> Iterator[Finding]:
    """Models that bring predictions hardly nearer to the photos, or no nearer."""
    helping = case.probe.helping if case.probe is not None else ()
    for number, model in enumerate(case.models if helping else ()):
        if model.changes and not helps(helping, number):
            text = f"{model.name} hardly brings the base nearer to the photos (cosine with what they miss "
            text += f"{helping[number]:.2f}, of the best {max(helping):.2f}): "
            text += "another concept, another word, or another base."
            hint = "Check its trigger word and its base, or leave it out."
            yield Finding("no-help", "warning", (number,), text, hint, {"cosine": helping[number]})


def unmeasured(case: Case) -> Iterator[Finding]:
    """Changes that are not known."""
    for number, model in enumerate(case.models):
        needs, failed = case.anatomy.needs_base[number], case.anatomy.failed[number]
        if needs:
            text = f"{needs} layers of {model.name} depend on the base and were not measured."
            yield Finding("needs-base", "note", (number,), text, "Name the base with --base.", {"layers": needs})
        if failed:
            text = f"{failed} layers of {model.name} cannot be read and were not measured."
            yield Finding("damaged", "warning", (number,), text, "`eleven inspect` tells which.", {"layers": failed})


CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    redundant, strangers, no_help, other_words, other_bases, opposed, unmeasured, sizes, started_alike,
)  # fmt: skip


def relative_norm(case: Case, number: int) -> tuple[float, int]:
    """A model's norm over the median of all of its technique, and how many those are."""
    own, norms = case.models[number], case.anatomy.norms
    alike = [
        norm for norm, model in zip(norms, case.models, strict=True) if model.technique == own.technique and norm > 0
    ]
    return (norms[number] / median(alike), len(alike)) if alike else (1.0, 0)


def listed(case: Case, numbers: Sequence[int]) -> str:
    """The names of models in a sentence."""
    *first, last = [case.models[number].name for number in numbers]
    return f"{', '.join(first)} and {last}" if first else last


def _of(share: float) -> str:
    return f"{100 * share:.0f} %"
