"""The parts of one layer that have a say, each with a key that depends on nothing but its own values."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from eleven.delta import Delta


class Term(NamedTuple):
    """One part: the key of its values, its strength, its delta."""

    key: bytes
    strength: float
    delta: Delta


Terms = tuple[tuple[float, Delta], ...]


def active(deltas: Sequence[Delta], strengths: Sequence[float]) -> Terms:
    """The parts whose strength is not zero, as given."""
    return tuple((strength, delta) for strength, delta in zip(strengths, deltas, strict=True) if strength != 0)


def ordered(terms: Terms) -> list[Term]:
    """The parts by key, so that sums round alike however the parts came."""
    keyed = [Term(digest(delta), strength, delta) for strength, delta in terms]
    return sorted(keyed, key=lambda term: (term.key, term.strength))


def digest(delta: Delta) -> bytes:
    """16 bytes of the values, taken from the factors where there are some."""
    total = hashlib.blake2b(digest_size=16)
    for tensor in delta.factors() or (delta.dense(),):
        total.update(str(tuple(tensor.shape)).encode())
        total.update(tensor.detach().contiguous().numpy().data)
    return total.digest()
