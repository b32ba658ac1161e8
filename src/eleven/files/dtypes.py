"""Number types by safetensors' names: their width and torch's name for them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from eleven.files.container import Entry

if TYPE_CHECKING:
    from torch import dtype

DTYPES = (
    ("BOOL", 8, "bool"),
    ("F4", 4, None),
    ("F6_E2M3", 6, None),
    ("F6_E3M2", 6, None),
    ("U8", 8, "uint8"),
    ("I8", 8, "int8"),
    ("F8_E5M2", 8, "float8_e5m2"),
    ("F8_E4M3", 8, "float8_e4m3fn"),
    ("F8_E8M0", 8, "float8_e8m0fnu"),
    ("F8_E4M3FNUZ", 8, "float8_e4m3fnuz"),
    ("F8_E5M2FNUZ", 8, "float8_e5m2fnuz"),
    ("I16", 16, "int16"),
    ("U16", 16, "uint16"),
    ("F16", 16, "float16"),
    ("BF16", 16, "bfloat16"),
    ("I32", 32, "int32"),
    ("U32", 32, "uint32"),
    ("F32", 32, "float32"),
    ("C64", 64, None),
    ("F64", 64, "float64"),
    ("I64", 64, "int64"),
    ("U64", 64, "uint64"),
)
"""Name, bits of one element, torch's name; a file's data begins with the types of the last rows."""

BITS = {name: bits for name, bits, _ in DTYPES}
TORCH = {name: torch_name for name, _, torch_name in DTYPES if torch_name}
NAMES = {f"torch.{torch_name}": name for name, torch_name in TORCH.items()}


def bytes_of(entry: Entry) -> int:
    """The size of a tensor's data."""
    return prod(entry.shape) * BITS[entry.dtype] // 8


def torch_type(name: str) -> dtype | None:
    """Torch's type, or None where this torch has none."""
    import torch

    return getattr(torch, TORCH.get(name, ""), None)
