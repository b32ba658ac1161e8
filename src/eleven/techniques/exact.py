"""What every technique asks of its numbers: finite, of a real type, and multiplied in float32 or wider."""

from __future__ import annotations

from collections.abc import Mapping

from eleven.errors import TensorError
from eleven.techniques.technique import Original, agree
from eleven.tensors import Float, Shape, Tensor

SCALARS = frozenset({"alpha", "scale"})
INTEGERS = frozenset({"bias_indices", "bias_size", "reshape_weight"})


def solid(shapes: Mapping[str, Shape], *suffixes: str) -> None:
    """TensorError unless those present are matrices or kernels (2 to 5 dimensions) without an empty side."""
    present = [tuple(shapes[suffix]) for suffix in suffixes if suffix in shapes]
    agree(all(2 <= len(shape) <= 5 and min(shape) > 0 for shape in present), shapes)


def widened(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, floats as float32, or float64 where a factor is: no number changes, no product underflows."""
    factors = [tensor for suffix, tensor in tensors.items() if suffix not in SCALARS]
    double = any(tensor.is_floating_point() and tensor.element_size() > 4 for tensor in factors)
    return {suffix: _wide(tensor, double=double or suffix in SCALARS) for suffix, tensor in tensors.items()}


def checked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors widened. TensorError naming the first that holds NaN, infinity or numbers of a wrong type."""
    wide = widened(tensors)
    for suffix, tensor in wide.items():
        integral = not tensor.is_floating_point() and not tensor.is_complex()
        if (integral != (suffix in INTEGERS) and tensor.numel() != 1) or tensor.is_complex():
            raise TensorError(
                f"{suffix} holds {tensors[suffix].dtype} numbers.", hint="The file is damaged or quantised."
            )
        if not integral and not is_finite(tensor.float() if suffix in SCALARS else tensor):
            raise TensorError(
                f"{suffix} holds NaN or infinite numbers.", hint="The training diverged; use an older save."
            )
    return wide


def is_finite(tensor: Tensor) -> bool:
    """Whether there is neither NaN nor infinity, which any sum carries on; a sum that overflows is looked into."""
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def kernels(original: Original) -> Float[Tensor, "out channels kernel"]:
    """The original weight, a matrix as kernels of one entry. TensorError for a vector; BaseNeeded without a base."""
    weight = original.weight()
    if weight.dim() < 2:
        raise TensorError(f"the base weight {list(weight.shape)} is no matrix.", hint="Is this the right base model?")
    return weight.reshape(*weight.shape[:2], -1)


def _wide(tensor: Tensor, *, double: bool) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    return tensor.double() if double else tensor.float()
