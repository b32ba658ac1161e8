"""Names of what a base model is made of, always in diffusers' spelling with the component's folder in front."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from eleven.tensors import Shape

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One parameter of a base model, e.g. `unet.conv_in.weight`; in an unknown family the file's own name.

    `shape` is the parameter's own, (out, in, kh, kw) for a convolution, and () where the table does not know it;
    `block` is what users address (IN04, MID, D07, TE).
    """

    name: str
    shape: Shape
    block: str

    @property
    def component(self) -> str:
        """The pipeline's part: unet, transformer, text_encoder, text_encoder_2 …"""
        return self.name.partition(".")[0]

    @property
    def matrix(self) -> tuple[int, int]:
        """The shape of its delta: (out, in·kh·kw), (n, 1) for a bias."""
        return (self.shape[0], prod(self.shape[1:])) if self.shape else (1, 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the change of one module in a file lands: a module of the family, and which rows of the change it takes.

    `ranges` is None for all rows; a fused file module (qkv) has one place for each of its parts.
    """

    module: str
    ranges: Ranges | None = None
