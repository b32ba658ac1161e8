"""How far a written file is from what was asked, in float64, for one module of each shape, by no code of Eleven's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.listing import Module, read_listing
from benchmarks.reading import Lazy, delta, one_of_each, total, weight
from benchmarks.request import Request, read_request

Energies = tuple[float, float, float]
"""Squared norms: what was asked, what is wrong, what the best possible file would have wrong."""

UNTOUCHED = 200
"""So many tensors that no part changes are compared bit by bit."""


def check(request: Request) -> dict[str, float]:
    """Relative Frobenius errors over the sample, and the share of untouched tensors that are bit-identical."""
    modules = read_listing(Path(request.listing)).modules
    files = [(Lazy(path), strength) for path, strength in request.parts]
    written = Lazy(request.to)
    if request.into:
        base = Lazy(request.base)
        found = list(in_checkpoint(modules, files, base, written))
        told = {"untouched": untouched(modules, files, base, written)}
    elif request.tuned:
        found = list(in_difference(modules, request, written))
        told = {}
    else:
        found = [
            energies(asked, delta(written, module.prefix, torch.float64), request.rank)
            for module, asked in sample(modules, files)
        ]
        told = {}
    whole, wrong, least = (sum(energy) for energy in zip(*found, strict=True))
    return told | {"sample": len(found), "error": (wrong / whole) ** 0.5, "best": (least / whole) ** 0.5}


def sample(modules: tuple[Module, ...], files: list[tuple[Lazy, float]]) -> Iterator[tuple[Module, Tensor]]:
    """The first module of each shape that any part changes, and the change that is asked."""
    for alike in one_of_each(modules).values():
        for module in alike:
            asked = total(files, module, torch.float64)
            if asked is not None:
                yield module, asked
                break


def energies(asked: Tensor, written: Tensor | None, rank: int) -> Energies:
    """Of one change, against the best of this rank (0: exact)."""
    wrong = asked if written is None else asked - written
    gram = asked @ asked.T if len(asked) <= asked.shape[1] else asked.T @ asked
    tail = torch.linalg.eigvalsh(gram)[:-rank].clamp(min=0).sum().item() if rank else 0.0
    return asked.square().sum().item(), wrong.square().sum().item(), tail


def in_difference(modules: tuple[Module, ...], request: Request, written: Lazy) -> Iterator[Energies]:
    """Of an extraction."""
    base, tuned = Lazy(request.base), Lazy(request.tuned)
    for alike in one_of_each(module for module in modules if module.attention).values():
        asked = weight(tuned, alike[0], torch.float64) - weight(base, alike[0], torch.float64)
        yield energies(asked, delta(written, alike[0].prefix, torch.float64), request.rank)


def in_checkpoint(
    modules: tuple[Module, ...], files: list[tuple[Lazy, float]], base: Lazy, written: Lazy
) -> Iterator[Energies]:
    """Of a baked checkpoint, relative to the change; the best possible file has one rounding to fp16."""
    for module, change in sample(modules, files):
        asked = weight(base, module, torch.float64) + change
        wrong = asked - weight(written, module, torch.float64)
        least = asked - asked.half().double()
        yield change.square().sum().item(), wrong.square().sum().item(), least.square().sum().item()


def untouched(
    modules: tuple[Module, ...], files: list[tuple[Lazy, float]], base: Lazy, written: Mapping[str, Tensor]
) -> float:
    """The share of tensors outside all parts that are bit-identical; of some of them, spread over the file."""
    starts = {name.partition(".")[0] for file, _ in files for name in file}
    touched = {module.key for module in modules if module.prefix in starts}
    rest = [key for key in base if key not in touched]
    chosen = rest[:: max(1, len(rest) // UNTOUCHED)]
    same = [key in written and torch.equal(base[key], written[key]) for key in chosen]
    return sum(same) / len(same)


if __name__ == "__main__":
    print(json.dumps(check(read_request(sys.argv[1]))))
