"""Writes safetensors one tensor at a time, without torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path

import numpy as np

Tensor = tuple[str, tuple[int, ...], Callable[[], np.ndarray]]
"""A key, its shape, and what makes its numbers."""


def write_fp16(path: Path, tensors: Iterable[Tensor]) -> None:
    """A whole file under its name, or none; every tensor is fp16 and made just before it is written."""
    listed, header, end = list(tensors), {}, 0
    for key, shape, _ in listed:
        size = 2 * prod(shape)
        header[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key, shape, make in listed:
            made = np.ascontiguousarray(make(), dtype=np.float16)
            assert made.size == prod(shape), key
            file.write(made.data)
    draft.replace(path)
