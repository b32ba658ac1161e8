"""Axis 3, what the tensors of a layer mean: one module a technique, all alike, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise

from eleven.delta import Delta, Sum
from eleven.errors import TensorError, UnknownKeys
from eleven.techniques import full, glora, ia3, loha, lokr, lora, sparse, tlora
from eleven.techniques.exact import checked
from eleven.techniques.technique import Change, Measure, Original, Technique, agree, shapes_of
from eleven.tensors import Shape, Tensor

TECHNIQUES: tuple[Technique, ...] = (lora, loha, lokr, glora, tlora, ia3, full, sparse)
"""In order of precedence: a tensor belongs to the first technique that matches and can hold it."""

SUFFIXES = frozenset[str]().union(*(technique.SUFFIXES for technique in TECHNIQUES))
"""Every tensor name that any technique can hold. Some end alike (`weight`, `lora_up.weight`): match the longest."""

Part = tuple[Technique, frozenset[str]]


def recognise(suffixes: Set[str]) -> tuple[list[Part], frozenset[str]]:
    """One layer's tensor names split among the techniques, and the names that none explains.

    `alpha` and `scale` go to the first technique, which is the one whose factors they scale.
    """
    parts: list[Part] = []
    left = frozenset(suffixes)
    for technique in TECHNIQUES:
        if technique.matches(left):
            parts.append((technique, left & technique.SUFFIXES))
            left -= technique.SUFFIXES
    return parts, left


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Shape and rank of one layer from its header, whatever its techniques. TensorError, UnknownKeys as `decode`."""
    for suffix in ("alpha", "scale"):
        agree(all(size == 1 for size in shapes.get(suffix, ())), shapes)
    known = [technique.measure({suffix: shapes[suffix] for suffix in names}) for technique, names in _parts(shapes)]
    for first, second in pairwise(known):
        agree(_compatible(first, second), shapes)
    return next((each for each in known if each.rank is not None), known[0])


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """The change of one layer at strength 1, all its techniques added, each taken from the original weight.

    TensorError for tensors that contradict each other or hold NaN; UnknownKeys for names that no technique explains.
    """
    parts = _parts(tensors)
    exact = checked(tensors)
    measure(shapes_of(exact))
    changes = [technique.decode({suffix: exact[suffix] for suffix in names}, original) for technique, names in parts]
    names = sorted({name for change in changes for name in change}, reverse=True)
    return {name: _total([change[name] for change in changes if name in change]) for name in names}


def _parts(names: Mapping[str, object]) -> list[Part]:
    parts, left = recognise(names.keys())
    if left or not parts:
        raise UnknownKeys(f"no technique explains {', '.join(sorted(left)) or 'a layer without tensors'}.")
    return parts


def _compatible(first: Measure, second: Measure) -> bool:
    pairs = zip(first.matrix, second.matrix, strict=True)
    return all(one is None or other is None or one == other for one, other in pairs)


def _total(deltas: Sequence[Delta]) -> Delta:
    if len({delta.shape for delta in deltas}) > 1:
        told = ", ".join(str(list(delta.shape)) for delta in deltas)
        raise TensorError(f"the techniques of one layer differ in shape: {told}.", hint="The file is damaged.")
    return deltas[0] if len(deltas) == 1 else Sum(tuple((1.0, delta) for delta in deltas))
