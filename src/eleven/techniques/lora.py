"""LoRA and LoCon: a product of two thin matrices, with an optional Tucker core between them for convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Set
from math import prod

from eleven.delta import Dense, LowRank
from eleven.errors import BaseNeeded, TensorError
from eleven.raw import Factors, Raw
from eleven.techniques.exact import kernels, solid, widened
from eleven.techniques.technique import Change, Measure, Original, agree, require, scale, shapes_of
from eleven.tensors import Shape, Tensor

NAME = "lora"
UP, DOWN, MID, BIAS = "lora_up.weight", "lora_down.weight", "lora_mid.weight", "lora_up.bias"
PADDED = "reshape_weight"
SUFFIXES = frozenset({UP, DOWN, MID, BIAS, PADDED, "alpha", "scale"})
PLAIN = (frozenset({UP, DOWN}), frozenset({UP, DOWN, "alpha"}))
"""The names of a module that is two factors and nothing else."""


def matches(suffixes: Set[str]) -> bool:
    """Whether there is an up, a down or a core."""
    return bool(suffixes & {UP, DOWN, MID})


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Shape (out, in[, kh, kw]) and rank; the down's rows are the rank (sd-scripts networks/lora.py).

    A fused file may hold several downs for one up: their rows are a multiple of its columns.
    """
    up, down = require(shapes, UP, DOWN)
    solid(shapes, UP, DOWN, MID)
    agree(down[0] % up[1] == 0 and set(up[2:]) <= {1}, shapes)
    agree(BIAS not in shapes or tuple(shapes[BIAS]) == (up[0],), shapes)
    kernel = down[2:]
    if MID in shapes:
        agree(tuple(shapes[MID][:2]) == (up[1], down[0]) and up[1] == down[0] and set(kernel) <= {1}, shapes)
        agree(len(shapes[MID]) > 2, shapes)
        kernel = shapes[MID][2:]
    return Measure((up[0], down[1], *kernel), down[0])


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """ΔW = alpha/rank · up · down, or up · core · down with a Tucker core (LyCORIS modules/locon.py, get_weight).

    Several downs in one tensor are added, each under the whole up (InvokeAI patches/layers/lora_layer.py, 2025);
    alpha is over all their rows, as there. A bias has the same scale (PEFT `lora_bias`).
    """
    tensors = widened(tensors)
    rank = measure(shapes_of(tensors)).rank or 1
    strength = scale(tensors, rank)
    up, down = tensors[UP].flatten(1), tensors[DOWN].flatten(1)
    up = up if strength == 1 else up * strength
    if MID in tensors:
        core = tensors[MID].flatten(2)
        down = (core.permute(0, 2, 1) @ down).permute(0, 2, 1).flatten(1)
    if len(down) > up.shape[1]:
        down = down.unflatten(0, (-1, up.shape[1])).sum(0)
    if PADDED in tensors:
        _require_fit(tensors[PADDED], (up.shape[0], down.shape[1]), original)
    change: Change = {"weight": LowRank(up, down)}
    return {**change, "bias": Dense(tensors[BIAS].reshape(-1, 1) * strength)} if BIAS in tensors else change


def factors(raws: Mapping[str, Raw]) -> Factors | None:
    """The same, as it is stored, of PLAIN tensors; None where they are more, which `decode` explains."""
    from eleven.halves import single

    up, down = raws[UP], raws[DOWN]
    rank = down.values.shape[0]
    alpha = single(raws["alpha"]) if "alpha" in raws else float(rank)
    if up.values.shape[1] != rank or alpha is None:
        return None
    return Factors(up, down, alpha / rank)


def encode(change: Change) -> dict[str, Tensor]:
    """Up and down with alpha equal to the rank, so that every reader's scale is 1."""
    weight = change["weight"]
    both = (weight.up, weight.down) if isinstance(weight, LowRank) else weight.factors()
    if both is None:
        raise TensorError("a change without factors cannot be a LoRA.", hint="Compress it to a rank first.")
    up, down = both
    tensors = {UP: up, DOWN: down, "alpha": up.new_tensor(float(up.shape[1]))}
    return tensors | {BIAS: change["bias"].dense().flatten()} if "bias" in change else tensors


def _require_fit(padded: Tensor, shape: tuple[int, int], original: Original) -> None:
    """TensorError unless the shape to which the base is padded is the change's, and the base has it already.

    Without a base only the first is asked: the change is right in the padded layer's own shape.
    """
    sizes = tuple(int(size) for size in padded.flatten().tolist())
    matrix = (sizes[0], prod(sizes[1:])) if len(sizes) > 1 else (0, 0)
    if matrix != shape:
        raise TensorError(f"{PADDED} asks for {list(sizes)}, and the change is {list(shape)}.")
    try:
        base = tuple(kernels(original).flatten(1).shape)
    except BaseNeeded:
        return
    if base != shape:
        raise TensorError(
            f"it is for a layer padded from {list(base)} to {list(shape)}.",
            hint="A control LoRA needs a base with the wider layer.",
        )
