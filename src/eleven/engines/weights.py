"""The parameters of a pipeline in memory, patched from pristine copies of those that were ever touched."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import final

import torch
from torch import nn

from eleven.bases.families import shapes_of
from eleven.delta import Delta, Dense, LowRank
from eleven.errors import FamilyMismatch, TensorError, UsageError
from eleven.exports.patching import BLOCK, adding, size_of, spans
from eleven.layers.layer import Layer
from eleven.layers.live import live_family
from eleven.tensors import Tensor

BLOCK_ON_DEVICE = 1 << 25
"""Elements of a block on an accelerator, where starting a computation costs more than a cache miss."""


@final
class Weights:
    """The layers of a pipeline's components by name; `apply` changes them and puts back what it changed before.

    Sums are made in float32, or in float64 for parameters as wide as that, and rounded once, as a bake does.
    """

    def __init__(self, components: Mapping[str, nn.Module], *, hint: str = "") -> None:
        """FamilyMismatch where the layers are named as in no known family."""
        found = {f"{part}.{name}": one for part, model in components.items() for name, one in model.named_parameters()}
        live = live_family({part: shapes_of(model) for part, model in components.items()}, hint=hint)
        self.family = live.family
        self.own = live.own
        self.parameters = {layer: found[own] for layer, own in live.own.items()}
        self._pristine: dict[str, Tensor] = {}
        self._patched: set[str] = set()

    def apply(self, changes: Iterable[tuple[Layer, Delta]]) -> None:
        """Every layer of `changes` is the original plus its delta, every other one the original, bit for bit.

        FamilyMismatch for a layer that the base has not, TensorError where a change does not fit or overflows.
        """
        before, written = set(self._patched), dict[str, Tensor]()
        for layer, delta in changes:
            parameter = self._checked(layer, delta)
            self._patched.add(layer.name)
            self._write(layer.name, parameter, delta)
            if parameter.dtype == torch.float16:
                written[layer.name] = torch.isfinite(parameter).all()
            before.discard(layer.name)
        for name in before:
            self.parameters[name].data.copy_(self._pristine[name])
        self._patched -= before
        overflown = next((name for name, finite in written.items() if not finite), None)
        if overflown is not None:
            told = f"{overflown} overflows float16 with the mix added."
            raise TensorError(told, hint="Lower the strengths, or open the base in float32.")

    def restore(self) -> None:
        """Every parameter is the original again, bit for bit."""
        self.apply(())

    def patched(self) -> dict[str, Tensor]:
        """Copies of every parameter that is changed now."""
        return {name: self.parameters[name].data.clone() for name in self._patched}

    @contextmanager
    def showing(self, values: Mapping[str, Tensor]) -> Generator[None]:
        """These stand in place of the parameters until the block is left; nothing is copied."""
        before = {name: self.parameters[name].data for name in values}
        try:
            for name, value in values.items():
                self.parameters[name].data = value
            yield
        finally:
            for name, value in before.items():
                self.parameters[name].data = value

    def original(self, name: str) -> Tensor:
        """A layer as the base has it, whatever is patched now."""
        return self._pristine.get(name, self.parameters[name].data)

    def _checked(self, layer: Layer, delta: Delta) -> nn.Parameter:
        parameter = self.parameters.get(layer.name)
        if parameter is None:
            raise FamilyMismatch(f"the base has no {layer.name}, which the mix changes.", hint="Use another base.")
        if size_of(tuple(parameter.shape)) != delta.shape:
            told = f"{layer.name} is {list(parameter.shape)} in the base, its change {list(delta.shape)}."
            raise TensorError(told, hint="The mix is for another variant of the base.")
        if parameter.is_meta or not parameter.is_floating_point():
            told = f"{layer.name} is not in memory as numbers that can be added to ({parameter.dtype})."
            raise UsageError(told, hint="Open the base without sequential offload and without quantization.")
        return parameter

    def _write(self, name: str, parameter: nn.Parameter, delta: Delta) -> None:
        """Block by block, each summed from the pristine copy."""
        live = parameter.data
        if name not in self._pristine:
            self._pristine[name] = live.clone(memory_format=torch.contiguous_format)
        on_cpu = live.device.type == "cpu"
        wide = torch.float64 if live.dtype.itemsize > 2 and on_cpu else torch.float32
        to = live if live.is_contiguous() else torch.empty_like(live, memory_format=torch.contiguous_format)
        source, target = (tensor.reshape(size_of(tuple(live.shape))) for tensor in (self._pristine[name], to))
        add = adding(placed(delta, live.device), wide)
        for _, _, span in spans(delta.shape, BLOCK if on_cpu else BLOCK_ON_DEVICE):
            block = source[span].to(device=live.device, dtype=wide, copy=True)
            add(block, span)
            target[span] = block
        if to is not live:
            live.copy_(to)


def placed(delta: Delta, device: torch.device) -> Delta:
    """The delta on a device: as it is on the processor, else as factors or a matrix there."""
    if device.type == "cpu":
        return delta
    both = (delta.up, delta.down) if isinstance(delta, LowRank) else delta.factors()
    return LowRank(*(factor.to(device) for factor in both)) if both else Dense(delta.dense().to(device))
