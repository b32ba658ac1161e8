"""The changes of q, k and v as the change of the one layer that holds them all."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from eleven.combination import Combination
from eleven.delta import Delta, Dense, LowRank
from eleven.layers.layer import Place, Ranges
from eleven.tensors import Shape, Tensor


@dataclass(frozen=True, slots=True)
class Asked:
    """The change that one tensor of the base is to get, that tensor's shape, and the squared norm where it is known."""

    shape: Shape
    delta: Delta
    whole: float | None = None


Piece = tuple[Ranges, Delta]


def asked(combination: Combination, places: tuple[Place, ...]) -> dict[str, Asked]:
    """The change of one module of a file, by parameter; of a fused one, parts that the mix leaves alone are zero."""
    found = [(place, dict(_by_parameter(combination, place.module))) for place in places]
    parameters = dict.fromkeys(parameter for _, change in found for parameter in change)
    if places[0].ranges is None:
        return found[0][1]
    rows = max(stop for place in places for _, stop in place.ranges or ())
    out: dict[str, Asked] = {}
    for parameter in parameters:
        known = [(place.ranges or (), change[parameter]) for place, change in found if parameter in change]
        shape = (rows, *known[0][1].shape[1:])
        out[parameter] = Asked(shape, fuse([(ranges, one.delta) for ranges, one in known], rows))
    return out


def fuse(pieces: list[Piece], rows: int) -> Delta:
    """One delta of so many rows: with the common down where all pieces share it, else with factors side by side."""
    columns = pieces[0][1].shape[1]
    both = [delta.factors() for _, delta in pieces]
    known = [factors for factors in both if factors is not None]
    if len(known) < len(pieces):
        matrix = torch.zeros(rows, columns)
        for ranges, delta in pieces:
            _put(matrix, ranges, delta.dense())
        return Dense(matrix)
    downs = [down for _, down in known]
    shared = all(down is downs[0] or down.equal(downs[0]) for down in downs)
    up = torch.zeros(rows, len(downs[0]) if shared else sum(map(len, downs)))
    column = 0
    for (ranges, _), (part, down) in zip(pieces, known, strict=True):
        _put(up[:, column : column + len(down)], ranges, part)
        column += 0 if shared else len(down)
    return LowRank(up, downs[0] if shared else torch.cat(downs))


def _by_parameter(combination: Combination, module: str) -> list[tuple[str, Asked]]:
    changes = combination.change(module) if module in combination.names else []
    return [(layer.name.rpartition(".")[2], Asked(layer.shape, delta)) for layer, delta in changes]


def _put(whole: Tensor, ranges: Ranges, part: Tensor) -> None:
    done = 0
    for start, stop in ranges:
        whole[start:stop] += part[done : done + stop - start]
        done += stop - start
