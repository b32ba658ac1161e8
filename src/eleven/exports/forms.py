"""How one layer's change is stored in an adapter: as factors, as a Kronecker product, or whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod

import torch

from eleven.algebra import gathered
from eleven.compress import Target, balanced, compress, thin_form
from eleven.delta import Delta, LowRank
from eleven.errors import UsageError
from eleven.exports.fusing import Asked
from eleven.exports.spelling import suffixes_of
from eleven.kronecker import nearest_kronecker
from eleven.techniques import lokr, lora
from eleven.tensors import Shape, Tensor

DTYPES = {"fp32": "F32", "fp16": "F16", "bf16": "BF16"}
"""The types that can be written, by what users call them."""
STORED_AS = ("lora", "lokr")


@dataclass(frozen=True)
class Form:
    """How an adapter is written: exactly where `target` is None, else as near as `compress` or a LoKr comes."""

    target: Target | None = None
    dialect: str = "kohya"
    dtype: str = "fp16"
    private: bool = False
    technique: str = "lora"

    def __post_init__(self) -> None:
        """UsageError for what cannot be written."""
        suffixes_of(self.dialect)
        if self.dtype not in DTYPES:
            raise UsageError(f"there is no dtype {self.dtype!r}.", hint=f"Choose from {', '.join(DTYPES)}.")
        if self.technique not in STORED_AS:
            raise UsageError(f"nothing is stored as {self.technique!r}.", hint=f"Choose from {', '.join(STORED_AS)}.")
        if self.technique == "lokr" and "lokr_w1" not in suffixes_of(self.dialect):
            raise UsageError(f"{self.dialect} has no LoKr.", hint="Choose --dialect kohya or comfyui.")


def concrete(delta: Delta, *, exact: bool) -> Delta:
    """The delta with its factors worked out once, balanced if they are to be kept, or itself where it has none."""
    found = gathered(delta)
    return balanced(found.up, found.down) if exact and isinstance(found, LowRank) else found


@dataclass(frozen=True)
class Stored:
    """A change as float32 tensors by this project's names, none where nothing changes or the dialect has no place.

    `whole` is the change's squared norm where finding them told it.
    """

    tensors: dict[str, Tensor]
    whole: float | None = None


def stored(one: Asked, name: str, parameter: str, form: Form, *, of_norm: bool = False) -> Stored:
    """The change in this form."""
    known = suffixes_of(form.dialect)
    if parameter != "weight" or len(one.shape) < 2:
        wanted = vector_suffixes(parameter, one.shape, of_norm=of_norm)
        suffix = next((suffix for suffix in wanted if suffix in known), None)
        return Stored({suffix: one.delta.dense().reshape(one.shape)} if suffix else {})
    if form.technique == "lokr":
        found = as_kronecker(one, form.target, _generator(name))
    elif form.target is not None:
        found = as_compressed(one.delta, form.target, _generator(name))
    else:
        found = as_exact(one.delta, whole="diff" if "diff" in known else "")
    return replace(
        found, tensors={suffix: _shaped(suffix, tensor, one.shape) for suffix, tensor in found.tensors.items()}
    )


def vector_suffixes(parameter: str, shape: Shape, *, of_norm: bool) -> tuple[str, ...]:
    """Where a vector may be kept: a weight of one dimension is a norm's."""
    if parameter == "weight":
        return ("w_norm",) if len(shape) == 1 else ()
    if parameter != "bias" or len(shape) != 1:
        return ()
    return ("b_norm",) if of_norm else ("diff_b", "lora_up.bias")


def as_compressed(delta: Delta, target: Target, generator: torch.Generator) -> Stored:
    """The nearest LoRA."""
    found = compress(delta, target, generator)
    return Stored(_lora(found.delta), found.whole)


def as_exact(delta: Delta, *, whole: str = "") -> Stored:
    """The same as a LoRA, or under the name `whole`, if there is one, where factors would be larger."""
    if isinstance(delta, LowRank):
        return Stored(_lora(delta))
    return Stored({whole: delta.dense()} if whole else _lora(balanced(*thin_form(delta.dense()))))


def _lora(delta: LowRank) -> dict[str, Tensor]:
    return lora.encode({"weight": delta}) if delta.up.shape[1] else {}


def as_kronecker(one: Asked, target: Target | None, generator: torch.Generator) -> Stored:
    """A LoKr whose larger factor is compressed to the target's rank where that is smaller."""
    first, second = nearest_kronecker(one.delta.dense(), kernel=prod(one.shape[2:]))
    if target is None or target.rank * sum(second.shape) >= second.matrix.numel():
        return Stored(lokr.encode({"weight": lokr.Kronecker(first, second)}))
    smaller = compress(second, target, generator).delta
    return Stored(lokr.encode({"weight": lokr.Kronecker(first, smaller)}))


def kept(tensors: Mapping[str, Tensor], form: Form) -> dict[str, Tensor]:
    """Those that the dialect keeps: an alpha equal to the rank not everywhere, a factor's bias only beside a factor."""
    lone = {"lora_up.bias"} if "lora_up.weight" not in tensors else set[str]()
    return {suffix: one for suffix, one in tensors.items() if suffix in suffixes_of(form.dialect).keys() - lone}


def rounded(tensors: Mapping[str, Tensor], dtype: torch.dtype | None) -> dict[str, Tensor]:
    """The tensors in a type; where an alpha is rounded, a factor makes up for it."""
    out = {suffix: tensor.to(dtype) for suffix, tensor in tensors.items()}
    factor = next((suffix for suffix in ("lora_up.weight", "lokr_w1") if suffix in out and "alpha" in out), None)
    if factor and not bool(out["alpha"] == tensors["alpha"]):
        out[factor] = (tensors[factor] * (tensors["alpha"] / out["alpha"].float())).to(dtype)
    return out


def spelled(tensors: Mapping[str, Tensor], form: Form) -> dict[str, Tensor]:
    """The tensors under the dialect's names."""
    known = suffixes_of(form.dialect)
    return {known[suffix]: tensor for suffix, tensor in tensors.items()}


def unspelled(tensors: Mapping[str, Tensor], form: Form) -> dict[str, Tensor]:
    """The tensors of a written module under this project's names again."""
    back = {name: suffix for suffix, name in suffixes_of(form.dialect).items()}
    return {back[name]: tensor for name, tensor in tensors.items()}


def _shaped(suffix: str, tensor: Tensor, shape: Shape) -> Tensor:
    """As programs expect it beside a convolution, whose kernel belongs to the factor on the input's side."""
    kernel = shape[2:]
    if suffix == "diff":
        return tensor.reshape(shape)
    if suffix == "lora_up.weight":
        return tensor.reshape(*tensor.shape, *(1 for _ in kernel))
    if suffix == "lora_down.weight" or (suffix == "lokr_w2" and kernel):
        return tensor.reshape(len(tensor), -1, *kernel)
    return tensor


def _generator(name: str) -> torch.Generator:
    """Each layer draws from its own stream, so that the same mix gives the same bytes."""
    return torch.Generator().manual_seed(int.from_bytes(sha256(name.encode()).digest()[:8], "big") >> 1)
