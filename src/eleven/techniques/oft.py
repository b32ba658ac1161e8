"""OFT on the output side: blocks of a weight's rows are rotated, and optionally rescaled (kohya, LyCORIS diag-oft)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from math import prod
from typing import final

from typing_extensions import override

from eleven.delta import Delta, Dense
from eleven.errors import TensorError
from eleven.techniques.technique import Change, Measure, Original, agree, number, require, shapes_of
from eleven.tensors import Float, Shape, Tensor

NAME = "oft"
BLOCKS, ROTATION, RESCALE, LIMIT = "oft_blocks", "oft_diag", "rescale", "alpha"
KOHYA = "oft_kohya"
"""A marker, any tensor, that the reader adds to kohya's files (prefix `oft_unet_`), where a limit of 0 is a limit."""
SUFFIXES = frozenset({BLOCKS, ROTATION, RESCALE, LIMIT, KOHYA})


@final
@dataclass(frozen=True, eq=False)
class Rotated(Delta):
    """ΔW = rescale ⊙ (Rᵀ·W) − W, with the rotation as R − I, which keeps small angles exact.

    `skew` is the generator that the turn comes from, or None where a file stores the rotation itself.
    """

    turn: Float[Tensor, "blocks size size"]
    rescale: Tensor | None
    weight: Float[Tensor, "out in"]
    skew: Float[Tensor, "blocks size size"] | None

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
        """What the rotation adds to these outputs."""
        blocks = rows.unflatten(0, tuple(self.turn.shape[:2]))
        return rescaled(rows, (self.turn.mT @ blocks).flatten(0, 1), self.rescale)


def matches(suffixes: Set[str]) -> bool:
    """Whether there are rotation blocks."""
    return bool(suffixes & {BLOCKS, ROTATION})


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Outputs, and the block size as rank; both are read from the blocks (LyCORIS modules/diag_oft.py)."""
    (blocks,) = require(shapes, ROTATION if ROTATION in shapes else BLOCKS)
    agree(len(blocks) == 3 and blocks[1] == blocks[2] and min(blocks) > 0, shapes)
    rows = blocks[0] * blocks[1]
    agree(not {BLOCKS, ROTATION} <= shapes.keys() and prod(shapes.get(RESCALE, (rows,))) == rows, shapes)
    return Measure((rows, None), blocks[1])


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """W' = rescale ⊙ blockdiag(R)ᵀ·W (sd-scripts networks/oft.py); `oft_diag` is R (LyCORIS 2.0, custom_state_dict)."""
    rows = measure(shapes_of(tensors)).shape[0]
    weight = matrix(original, rows)
    if ROTATION in tensors:
        import torch

        rotation, skew = like(tensors, ROTATION, weight), None
        turn = rotation - torch.eye(rotation.shape[-1], dtype=rotation.dtype)
    else:
        skew = generator(tensors, weight)
        turn = cayley(skew)
    rescale = like(tensors, RESCALE, weight) if RESCALE in tensors else None
    return {"weight": Rotated(turn, rescale, weight.to(turn.dtype), skew)}


def encode(change: Change) -> dict[str, Tensor]:
    """LyCORIS's layout without a limit (alpha 0), as the generator is limited already; R where that was stored."""
    weight = change["weight"]
    if not isinstance(weight, Rotated):
        raise TensorError("only a rotation of outputs can be stored as OFT.", hint="Store it as a LoRA or in full.")
    if weight.skew is not None:
        return stored(weight.skew, weight.rescale)
    import torch

    rotation = weight.turn + torch.eye(weight.turn.shape[-1], dtype=weight.turn.dtype)
    return {ROTATION: rotation} | ({} if weight.rescale is None else {RESCALE: weight.rescale})


def matrix(original: Original, rows: int | None) -> Float[Tensor, "out in"]:
    """The original weight as a matrix. TensorError unless it has this many outputs."""
    weight = original.weight()
    if weight.dim() < 2 or weight.shape[0] != rows:
        raise TensorError(
            f"the rotation is for {rows} outputs, but the base weight is {list(weight.shape)}.",
            hint="Is this the right base model?",
        )
    return weight.flatten(1)


def like(tensors: Mapping[str, Tensor], suffix: str, weight: Tensor) -> Tensor:
    """A tensor in the weight's type, or in its own where that is finer. TensorError where it is not finite."""
    import torch

    tensor = tensors[suffix]
    tensor = tensor.to(torch.float64 if tensor.dtype == torch.float64 else weight.dtype)
    if not tensor.isfinite().all():
        raise TensorError(f"{suffix} holds NaN or infinite numbers.", hint="The training diverged; use another epoch.")
    return tensor


def generator(tensors: Mapping[str, Tensor], weight: Tensor) -> Float[Tensor, "... size size"]:
    """Q = B − Bᵀ, with the norm of all blocks together limited to alpha · outputs.

    LyCORIS reads alpha 0 as no limit (functional/diag_oft.py, get_r), kohya as a limit of 0 (networks/oft.py).
    """
    blocks = like(tensors, BLOCKS, weight)
    skew = blocks - blocks.mT
    limit = number(tensors, LIMIT) * weight.shape[0] if LIMIT in tensors else 0.0
    norm = float(skew.norm())
    if KOHYA in tensors and LIMIT in tensors:
        return skew * ((min(norm, limit) + 1e-8) / (norm + 1e-8))
    return skew * (limit / (norm + 1e-8)) if 0 < limit < norm + 1e-8 else skew


def cayley(skew: Float[Tensor, "... size size"]) -> Float[Tensor, "... size size"]:
    """R − I = 2Q·(I − Q)⁻¹ for R = (I + Q)·(I − Q)⁻¹ (Qiu 2023, arXiv 2306.07280, section 3.3)."""
    import torch

    eye = torch.eye(skew.shape[-1], dtype=skew.dtype)
    turn, info = torch.linalg.solve_ex(eye - skew, 2 * skew, left=False)
    if info.any() or not turn.isfinite().all():
        raise TensorError("the rotation cannot be computed: its numbers are too large.", hint="The file is damaged.")
    return turn


def rescaled(rows: Tensor, moved: Tensor, rescale: Tensor | None) -> Tensor:
    """rescale ⊙ (rows + moved) − rows, without cancellation."""
    if rescale is None:
        return moved
    factor = rescale.reshape(-1, 1)
    return moved * factor + rows * (factor - 1)


def stored(skew: Tensor, rescale: Tensor | None) -> dict[str, Tensor]:
    """Blocks B with B − Bᵀ = Q exactly, and alpha 0, which LyCORIS, A1111 and ComfyUI read as no limit."""
    tensors = {BLOCKS: skew.triu(), LIMIT: skew.new_zeros(())}
    return tensors if rescale is None else tensors | {RESCALE: rescale}
