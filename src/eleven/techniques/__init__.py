"""Axis 3, what the tensors of a layer mean: one module a technique, all alike, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise

from eleven.delta import Delta, Sum
from eleven.errors import TensorError, UnknownKeys
from eleven.raw import Factors, Raw
from eleven.techniques import boft, dora, full, glora, ia3, loha, lokr, lora, oft, oft_input, sparse, tlora
from eleven.techniques.exact import checked
from eleven.techniques.technique import Change, Measure, Original, Technique, agree, shapes_of
from eleven.tensors import Shape, Tensor

TECHNIQUES: tuple[Technique, ...] = (lora, loha, lokr, glora, tlora, oft, boft, oft_input, ia3, full, sparse)
"""In order of precedence: a tensor belongs to the first technique that matches and can hold it."""

SUFFIXES = dora.SUFFIXES.union(*(technique.SUFFIXES for technique in TECHNIQUES))
"""Every tensor name that any technique can hold. Some end alike (`weight`, `lora_up.weight`): match the longest."""

PLAIN = lora.PLAIN
"""The names of tensors that can be two factors and nothing else."""

Part = tuple[Technique, frozenset[str]]


def recognise(suffixes: Set[str], shapes: Mapping[str, Shape] | None = None) -> tuple[list[Part], frozenset[str]]:
    """One layer's tensor names split among the techniques, and the names that none explains.

    `alpha` and `scale` go to the first technique, which is the one whose factors they scale. DoRA's names are explained
    where there is a technique for it to wrap. Only with `shapes` is BOFT told from OFT, whose names it shares.
    """
    parts: list[Part] = []
    left = frozenset(suffixes)
    for technique in TECHNIQUES:
        names = left & technique.SUFFIXES
        if technique.matches(left) and not _better_held(technique, names, shapes):
            parts.append((technique, names))
            left -= names
    return parts, left - dora.SUFFIXES if parts and dora.SCALE in left else left


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Shape and rank of one layer from its header, whatever its techniques. TensorError, UnknownKeys as `decode`."""
    for suffix in ("alpha", "scale"):
        agree(all(size == 1 for size in shapes.get(suffix, ())), shapes)
    parts = _parts(shapes)
    known = [technique.measure({suffix: shapes[suffix] for suffix in names}) for technique, names in parts]
    for first, second in pairwise(known):
        agree(_compatible(first, second), shapes)
    return next((each for each in known if each.rank is not None), known[0])


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """The change of one layer at strength 1, all its techniques added, each taken from the original weight.

    TensorError for tensors that contradict each other or hold NaN; UnknownKeys for names that no technique explains.
    """
    parts = _parts(shapes_of(tensors))
    exact = checked(tensors)
    measure(shapes_of(exact))
    changes = [technique.decode({suffix: exact[suffix] for suffix in names}, original) for technique, names in parts]
    names = sorted({name for change in changes for name in change}, reverse=True)
    total = {name: _total([change[name] for change in changes if name in change]) for name in names}
    return total if dora.SCALE not in exact else _wrapped(total, exact, original)


def factors(raws: Mapping[str, Raw]) -> Factors | None:
    """The change of one layer of PLAIN tensors as two factors, where it is that; all others have `decode`."""
    return lora.factors(raws)


def _wrapped(change: Change, tensors: Mapping[str, Tensor], original: Original) -> Change:
    if "weight" not in change:
        raise TensorError(f"{dora.SCALE} is there without a change of the weight.", hint="The file is incomplete.")
    mine = {suffix: tensor for suffix, tensor in tensors.items() if suffix in dora.SUFFIXES}
    return {**change, "weight": dora.wrap(change["weight"], mine, original)}


def _parts(shapes: Mapping[str, Shape]) -> list[Part]:
    parts, left = recognise(shapes.keys(), shapes)
    if left or not parts:
        raise UnknownKeys(f"no technique explains {', '.join(sorted(left)) or 'a layer without tensors'}.")
    return parts


def _better_held(technique: Technique, names: Set[str], shapes: Mapping[str, Shape] | None) -> bool:
    """Whether these shapes contradict this technique, and fit another that matches the same names."""
    rivals = [other for other in TECHNIQUES if other is not technique and other.matches(names)]
    if not rivals or shapes is None or _fits(technique, names, shapes):
        return False
    return any(_fits(other, names, shapes) for other in rivals)


def _fits(technique: Technique, names: Set[str], shapes: Mapping[str, Shape]) -> bool:
    try:
        technique.measure({suffix: shapes[suffix] for suffix in names & technique.SUFFIXES})
    except TensorError:
        return False
    return True


def _compatible(first: Measure, second: Measure) -> bool:
    pairs = zip(first.matrix, second.matrix, strict=True)
    return all(one is None or other is None or one == other for one, other in pairs)


def _total(deltas: Sequence[Delta]) -> Delta:
    if len({delta.shape for delta in deltas}) > 1:
        told = ", ".join(str(list(delta.shape)) for delta in deltas)
        raise TensorError(f"the techniques of one layer differ in shape: {told}.", hint="The file is damaged.")
    return deltas[0] if len(deltas) == 1 else Sum(tuple((1.0, delta) for delta in deltas))
