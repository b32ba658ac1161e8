"""LoRA and LoCon: a product of two thin matrices, with an optional Tucker core between them for convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Set

from eleven.delta import Dense, LowRank
from eleven.errors import TensorError
from eleven.techniques.technique import Change, Measure, Original, agree, require, scale, shapes_of
from eleven.tensors import Shape, Tensor

NAME = "lora"
UP, DOWN, MID, BIAS = "lora_up.weight", "lora_down.weight", "lora_mid.weight", "lora_up.bias"
SUFFIXES = frozenset({UP, DOWN, MID, BIAS, "alpha", "scale"})


def matches(suffixes: Set[str]) -> bool:
    """Whether there is an up, a down or a core."""
    return bool(suffixes & {UP, DOWN, MID})


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Shape (out, in[, kh, kw]) and rank; the down's rows are the rank (sd-scripts networks/lora.py)."""
    up, down = require(shapes, UP, DOWN)
    agree(len(up) >= 2 and len(down) >= 2 and up[1] == down[0] > 0 and set(up[2:]) <= {1}, shapes)
    kernel = down[2:]
    if MID in shapes:
        agree(shapes[MID][:2] == (down[0], down[0]) and set(kernel) <= {1}, shapes)
        kernel = shapes[MID][2:]
    return Measure((up[0], down[1], *kernel), down[0])


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:  # noqa: ARG001 - the protocol's signature
    """ΔW = alpha/rank · up · down, or up · core · down with a Tucker core (LyCORIS modules/locon.py, get_weight)."""
    rank = measure(shapes_of(tensors)).rank or 1
    strength = scale(tensors, rank)
    up, down = tensors[UP].flatten(1) * strength, tensors[DOWN].flatten(1)
    if MID in tensors:
        core = tensors[MID].flatten(2)
        down = (core.permute(0, 2, 1) @ down).permute(0, 2, 1).flatten(1)
    change: Change = {"weight": LowRank(up, down)}
    return {**change, "bias": Dense(tensors[BIAS].reshape(-1, 1) * strength)} if BIAS in tensors else change


def encode(change: Change) -> dict[str, Tensor]:
    """Up and down with alpha equal to the rank, so that every reader's scale is 1."""
    weight = change["weight"]
    both = (weight.up, weight.down) if isinstance(weight, LowRank) else weight.factors()
    if both is None:
        raise TensorError("a change without factors cannot be a LoRA.", hint="Compress it to a rank first.")
    up, down = both
    tensors = {UP: up, DOWN: down, "alpha": up.new_tensor(float(up.shape[1]))}
    return tensors | {BIAS: change["bias"].dense().flatten()} if "bias" in change else tensors
