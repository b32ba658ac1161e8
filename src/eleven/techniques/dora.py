"""DoRA, on top of any technique: the changed weight gets stored lengths of its rows, or of its input columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal, final

from typing_extensions import override

from eleven.delta import Delta
from eleven.errors import TensorError
from eleven.techniques.oft import like
from eleven.techniques.technique import Original
from eleven.tensors import Float, Shape, Tensor

SCALE = "dora_scale"
PEFT = "dora_peft"
"""A marker, any tensor, that the reader adds to PEFT's magnitudes: always of outputs, even as (1, out, 1, 1)."""
SUFFIXES = frozenset({SCALE, PEFT})

Axis = Literal["output", "input"]


@final
@dataclass(frozen=True, eq=False)
class Decomposed(Delta):
    """ΔW' = ratio ⊙ (W + ΔW) − W; the ratio is (out, 1) or (1, in·kh·kw), and `scale` the tensor as it was stored."""

    inner: Delta
    ratio: Tensor
    weight: Float[Tensor, "out in"]
    scale: Tensor

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.inner.shape

    @property
    @override
    def T(self) -> Delta:
        return Decomposed(self.inner.T, self.ratio.T, self.weight.T, self.scale)

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        if self.ratio.shape[0] == self.shape[0] and self.ratio.shape[1] == 1:
            return (self.inner @ x) * self.ratio + (self.weight @ x) * (self.ratio - 1)
        columns = self.ratio.T
        return self.inner @ (x * columns) + self.weight @ (x * (columns - 1))

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        return self.inner.dense() * self.ratio + self.weight * (self.ratio - 1)

    @override
    def factors(self) -> None:
        return None


def axis(shape: Shape, weight_shape: tuple[int | None, ...], *, peft: bool = False) -> Axis:
    """Whether a `dora_scale` of this shape holds lengths of output rows or of input columns.

    (out, 1[, 1, 1]) and a plain (out) are outputs, (1, in[, 1, 1]) inputs (LyCORIS modules/locon.py, `wd_on_out`);
    PEFT stores a convolution's outputs as (1, out, 1, 1), which the sizes or `peft` tell. A1111 and InvokeAI take every
    file for inputs. TensorError where the shape fits neither side; an unknown size (None) fits.
    """
    rows, columns = (*weight_shape, None, None)[:2]
    count = prod(shape)
    upright = max(shape[1:], default=1) == 1
    sideways = len(shape) > 1 and shape[0] == 1 and max(shape[2:], default=1) == 1
    output, input_ = count > 0 and rows in (None, count), count > 0 and columns in (None, count)
    if sideways and input_ and not (peft and output):
        return "input"
    if (upright or sideways) and output:
        return "output"
    raise TensorError(
        f"{SCALE} {list(shape)} fits neither side of the weight {list(weight_shape)}.",
        hint="The file is damaged or for another base.",
    )


def wrap(delta: Delta, tensors: Mapping[str, Tensor], original: Original) -> Delta:
    """(W + ΔW)·scale / ‖W + ΔW‖ − W for the ΔW of any technique (Liu 2024, arXiv 2402.09353, eq. 5).

    The norm is over all other axes: of a row over in, kh and kw; of an input over out, kh and kw (LyCORIS
    functional/general.py, weight_decompose; PEFT tuners/lora/dora.py). A row without length stays without.
    """
    weight = original.weight()
    side = axis(tuple(tensors[SCALE].shape), tuple(weight.shape), peft=PEFT in tensors)
    if weight.dim() < 2 or delta.shape != (weight.shape[0], weight[0].numel()):
        raise TensorError(f"a change of {list(delta.shape)} does not fit the base weight {list(weight.shape)}.")
    matrix, kernel = weight.flatten(1), weight[0, 0].numel()
    scale = like(tensors, SCALE, matrix).flatten()
    norm = lengths((matrix + delta.dense()).to(scale.dtype), side, kernel)
    ratio = (scale.to(norm.dtype) / norm).masked_fill(norm == 0, 0.0)
    ratio = (ratio[:, None] if side == "output" else ratio.repeat_interleave(kernel)[None]).to(scale.dtype)
    return Decomposed(delta, ratio, matrix.to(scale.dtype), tensors[SCALE])


def unwrap(delta: Delta) -> tuple[Delta, dict[str, Tensor]]:
    """The change that was wrapped, for its technique to encode, and the tensors to add; any other delta as it is."""
    if not isinstance(delta, Decomposed):
        return delta, {}
    return delta.inner, {SCALE: delta.scale}


def lengths(matrix: Float[Tensor, "out columns"], side: Axis, kernel: int) -> Float[Tensor, " n"]:
    """Norms of rows, or of the `kernel` columns that belong to each input, in float64."""
    import torch

    if side == "output":
        return torch.linalg.vector_norm(matrix, dim=1, dtype=torch.float64)
    return torch.linalg.vector_norm(matrix.unflatten(1, (-1, kernel)), dim=(0, 2), dtype=torch.float64)
