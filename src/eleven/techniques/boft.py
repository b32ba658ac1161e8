"""BOFT: a weight's rows pass through several stages of block rotations, each over a wider butterfly of rows."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from math import prod
from typing import final

from typing_extensions import override

from eleven.delta import Delta, Dense
from eleven.errors import TensorError
from eleven.techniques import oft
from eleven.techniques.technique import Change, Measure, Original, agree, require, shapes_of
from eleven.tensors import Float, Shape, Tensor

NAME = "boft"
SUFFIXES = frozenset({oft.BLOCKS, oft.RESCALE, oft.LIMIT})


@final
@dataclass(frozen=True, eq=False)
class Butterfly(Delta):
    """ΔW = rescale ⊙ (B_m ⋯ B_1·W) − W, with the stages' rotations as R − I and their generator `skew`."""

    turn: Float[Tensor, "stages blocks size size"]
    rescale: Tensor | None
    weight: Float[Tensor, "out in"]
    skew: Float[Tensor, "stages blocks size size"]

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.weight.shape[0], self.weight.shape[1]

    @property
    @override
    def T(self) -> Delta:
        return Dense(self.dense().T)

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        return self.moved(self.weight @ x)

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        return self.moved(self.weight)

    @override
    def factors(self) -> None:
        return None

    def moved(self, rows: Float[Tensor, "out n"]) -> Float[Tensor, "out n"]:
        """What all stages together add to these outputs."""
        half = self.turn.shape[-1] // 2
        total = step(self.turn[0], rows, half)
        for stage in range(1, self.turn.shape[0]):
            total = total + step(self.turn[stage], rows + total, half << stage)
        return oft.rescaled(rows, total, self.rescale)


def matches(suffixes: Set[str]) -> bool:
    """Whether there are rotation blocks; only their shape tells BOFT (four dimensions) from OFT."""
    return oft.BLOCKS in suffixes


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Outputs, and the block size as rank (LyCORIS modules/boft.py); the widest stage must divide the outputs."""
    (blocks,) = require(shapes, oft.BLOCKS)
    agree(len(blocks) == 4 and blocks[2] == blocks[3] and min(blocks) > 0 and blocks[2] % 2 == 0, shapes)
    stages, count, size, _ = blocks
    agree(stages <= count.bit_length() and count % (1 << (stages - 1)) == 0, shapes)
    agree(prod(shapes.get(oft.RESCALE, (count * size,))) == count * size, shapes)
    return Measure((count * size, None), size)


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """W' = rescale ⊙ B_m ⋯ B_1·W (Liu 2023, arXiv 2311.06243, section 4; LyCORIS functional/boft.py, diff_weight)."""
    weight = oft.matrix(original, measure(shapes_of(tensors)).shape[0])
    skew = oft.generator(tensors, weight)
    rescale = oft.like(tensors, oft.RESCALE, weight) if oft.RESCALE in tensors else None
    return {"weight": Butterfly(oft.cayley(skew), rescale, weight.to(skew.dtype), skew)}


def encode(change: Change) -> dict[str, Tensor]:
    """LyCORIS's layout without a limit (alpha 0), as the generator is already limited."""
    weight = change["weight"]
    if not isinstance(weight, Butterfly):
        raise TensorError("only a butterfly of rotations can be stored as BOFT.", hint="Store it as a LoRA or in full.")
    return oft.stored(weight.skew, weight.rescale)


def step(turn: Float[Tensor, "blocks size size"], rows: Float[Tensor, "out n"], reach: int) -> Float[Tensor, "out n"]:
    """What one stage adds: rows that lie `reach` apart are brought together, turned in blocks and put back."""
    together = rows.unflatten(0, (-1, 2, reach)).transpose(1, 2).flatten(0, 2)
    turned = (turn @ together.unflatten(0, tuple(turn.shape[:2]))).flatten(0, 1)
    return turned.unflatten(0, (-1, reach, 2)).transpose(1, 2).flatten(0, 2)
