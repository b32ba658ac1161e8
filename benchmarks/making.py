"""Makes one input file of a family with random numbers: `python -m benchmarks.making LISTING FILE`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from zlib import crc32

import numpy as np

from benchmarks.inputs import demand_space
from benchmarks.listing import Listing, Module, Shape, read_listing
from benchmarks.writing import Tensor, write_fp16

BLOCK = 2**24
WEIGHT, FACTOR = 0.02, 0.03
"""The spread of a checkpoint's weights, and of an adapter's factors."""


def main(listing: str, file: str) -> None:
    """Makes the file that its name describes, if the disk has room."""
    path = Path(file)
    tensors = list(tensors_of(path.stem, read_listing(Path(listing))))
    demand_space(path.parent, 2 * sum(prod(shape) for _, shape, _ in tensors))
    write_fp16(path, tensors)


def tensors_of(name: str, listing: Listing) -> Iterator[Tensor]:
    """The tensors of a file, still to be made."""
    kind, _, which = name.partition("-")
    if kind in ("base", "tuned"):
        return checkpoint(listing, tuned=kind == "tuned")
    if kind == "loha8":
        return loha(listing, 8)
    if kind == "lokr8":
        return lokr(listing, 8)
    modules = listing.modules if kind.startswith("locon") else listing.attention()
    return lora(modules, int(kind.removeprefix("locon").removeprefix("lora")), which)


@dataclass
class Numbers:
    """Random numbers cut from one block, different for each seed and the same each time."""

    block: np.ndarray

    def cut(self, seed: str, *shape: int) -> np.ndarray:
        """fp16, normally distributed with a spread of one; long tensors repeat the block."""
        count, start = prod(shape), crc32(seed.encode()) % BLOCK
        if start + count <= BLOCK:
            return self.block[start : start + count].reshape(shape)
        return np.resize(np.roll(self.block, -start), count).reshape(shape)


def numbers() -> Numbers:
    """One block, 32 MiB."""
    return Numbers(np.random.default_rng(0).standard_normal(BLOCK, dtype=np.float32).astype(np.float16))


def checkpoint(listing: Listing, *, tuned: bool) -> Iterator[Tensor]:
    """Every key; a tuned one has a change of rank 64 and a little noise in all that a LoRA changes."""
    source = numbers()
    weights = Numbers((source.block * np.float16(WEIGHT)).astype(np.float16))
    changed = {module.key for module in listing.attention()} if tuned else set[str]()
    for key, shape in listing.keys.items():
        make = partial(trained, source, key, shape) if key in changed else None
        yield key, shape, partial(weight, weights, key, shape, make)


def weight(weights: Numbers, key: str, shape: Shape, change: Callable[[], np.ndarray] | None) -> np.ndarray:
    """One tensor of a checkpoint."""
    plain = weights.cut(key, *shape)
    return plain if change is None else plain + change().reshape(shape)


def trained(source: Numbers, key: str, shape: Shape) -> np.ndarray:
    """What training added to one weight, float32."""
    rows, columns = shape[0], prod(shape[1:])
    up, down = (
        factor(source, f"{key} {side}", "tuned", count, 64) for side, count in (("up", rows), ("down", columns))
    )
    return up @ down.T + 1e-4 * source.cut(f"{key} noise", rows, columns).astype(np.float32)


def lora(modules: tuple[Module, ...], rank: int, which: str) -> Iterator[Tensor]:
    """Singular values like 1/i; alpha is half the rank; files of one rank share half their factors' energy."""
    source = numbers()
    for module in modules:
        inner = module.shape[1:]
        up = partial(factor, source, f"{module.prefix} up", which, module.shape[0], rank)
        down = partial(factor, source, f"{module.prefix} down", which, prod(inner), rank)
        yield f"{module.prefix}.lora_up.weight", (module.shape[0], rank, *(1 for _ in inner[1:])), up
        yield f"{module.prefix}.lora_down.weight", (rank, *inner), partial(turned, down)
        yield f"{module.prefix}.alpha", (), partial(np.array, rank / 2)


def factor(source: Numbers, seed: str, which: str, count: int, rank: int) -> np.ndarray:
    """(count, rank), float32, its columns fading like the root of 1/i; half its energy is the same for any `which`."""
    own, shared = (source.cut(f"{seed} {rank} {word}", count, rank).astype(np.float32) for word in (which, "shared"))
    return (own + shared) * (FACTOR * (0.5 / np.arange(1, rank + 1, dtype=np.float32)) ** 0.5)


def turned(make: Callable[[], np.ndarray]) -> np.ndarray:
    """The transpose of what is made."""
    return make().T


def loha(listing: Listing, rank: int) -> Iterator[Tensor]:
    """Two factor pairs a module; the product of the pairs has as large a change as a LoRA."""
    source, size = numbers(), np.float16(FACTOR**0.5 / 2)
    for module in listing.attention():
        rows, columns = module.matrix
        for end, shape in (("a", (rows, rank)), ("b", (rank, columns))):
            for pair in ("w1", "w2"):
                key = f"{module.prefix}.hada_{pair}_{end}"
                yield key, shape, partial(scaled, source, key, shape, size)
        yield f"{module.prefix}.alpha", (), partial(np.array, float(rank))


def lokr(listing: Listing, factor: int) -> Iterator[Tensor]:
    """w1 of factor × factor and a whole w2."""
    source = numbers()
    for module in listing.attention():
        inner = module.shape[1:]
        shapes = ("lokr_w1", (factor, factor)), ("lokr_w2", (module.shape[0] // factor, inner[0] // factor, *inner[1:]))
        for name, shape in shapes:
            key = f"{module.prefix}.{name}"
            yield key, shape, partial(scaled, source, key, shape, np.float16(FACTOR))
        yield f"{module.prefix}.alpha", (), partial(np.array, 1.0)


def scaled(source: Numbers, seed: str, shape: Shape, size: np.float16) -> np.ndarray:
    """A cut of the block with this spread."""
    return source.cut(seed, *shape) * size


if __name__ == "__main__":
    main(*sys.argv[1:])
