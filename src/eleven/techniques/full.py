"""Full changes, entry by entry: of a weight, of a bias, of a norm's parameters, or a whole new weight."""

from __future__ import annotations

from collections.abc import Mapping, Set

from eleven.delta import Delta, Dense
from eleven.techniques.exact import widened
from eleven.techniques.technique import Change, Measure, Original, agree, shapes_of
from eleven.tensors import Shape, Tensor

NAME = "full"
DIFF, NORM, WHOLE = "diff", "w_norm", "set_weight"
BIAS, NORM_BIAS = "diff_b", "b_norm"
WEIGHTS, BIASES = (DIFF, NORM, WHOLE), (BIAS, NORM_BIAS)
SUFFIXES = frozenset({*WEIGHTS, *BIASES})


def matches(suffixes: Set[str]) -> bool:
    """Whether there is any of them."""
    return bool(suffixes & SUFFIXES)


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """The weight's shape; with a bias alone only its rows. TensorError where two tensors claim one parameter."""
    weight = [tuple(shapes[suffix]) for suffix in WEIGHTS if suffix in shapes]
    bias = [tuple(shapes[suffix]) for suffix in BIASES if suffix in shapes]
    agree(len(weight) <= 1 and len(bias) <= 1 and len(weight) + len(bias) > 0, shapes)
    agree(all(1 <= len(shape) <= 5 and min(shape) > 0 for shape in weight + bias), shapes)
    agree(all(len(shape) == 1 for shape in bias), shapes)
    agree(not weight or not bias or weight[0][0] == bias[0][0], shapes)
    if weight:
        return Measure(weight[0])
    return Measure(bias[0] if NORM_BIAS in shapes else (bias[0][0], None))


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """ΔW = diff; a whole weight less the original (LyCORIS modules/full.py and norms.py, ComfyUI comfy/lora.py)."""
    tensors = widened(tensors)
    measure(shapes_of(tensors))
    change: dict[str, Delta] = {}
    for suffix, tensor in tensors.items():
        if suffix == WHOLE:
            base = original.weight().to(tensor.dtype)
            agree(base.shape == tensor.shape, {WHOLE: tuple(tensor.shape), "the base": tuple(base.shape)})
            tensor = tensor - base
        change["weight" if suffix in WEIGHTS else "bias"] = Dense(tensor.reshape(tensor.shape[0], -1))
    return change


def encode(change: Change) -> dict[str, Tensor]:
    """`diff` as the matrix (out, in·kh·kw) and `diff_b`, for any change."""
    tensors = {DIFF: change["weight"].dense()} if "weight" in change else {}
    return tensors | {BIAS: change["bias"].dense().flatten()} if "bias" in change else tensors
