"""What each adapter technique trains in a layer, and how that changes the layer's output; shapes are LyCORIS' own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

from eleven.tensors import Tensor
from eleven.training.plan import TrainingPlan

Tensors = Mapping[str, Tensor]
Layer = torch.nn.Linear | torch.nn.Conv2d
UP, DOWN = "lora_up.weight", "lora_down.weight"


@dataclass(frozen=True)
class Kind:
    """A technique on one layer.

    `start` gives the trained tensors by their names in files, `constants` what is written beside them; `delta` is the
    change of the weight, `output` what a layer adds to its output where that is cheaper than changing the weight.
    """

    suffixes: frozenset[str]
    start: Callable[[Tensor, TrainingPlan], dict[str, Tensor]]
    constants: Callable[[Tensors, TrainingPlan], dict[str, Tensor]]
    delta: Callable[[Tensors, Tensor, float], Tensor]
    output: Callable[[Layer, Tensor, Tensors, float], Tensor] | None = None
    module: str = "lycoris.kohya"
    arguments: str = ""


def alpha(tensors: Tensors, plan: TrainingPlan) -> dict[str, Tensor]:  # noqa: ARG001 - the type of `constants`
    """alpha, or the rank where none is given."""
    return {"alpha": torch.tensor(float(plan.alpha or plan.rank))}


def start_lora(weight: Tensor, plan: TrainingPlan) -> dict[str, Tensor]:
    """A random down and an up of zeros (Hu 2021, arXiv 2106.09685; kohya's layout for convolutions)."""
    rows, columns, *kernel = weight.shape
    down = torch.empty(plan.rank, columns, *kernel)
    torch.nn.init.kaiming_uniform_(down, a=math.sqrt(5))
    return {DOWN: down, UP: torch.zeros(rows, plan.rank, *(1 for _ in kernel))}


def delta_lora(tensors: Tensors, weight: Tensor, scale: float) -> Tensor:
    """scale · up · down."""
    return (tensors[UP].flatten(1) @ tensors[DOWN].flatten(1)).reshape(weight.shape) * scale


def output_lora(layer: Layer, x: Tensor, tensors: Tensors, scale: float) -> Tensor:
    """scale · up(down(x)), without building the change."""
    up = tensors[UP] * scale
    down = passed(layer, x, tensors[DOWN], None)
    return functional.linear(down, up) if isinstance(layer, torch.nn.Linear) else functional.conv2d(down, up)


def passed(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What the layer would give with another weight and bias."""
    if isinstance(layer, torch.nn.Linear):
        return functional.linear(x, weight, bias)
    return layer._conv_forward(x, weight, bias)  # pyright: ignore[reportPrivateUsage]


def start_loha(weight: Tensor, plan: TrainingPlan) -> dict[str, Tensor]:
    """Two products of which one begins at zero."""
    from lycoris.functional import loha

    names = ("hada_w1_b", "hada_w1_a", "hada_w2_b", "hada_w2_a")
    found = loha.weight_gen(weight.flatten(1), plan.rank, tucker=False)
    return dict(zip(names, found[:4], strict=True))


def delta_loha(tensors: Tensors, weight: Tensor, scale: float) -> Tensor:
    """scale · (w1a·w1b) ⊙ (w2a·w2b) (Hyeon-Woo 2021, arXiv 2108.06098)."""
    first, second = tensors["hada_w1_a"] @ tensors["hada_w1_b"], tensors["hada_w2_a"] @ tensors["hada_w2_b"]
    return (first * second).reshape(weight.shape) * scale


def start_lokr(weight: Tensor, plan: TrainingPlan) -> dict[str, Tensor]:
    """A small matrix, and a larger one that begins at zero, as a product where that is smaller."""
    from lycoris.functional import lokr

    names = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")
    found = lokr.weight_gen(weight, plan.rank, tucker=False, factor=plan.factor)
    tensors = {name: one for name, one in zip(names, found, strict=False) if one is not None}
    return {name: one.flatten(1) if name == "lokr_w2_b" else one for name, one in tensors.items()}


def delta_lokr(tensors: Tensors, weight: Tensor, scale: float) -> Tensor:
    """scale · w1 ⊗ w2, the scale 1 where both are whole (Yeh 2023, arXiv 2309.14859)."""
    small = tensors["lokr_w1"]
    if "lokr_w2" in tensors:
        large, scale = tensors["lokr_w2"], 1.0
    else:
        large = tensors["lokr_w2_a"] @ tensors["lokr_w2_b"]
        large = large.reshape(len(large), -1, *weight.shape[2:])
    return torch.kron(small.reshape(*small.shape, *(1 for _ in weight.shape[2:])), large) * scale


def start_ia3(weight: Tensor, plan: TrainingPlan) -> dict[str, Tensor]:  # noqa: ARG001 - the type of `start`
    """No offset for any output (Liu 2022, arXiv 2205.05638; LyCORIS modules/ia3.py)."""
    kernel = weight.shape[2:]
    return {"weight": torch.zeros(1, len(weight), *(1 for _ in kernel)) if kernel else torch.zeros(len(weight))}


def delta_ia3(tensors: Tensors, weight: Tensor, scale: float) -> Tensor:  # noqa: ARG001 - the type of `delta`
    """Each row of the weight times its offset."""
    return weight * tensors["weight"].reshape(-1, *(1 for _ in weight.shape[1:]))


def start_oft(weight: Tensor, plan: TrainingPlan) -> dict[str, Tensor]:
    """No rotation of any block of outputs."""
    from lycoris.functional import diag_oft

    return {"oft_blocks": diag_oft.weight_gen(weight, plan.rank)[0]}


def delta_oft(tensors: Tensors, weight: Tensor, scale: float) -> Tensor:  # noqa: ARG001 - the type of `delta`
    """(R − I)·W, R from Cayley's formula (Qiu 2023, arXiv 2306.07280; LyCORIS functional/diag_oft.py)."""
    from lycoris.functional import diag_oft

    return diag_oft.diff_weight(weight, tensors["oft_blocks"], None, constraint=0).to(weight.dtype)


LORA = Kind(frozenset({UP, DOWN}), start_lora, alpha, delta_lora, output_lora, module="networks.lora")
KINDS: Mapping[str, Kind] = {
    "lora": LORA,
    "locon": Kind(LORA.suffixes, start_lora, alpha, delta_lora, output_lora, arguments='{"algo": "locon"}'),
    "loha": Kind(frozenset({"hada_w1_a"}), start_loha, alpha, delta_loha, arguments='{"algo": "loha"}'),
    "lokr": Kind(frozenset({"lokr_w1"}), start_lokr, alpha, delta_lokr, arguments='{"algo": "lokr"}'),
    "ia3": Kind(
        frozenset({"weight"}),
        start_ia3,
        lambda tensors, plan: {"on_input": torch.tensor(0.0)},  # noqa: ARG005
        delta_ia3,
        arguments='{"algo": "ia3"}',
    ),
    "oft": Kind(
        frozenset({"oft_blocks"}),
        start_oft,
        lambda tensors, plan: {"alpha": torch.tensor(0.0)},  # noqa: ARG005
        delta_oft,
        arguments='{"algo": "diag-oft"}',
    ),
}
"""The techniques that change layers by few numbers."""
