"""A change that is a product of two thin matrices, written as a LoRA and proved in numpy, which is there at once."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from eleven import techniques, thin
from eleven.compress import LOPSIDED
from eleven.errors import OutputError
from eleven.exports.forms import DTYPES, Form
from eleven.exports.proof import LayerProof
from eleven.exports.spelling import suffixes_of
from eleven.files.container import Entry
from eleven.files.growing import GrowingFile
from eleven.halves import narrow, single
from eleven.layers.layer import Layer
from eleven.raw import Raw, empty
from eleven.thin import Pair, gram

Squares = NDArray[np.float64]

NAMES = ("lora_up.weight", "lora_down.weight", "alpha")


def write_product(file: GrowingFile, prefix: str, change: tuple[Layer, Pair], form: Form) -> LayerProof | None:
    """Appends one module as a LoRA, reads it back, and measures what it decodes to against what was asked.

    None, and nothing is written, where it is to be another form, or a number is out of range.
    """
    layer, asked = change
    if form.technique != "lora" or len(layer.shape) < 2 or not layer.name.endswith(".weight"):
        return None
    kept, whole = _kept(asked, form)
    tensors = _tensors(kept, layer, DTYPES[form.dtype]) if kept is not None else None
    if tensors is None:
        return None
    known = suffixes_of(form.dialect)
    spelled = {name: f"{prefix}.{known[name]}" for name in tensors if name in known}
    for name, key in spelled.items():
        file.append_bytes(key, Entry(tensors[name].dtype, tensors[name].values.shape), tensors[name].data)
    found = techniques.factors({name: _read(file, key) for name, key in spelled.items()})
    stored = thin.side_by_side([(1.0, found)]) if found is not None else None
    if stored is None:
        raise OutputError(f"{prefix}: does not read back as it was written.", hint="Check the disk.")
    label = f"rank {len(stored[1])}"
    return LayerProof(f"{prefix}.weight", *thin.squares(asked, stored, whole), label)


def _kept(asked: Pair, form: Form) -> tuple[Pair | None, float]:
    """What is to be stored, and the squared norm of what was asked."""
    if form.target is None:
        ups, downs = (gram(factor, np.float32).astype(np.float64) for factor in (asked[0].T, asked[1]))
        return (asked if _is_balanced(ups.diagonal(), downs.diagonal()) else None), float(np.vdot(ups, downs))
    found = thin.nearest(asked, form.target)
    return ((found.up, found.down) if found.up.shape[1] else None), found.whole


def _is_balanced(heights: Squares, widths: Squares) -> bool:
    """Whether up's columns and down's rows are there and of like size, so that they can be kept as they are."""
    if not (heights.min() > 0 and widths.min() > 0):
        return False
    return bool((np.abs(np.log2(widths / heights)) <= 2 * LOPSIDED).all())


def _tensors(pair: Pair, layer: Layer, dtype: str) -> dict[str, Raw] | None:
    """Rounded, as programs expect it beside a convolution, whose kernel belongs to the factor on the input's side."""
    up, down = pair
    rank, kernel = len(down), layer.shape[2:]
    up = up.reshape(*up.shape, *(1 for _ in kernel))
    down = down.reshape(rank, -1, *kernel)
    raws = narrow(up, dtype), narrow(down, dtype), _alpha(rank, dtype)
    known = {name: raw for name, raw in zip(NAMES, raws, strict=True) if raw is not None}
    return known if len(known) == len(NAMES) else None


@cache
def _alpha(rank: int, dtype: str) -> Raw | None:
    """None where the type does not hold it."""
    raw = narrow(np.array(rank, np.float32), dtype)
    return raw if raw is not None and single(raw) == rank else None


def _read(file: GrowingFile, key: str) -> Raw:
    entry = file.entries[key]
    raw = empty(entry.dtype, entry.shape)
    assert raw is not None
    file.read_bytes(key, raw.data)
    return raw
