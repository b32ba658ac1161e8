"""Half-precision numbers as float32 and back, by their bits: numpy's own casts take several times as long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from eleven.raw import WIDTHS, Raw

Array: TypeAlias = NDArray[np.float32]
Bits: TypeAlias = NDArray[np.uint16]

SHIFT = 2.0**112
"""What float32 makes of half precision's bits in its own places is smaller by this, both exponents' distance."""
LARGEST = 1e4
SMALLEST = 113 << 23
"""The bits of the smallest float32 that is normal in half precision."""
TOO_LARGE = {"F16": 0x477F_F000, "BF16": 0x7F7F_8000, "F32": 0x7F80_0000}
"""The bits of the smallest float32 that is rounded to infinity."""


def widen(raw: Raw, strength: float, out: Array) -> bool:
    """Writes strength times the numbers, rounded once, into a matrix; False where one is not finite or would not be."""
    if not abs(strength) < LARGEST:
        return False
    values = raw.values.reshape(out.shape)
    if raw.dtype == "F16":
        bits = values.view(np.int16)
        if bits.max(initial=0) >= 0x7C00 or values.max(initial=0) >= 0xFC00:
            return False
        wide = bits.astype(np.int32)
        wide <<= 13
        # the sign filled the bits above the exponent
        wide &= -0x7000_0001
        np.multiply(wide.view(np.float32), np.float32(SHIFT * strength), out=out)
        return True
    wide = (values.astype(np.uint32) << 16).view(np.float32) if raw.dtype == "BF16" else values
    with np.errstate(over="ignore", invalid="ignore"):
        np.multiply(wide, np.float32(strength), out=out)
    return bool(np.isfinite(out).all())


def single(raw: Raw) -> float | None:
    """The one number of a tensor; None where there are more, or it is not finite."""
    return _single(raw.dtype, raw.values.tobytes()) if raw.values.size == 1 else None


@lru_cache
def _single(dtype: str, data: bytes) -> float | None:
    """A file has the same alpha in every module."""
    out = np.empty((1, 1), np.float32)
    return float(out[0, 0]) if widen(Raw(dtype, np.frombuffer(data, WIDTHS[dtype])), 1.0, out) else None


def narrow(numbers: Array, dtype: str) -> Raw | None:
    """The numbers rounded to the nearest, ties to even; None where one is not finite or would not be."""
    bits = np.ascontiguousarray(numbers).reshape(-1).view(np.uint32)
    sizes = np.bitwise_and(bits, 0x7FFF_FFFF, dtype=np.uint32)
    if sizes.max(initial=0) >= TOO_LARGE[dtype]:
        return None
    return Raw(dtype, NARROW[dtype](bits, sizes).reshape(numbers.shape))


def _half(bits: NDArray[np.uint32], sizes: NDArray[np.uint32]) -> Bits:
    """Half of the last bit to keep is added, as below; the few that are subnormal then are left to numpy."""
    few = np.flatnonzero(sizes < SMALLEST)
    rounded = bits >> 13
    rounded &= 1
    rounded += sizes
    rounded += np.uint32((1 << 32) - (112 << 23) + 0xFFF)
    rounded >>= 13
    np.right_shift(bits, 16, out=sizes)
    sizes &= 0x8000
    sizes |= rounded
    found = sizes.astype(np.uint16)
    found[few] = bits.view(np.float32)[few].astype(np.float16).view(np.uint16)
    return found


def _brain(bits: NDArray[np.uint32], sizes: NDArray[np.uint32]) -> Bits:
    """Half of the last bit to keep is added, less one where that bit is not set."""
    np.right_shift(bits, 16, out=sizes)
    sizes &= 1
    sizes += bits
    sizes += 0x7FFF
    sizes >>= 16
    return sizes.astype(np.uint16)


def _whole(bits: NDArray[np.uint32], sizes: NDArray[np.uint32]) -> Array:  # noqa: ARG001
    return bits.view(np.float32)


NARROW: Mapping[str, Callable[[NDArray[np.uint32], NDArray[np.uint32]], NDArray[np.uint16 | np.float32]]] = {
    "F16": _half,
    "BF16": _brain,
    "F32": _whole,
}
