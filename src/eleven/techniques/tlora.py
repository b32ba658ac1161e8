"""T-LoRA: a LoRA with singular values that starts inside the original weight, whose start is taken off again."""

from __future__ import annotations

from collections.abc import Mapping, Set

from eleven.delta import LowRank, Sum
from eleven.errors import TensorError
from eleven.techniques.exact import kernels, solid, widened
from eleven.techniques.technique import Change, Measure, Original, agree, require, scale, shapes_of
from eleven.tensors import Float, Shape, Tensor

NAME = "tlora"
UP, DOWN, SIZES = "p_layer.weight", "q_layer.weight", "lambda_layer"
SUFFIXES = frozenset({UP, DOWN, SIZES, "alpha", "scale"})
OVERLAP = 0.5


def matches(suffixes: Set[str]) -> bool:
    """Whether there is an up, a down or the singular values."""
    return bool(suffixes & {UP, DOWN, SIZES})


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Shape (out, in) and rank. A convolution of 1×1 only: lycoris-lora 4.1.3 cannot run the others."""
    up, down, sizes = require(shapes, UP, DOWN, SIZES)
    solid(shapes, UP, DOWN)
    agree(up[1] == down[0] and set(up[2:]) | set(down[2:]) <= {1}, shapes)
    agree(tuple(sizes) in {(1, down[0]), (down[0],)}, shapes)
    return Measure((up[0], *down[1:]), down[0])


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """ΔW = alpha/rank · (P·diag(λ)·Q − P₀·diag(λ₀)·Q₀), with every rank in use (lycoris-lora 4.1.3 modules/tlora.py).

    The file lacks the start P₀, λ₀, Q₀: it is the part of the original weight in some of its singular directions, the
    first, the last or the middle ones (`sig_type`), whichever Q is nearest to. TensorError where it is near none.
    """
    tensors = widened(tensors)
    rank = measure(shapes_of(tensors)).rank or 1
    strength = scale(tensors, rank)
    up, down = tensors[UP].flatten(1), tensors[DOWN].flatten(1)
    weight = kernels(original).flatten(1)
    if tuple(weight.shape) != (up.shape[0], down.shape[1]):
        raise TensorError(
            f"a T-LoRA of {[up.shape[0], down.shape[1]]} is on a layer of {list(weight.shape)}.",
            hint="It belongs to another base model, or to a convolution larger than 1×1, where T-LoRA is not defined.",
        )
    now = LowRank(up * tensors[SIZES].reshape(1, -1), down)
    return {"weight": Sum(((strength, now), (-strength, _start(weight, down))))}


def encode(change: Change) -> dict[str, Tensor]:
    """Up and down with singular values of 1, and the alpha that gives the same strength."""
    weight = change["weight"]
    terms = weight.terms if isinstance(weight, Sum) else ()
    match terms:
        case [(strength, LowRank() as now), (negative, LowRank())] if negative == -strength:
            rank = now.down.shape[0]
            sizes, alpha = now.up.new_ones(1, rank), now.up.new_tensor(strength * rank)
            return {UP: now.up, DOWN: now.down, SIZES: sizes, "alpha": alpha}
        case _:
            raise TensorError(
                "only a change that T-LoRA's own tensors gave can be a T-LoRA.", hint="Write it as a LoRA."
            )


def _start(weight: Float[Tensor, "out in"], down: Float[Tensor, "rank in"]) -> LowRank:
    """P₀·diag(λ₀)·Q₀ = W·V·Vᵀ over the rank right singular vectors V that hold most of Q."""
    rank = min(*weight.shape, down.shape[0])
    directions = _directions(weight.double())
    middle = (len(directions) - rank) // 2
    starts = [directions[:rank], directions[len(directions) - rank :], directions[middle : middle + rank]]
    wide = down.double()
    held = [float((wide @ part.T).square().sum() / wide.square().sum()) for part in starts]
    if not max(held) >= OVERLAP:
        raise TensorError(
            f"its start is not in the original weight (overlap {max(held):.2f}).",
            hint="The base is another one, or it was trained with use_data_init off, which the file does not carry.",
        )
    part = starts[held.index(max(held))]
    return LowRank((weight.double() @ part.T).to(down.dtype), part.to(down.dtype))


def _directions(weight: Float[Tensor, "out in"]) -> Float[Tensor, "k in"]:
    """The right singular vectors, the largest first, as many as the smaller side."""
    import torch

    if weight.shape[1] <= weight.shape[0]:
        return torch.linalg.eigh(weight.T @ weight).eigenvectors.flip(1).T
    sizes, left = torch.linalg.eigh(weight @ weight.T)
    floor = sizes.clamp(min=float(sizes[-1]) * 1e-24).sqrt()
    return ((left / floor).T @ weight).flip(0)
