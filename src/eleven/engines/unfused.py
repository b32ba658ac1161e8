"""Changes beside the weights: factors of all mixes at once, with a strength for each sample of a batch.

y = W·x + U·diag(s)·V·x for each sample's own s; the weights stay the base's (Hu et al. 2021, arXiv 2106.09685, eq. 3).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import final

import torch
from torch import nn
from torch.nn import functional

from eleven.combination import Combination
from eleven.delta import Delta, LowRank
from eleven.engines.weights import Weights
from eleven.finetunes.finetune import FineTune
from eleven.layers.layer import Layer
from eleven.mix import TEXT_ENCODERS
from eleven.tensors import Float, Tensor

Columns = list[tuple[FineTune, int]]
"""The files that a module's factors come from, and how many columns of them."""


@final
@dataclass(eq=False)
class Beside:
    """One module's factors of every file, its changes of the bias, and what each sample takes of them."""

    layer: Layer
    ups: list[Tensor] = field(default_factory=list[Tensor])
    downs: list[Tensor] = field(default_factory=list[Tensor])
    biases: list[Tensor] = field(default_factory=list[Tensor])
    ranks: Columns = field(default_factory=list[tuple[FineTune, int]])
    shifts: list[FineTune] = field(default_factory=list[FineTune])
    strengths: Tensor | None = None
    shift: Tensor | None = None

    def join(self, module: nn.Module) -> None:
        """One pair of factors for all files, in the module's type and place and in its kernel's shape."""
        weight = module.weight
        assert isinstance(weight, nn.Parameter)
        if self.ups:
            up = torch.cat(self.ups, dim=1).to(weight)
            down = torch.cat(self.downs).to(weight)
            linear = weight.ndim == 2
            self.ups = [up if linear else up.reshape(*up.shape, *[1] * (weight.ndim - 2))]
            self.downs = [down if linear else down.reshape(len(down), *weight.shape[1:])]
        self.biases = [torch.stack(self.biases).to(weight)] if self.biases else []

    def take(self, samples: Sequence[Combination | None]) -> None:
        """Sets the strengths of a batch."""
        weight = (self.ups or self.biases)[0]
        rows = [[at for tune, rank in self.ranks for at in [self.strength(each, tune)] * rank] for each in samples]
        self.strengths = torch.tensor(rows).to(weight) if self.ranks else None
        moved = [[self.strength(each, tune) for tune in self.shifts] for each in samples]
        self.shift = torch.tensor(moved).to(weight) @ self.biases[0] if self.shifts else None

    def strength(self, combination: Combination | None, finetune: FineTune) -> float:
        """What a mix takes of one file here."""
        parts = combination.parts if combination else ()
        mine = (part for part, tune in parts if tune is finetune)
        return sum(part.strength_at(self.layer.component, self.layer.block) for part in mine)

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """A forward hook: the output with every sample's own changes added."""
        (x,) = inputs
        if self.strengths is not None:
            output = self.added(output, module, x, self.strengths)
        return output if self.shift is None else output + spread(self.shift, output, module)

    def added(self, output: Tensor, module: nn.Module, x: Tensor, strengths: Tensor) -> Tensor:
        """The output, changed in place, with U·diag(s)·V·x added."""
        up, down = self.ups[0], self.downs[0]
        if isinstance(module, nn.Conv2d):
            inner = functional.conv2d(padded(module, x), down, None, module.stride, padding_of(module), module.dilation)
            return output.add_(functional.conv2d(inner.mul_(spread(strengths, inner, module)), up))
        inner = functional.linear(x, down)
        inner.mul_(spread(strengths, inner, module))
        return output.flatten(0, -2).addmm_(inner.flatten(0, -2), up.T).view_as(output)


def padding_of(module: nn.Conv2d) -> tuple[int, int]:
    """The zeros that the convolution adds by itself."""
    padding = module.padding
    assert not isinstance(padding, str)
    return (padding[0], padding[1]) if module.padding_mode == "zeros" else (0, 0)


def padded(module: nn.Conv2d, x: Tensor) -> Tensor:
    """The input with what the convolution pads otherwise than with zeros."""
    if module.padding_mode == "zeros":
        return x
    rows, columns = (int(size) for size in module.padding)
    return functional.pad(x, (columns, columns, rows, rows), mode=module.padding_mode)


def spread(rows: Float[Tensor, "sample n"], like: Tensor, module: nn.Module) -> Tensor:
    """A row for each sample of an output, whose batch holds all samples once, or twice where guidance doubles it."""
    times, rest = divmod(len(like), len(rows))
    assert not rest, f"{len(like)} inputs of {len(rows)} samples"
    between = [1] * (like.ndim - 2)
    shape = (len(like), -1, *between) if isinstance(module, nn.Conv2d) else (len(like), *between, rows.shape[1])
    return rows.repeat(times, 1).reshape(shape)


@contextmanager
def beside(found: Mapping[nn.Module, Beside]) -> Generator[None]:
    """Every module adds what stands beside it, until the block is left."""
    with ExitStack() as stack:
        for module, one in found.items():
            stack.callback(module.register_forward_hook(one).remove)
        yield


def gather(
    weights: Weights, modules: Mapping[str, nn.Module], combinations: Sequence[Combination]
) -> dict[nn.Module, Beside]:
    """What the denoiser's changes of these mixes put beside its modules."""
    found: dict[nn.Module, Beside] = {}
    finetunes = {tune for combination in combinations for _, tune in combination.parts}
    names = dict.fromkeys(name for combination in combinations for name in combination.modules if in_denoiser(name))
    for name in names:
        module = modules[weights.own[f"{name}.weight"].rpartition(".")[0]]
        for finetune in finetunes:
            for layer, delta in finetune.change(name) if name in finetune.modules else ():
                collect(found.setdefault(module, Beside(layer)), finetune, layer, delta)
    for module, one in found.items():
        one.join(module)
    return found


def collect(one: Beside, finetune: FineTune, layer: Layer, delta: Delta) -> None:
    """Adds one file's change of a parameter."""
    if layer.name.endswith(".bias"):
        one.biases.append(delta.dense()[:, 0])
        one.shifts.append(finetune)
        return
    up, down = both_of(delta) or (delta.dense(), torch.empty(0))
    one.ups.append(up)
    one.downs.append(down)
    one.ranks.append((finetune, up.shape[1]))


def both_of(delta: Delta) -> tuple[Tensor, Tensor] | None:
    """The factors of a delta that has some."""
    return (delta.up, delta.down) if isinstance(delta, LowRank) else delta.factors()


def in_denoiser(module: str) -> bool:
    """Whether a module belongs to no text encoder."""
    return module.partition(".")[0] not in TEXT_ENCODERS


def can_stand_beside(weights: Weights, modules: Mapping[str, nn.Module], combination: Combination | None) -> bool:
    """Whether all changes of the denoiser are a plain sum of factors of linear layers and convolutions."""
    if combination is None:
        return True
    if combination.mix.method != "sum":
        return False
    pairs = ((name, tune) for name in combination.modules if in_denoiser(name) for _, tune in combination.parts)
    return all(is_thin_here(weights, modules, name, tune) for name, tune in pairs if name in tune.modules)


def is_thin_here(weights: Weights, modules: Mapping[str, nn.Module], name: str, finetune: FineTune) -> bool:
    """Whether one file's change of a module can stand beside it."""
    own = weights.own.get(f"{name}.weight")
    module = modules[own.rpartition(".")[0]] if own else None
    plain = isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
    changes = finetune.change(name) if plain else []
    return plain and all(layer.name.endswith(".bias") or both_of(delta) is not None for layer, delta in changes)
