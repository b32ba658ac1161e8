"""Files of real shapes that cost nothing to make, written without torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

from eleven.files.dtypes import BITS
from eleven.layers.dialect import spell
from eleven.layers.family import family

Header = Mapping[str, tuple[str, Sequence[int]]]
"""Type and shape of each tensor by its key."""


def write_header(path: Path, tensors: Header, metadata: Mapping[str, str] | None = None, *, block: bytes = b"") -> Path:
    """A safetensors file of these tensors; all zeros (a hole, where the disk can), or `block` over and over."""
    listed: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for key, (dtype, shape) in tensors.items():
        start, end = end, end + prod(shape) * BITS[dtype] // 8
        listed[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    raw = json.dumps(listed).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(raw)) + raw)
        for start in range(0, end if block else 0, len(block) or 1):
            stream.write(block[: end - start])
        stream.truncate(8 + len(raw) + end)
    return path


def sdxl_lora(rank: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors of a LoRA on 722 layers of SDXL's UNet and 264 of its text encoders, as sd-scripts writes them."""
    sdxl = family("sdxl")
    assert sdxl is not None
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    for module, layer in sdxl.modules().items():
        if is_trained(module):
            prefix, kernel = spell(sdxl, module, "kohya"), (1,) * (len(layer.shape) - 2)
            tensors[f"{prefix}.lora_up.weight"] = "F16", (layer.shape[0], rank, *kernel)
            tensors[f"{prefix}.lora_down.weight"] = "F16", (rank, *layer.shape[1:])
            tensors[f"{prefix}.alpha"] = "F16", ()
    return tensors


def is_trained(module: str) -> bool:
    """Whether sd-scripts trains a layer by default: those of attention blocks and of text encoders."""
    text = module.startswith("text_") and (".self_attn." in module or ".mlp." in module)
    return text or (module.startswith("unet.") and ".attentions." in module and "norm" not in module)
