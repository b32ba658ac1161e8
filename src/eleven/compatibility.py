"""Whether parts can be mixed at all: one family, words that its encoders can hold, strengths that mean something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from eleven.errors import FamilyMismatch, TensorError, UnknownKeys, UsageError
from eleven.finetunes.finetune import FineTune
from eleven.layers.family import FAMILIES, Family
from eleven.mix import TEXT_ENCODERS, Part

EMBEDDINGS = ("token_embedding.weight", "shared.weight", "embed_tokens.weight")
ROUNDING = 1e-12


def check_files(finetunes: Sequence[FineTune], *, ignore_unknown: bool) -> None:
    """Nothing where every file was understood and all belong together.

    TensorError, UnknownKeys (unless ignored) and FamilyMismatch, naming the files.
    """
    for finetune in finetunes:
        _check_file(finetune, ignore_unknown=ignore_unknown)
    for first, second in combinations(finetunes, 2):
        _check_modules(first, second)
        _check_words(first, second)


def check_part(part: Part, finetune: FineTune, family: Family | None) -> None:
    """UsageError for a strength that would be silently left out: at no place of the family, or of an embedding."""
    if not finetune.modules and part.is_active and (part.strength != 1 or part.at):
        told = f"{finetune.path.name}: holds only words, which have no strength in a mix."
        raise UsageError(told, hint="Set an embedding's strength in the prompt, as (word:0.5); :0 leaves it out.")
    blocks = {layer.block for layer in family.layers().values()} if family else set[str]()
    folders = {component.folder for component in family.components} if family else set(TEXT_ENCODERS)
    encoders = {short for folder, short in TEXT_ENCODERS.items() if folder in folders}
    known = {"unet", "te", *encoders, *blocks, *folders} - {"", "vae", "VAE"}
    wrong = next((address for address in part.at if address not in known), None)
    if wrong is not None:
        told = f"{finetune.path.name}: nothing in {finetune.family_name} is addressed by {wrong!r}."
        raise UsageError(told, hint=f"Choose from {', '.join(sorted(known))}.")


def check_sum(parts: Iterable[tuple[Part, FineTune]]) -> None:
    """UsageError where equal files cancel each other everywhere: what is left would be rounding, and no mix."""
    groups: dict[str, list[tuple[Part, FineTune]]] = {}
    for part, finetune in parts:
        groups.setdefault(part.sha256 or str(finetune.path), []).append((part, finetune))
    totals = [total for group in groups.values() for total in _totals(group)]
    if any(size > 0 for _, size in totals) and all(abs(total) <= ROUNDING * size for total, size in totals):
        names = ", ".join(sorted({part.file for group in groups.values() for part, _ in group}))
        raise UsageError(f"the parts cancel each other: the strengths of {names} add up to 0.", hint="Change one.")


def _totals(group: Sequence[tuple[Part, FineTune]]) -> list[tuple[float, float]]:
    """The sum of strengths, and of their sizes, at each place that one file changes."""
    finetune = group[0][1]
    known = finetune.family.modules() if finetune.family else {}
    layers = [(known.get(module), module.partition(".")[0]) for module in finetune.modules]
    places = {(layer.component, layer.block) if layer else (component, "") for layer, component in layers}
    found = [[part.strength_at(*place) for part, _ in group] for place in places]
    return [(sum(strengths), sum(map(abs, strengths))) for strengths in found]


def _check_file(finetune: FineTune, *, ignore_unknown: bool) -> None:
    if finetune.faults:
        prefix, fault = next(iter(finetune.faults.items()))
        told = f"{finetune.path.name}: {len(finetune.faults)} of its layers cannot be read; {prefix}: {fault}"
        raise TensorError(told)
    if finetune.unread and not ignore_unknown:
        count, first = len(finetune.unread), finetune.unread[0]
        told = f"{finetune.path.name}: no layer is known for {count} of its tensors (first: {first})."
        raise UnknownKeys(told, hint="Use --ignore-unknown to leave them out.")


def _check_modules(first: FineTune, second: FineTune) -> None:
    if not first.modules or not second.modules:
        return
    if first.family != second.family:
        told = f"{first.path.name} is for {first.family_name}, {second.path.name} for {second.family_name}."
        raise FamilyMismatch(told, hint="Mix only fine-tunes of one base model.")
    components = [{module.partition(".")[0] for module in finetune.modules} for finetune in (first, second)]
    disjoint = not first.modules.keys() & second.modules.keys()
    if disjoint and (first.family is None or components[0] & components[1]):
        told = f"{first.path.name} and {second.path.name} have no layer in common."
        raise FamilyMismatch(told, hint="They belong to different models, or spell their layers differently.")


def _check_words(first: FineTune, second: FineTune) -> None:
    """Words that a family's text encoders cannot hold, or that no family can hold together, are for other models."""
    taught, others = word_widths(first), word_widths(second)
    for words, told_by, other in ((taught, first, second), (others, second, first)):
        held = encoder_widths(other.family) if other.family and other.modules else frozenset[int]()
        if held and words - held:
            told = f"{told_by.path.name} teaches words of {_listed(words)} numbers, but {other.path.name} is for "
            told += f"{other.family_name}, whose text encoders take {_listed(held)}."
            raise FamilyMismatch(told, hint="Mix only embeddings and fine-tunes of one base model.")
    together = taught | others
    if together in (taught, others) or any(together <= encoder_widths(family) for family in FAMILIES):
        return
    told = f"{first.path.name} teaches words of {_listed(taught)} numbers, {second.path.name} of {_listed(others)}."
    raise FamilyMismatch(told, hint="They belong to different base models.")


def word_widths(finetune: FineTune) -> frozenset[int]:
    """How many numbers the vectors of a file's words have."""
    return frozenset(
        rows.shape[1] for word in finetune.words for rows in (*word.vectors.values(), *word.output.values())
    )


def encoder_widths(family: Family) -> frozenset[int]:
    """How many numbers the family's text encoders have for a token; empty where its table holds none."""
    found = (layer.shape for name, layer in family.layers().items() if name.endswith(EMBEDDINGS))
    return frozenset(shape[1] for shape in found if len(shape) == 2)


def _listed(widths: Iterable[int]) -> str:
    return " and ".join(map(str, sorted(widths)))
