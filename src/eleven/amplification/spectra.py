"""What a mix does to the leading singular directions of a base's weights, layer by layer, from products alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import final

import numpy as np
import torch

from eleven.algebra import gathered, norm, spectrum
from eleven.combination import Combination
from eleven.delta import Delta, Dense, Sum
from eleven.errors import TensorError
from eleven.finetunes.checkpoint import Checkpoint
from eleven.sketch import orthonormal
from eleven.tensors import Float, Tensor

LEADING, INTRUDING = 10, 0.5
"""How many singular vectors are looked at, and below which cosine one is an intruder: 2410.21228 and its code."""

BLOCK, BLOCKS = 16, 4
"""Vectors that are multiplied at once, and how often."""

NARROWEST = 64
"""A vector of fewer numbers is near one of the base's by chance."""


@final
@dataclass(frozen=True)
class LayerSpectrum:
    """One layer: the largest singular values of the change and of the base's weight, and how many directions intrude.

    `intruders` is None where the layer is too narrow to tell.
    """

    layer: str
    change: float
    base: float
    intruders: int | None

    @property
    def ratio(self) -> float:
        """The change over the base's weight; infinite where that is zero and the change is not."""
        if self.base > 0:
            return self.change / self.base
        return float("inf") if self.change > 0 else 0.0


@final
@dataclass(frozen=True)
class Spectra:
    """All layers with a matrix in the base: the 95th percentile of the ratio, its largest and where, and intruders.

    `intruders` is their mean number among the leading ten directions of a layer; 0 where no layer is wide enough.
    """

    ratio: float
    highest: float
    where: str
    intruders: float
    layers: tuple[LayerSpectrum, ...]


def measure_spectra(
    combination: Combination, base: Checkpoint, *, progress: Callable[[int], object] = lambda _: None
) -> Spectra:
    """The spectra of a mix on a base, one layer in memory at a time.

    `progress` is called after each module with how many there are. TensorError where the base or the change holds NaN
    or infinity, or none of the layers is a matrix of the base.
    """
    found: list[LayerSpectrum] = []
    for module in combination.modules:
        found += _module(combination, base, module)
        progress(len(combination.modules))
    if not found:
        raise TensorError(f"{base.path.name}: has no matrix that the mix changes.", hint="Is it the right base?")
    ratios = [one.ratio for one in found]
    counted = [one.intruders for one in found if one.intruders is not None]
    most = max(found, key=lambda one: one.ratio)
    high = float(np.percentile(ratios, 95))
    return Spectra(high, most.ratio, most.layer, float(np.mean(counted)) if counted else 0.0, tuple(found))


def _module(combination: Combination, base: Checkpoint, module: str) -> Iterator[LayerSpectrum]:
    for layer, delta in combination.change(module):
        name = base.find(module, layer.name.rpartition(".")[2])
        weight = None if name is None else base.load(name)
        if weight is not None and weight.dim() > 1 and weight.flatten(1).shape == delta.shape:
            yield spectrum_of(layer.name, weight.flatten(1), delta)


def spectrum_of(name: str, weight: Float[Tensor, "out in"], delta: Delta) -> LayerSpectrum:
    """The spectrum of the layer of this name. TensorError where a number is not finite."""
    change, before = gathered(delta), Dense(weight)
    if not (isfinite(norm(change)) and isfinite(norm(before))):
        raise TensorError(f"{name} holds NaN or infinity.", hint="The base or a fine-tune is damaged.")
    vectors, values = leading(before)
    largest = spectrum(change) if change.factors() is not None else leading(change)[1]
    intruders = None
    if min(delta.shape) >= NARROWEST:
        after, _ = leading(Sum(((1.0, before), (1.0, change))))
        intruders = int(((vectors.T @ after[:, :LEADING]).abs().amax(0) < INTRUDING).sum())
    return LayerSpectrum(name, float(largest[0]), float(values[0]), intruders)


def leading(delta: Delta) -> tuple[Float[Tensor, "out k"], Float[Tensor, " k"]]:
    """The leading left singular vectors and values, largest first, by a block Krylov space with a seeded start.

    Musco and Musco 2015, arXiv 1504.05477, algorithm 2; of a matrix narrower than that space all of them.
    """
    rows, columns = delta.shape
    if min(rows, columns) <= BLOCK * BLOCKS:
        both = torch.linalg.svd(delta.dense(), full_matrices=False)
        return both.U, both.S
    transposed, start = delta.T, torch.Generator().manual_seed(0)
    block = delta @ torch.randn(columns, BLOCK, generator=start)
    basis = block[:, :0]
    products = list[Tensor]()
    for _ in range(BLOCKS):
        basis = torch.cat([basis, fresh := orthonormal(block, basis)], dim=1)
        products.append(transposed @ fresh)
        block = delta @ products[-1]
    squares, turns = torch.linalg.eigh(_gram(products))
    return basis @ turns.flip(1).float(), squares.flip(0).clamp(min=0).sqrt()


def _gram(products: Sequence[Float[Tensor, "in k"]]) -> Float[Tensor, "m m"]:
    wide = torch.cat(list(products), dim=1).double()
    return wide.T @ wide
