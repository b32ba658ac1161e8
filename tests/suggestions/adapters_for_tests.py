"""Small adapters whose deltas are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

OUT, IN = 48, 32
MODULES = ("net.0.proj", "net.1.proj", "net.2.proj")


def factors(seed, rank=4, out=OUT, width=IN, modules=MODULES):
    """Random (up, down) by module."""
    draw = np.random.default_rng(seed)
    return {name: (draw.standard_normal((out, rank)), draw.standard_normal((rank, width))) for name in modules}


def write_lora(path: Path, found, **metadata):
    """The factors as a LoRA; `__` in a metadata key is a dot."""
    tensors = {}
    for name, (up, down) in found.items():
        tensors[f"{name}.lora_up.weight"] = torch.tensor(up, dtype=torch.float32)
        tensors[f"{name}.lora_down.weight"] = torch.tensor(down, dtype=torch.float32)
    save_file(tensors, path, {key.replace("__", "."): text for key, text in metadata.items()} or None)
    return path


def write_full(path: Path, found):
    """The same changes entry by entry."""
    tensors = {f"{name}.diff": torch.tensor(up @ down, dtype=torch.float32) for name, (up, down) in found.items()}
    save_file(tensors, path)
    return path


def near(found, distance, seed=99):
    """The factors a little further on: what a later checkpoint of the run has."""
    draw = np.random.default_rng(seed)
    return {
        name: tuple(one + distance * draw.standard_normal(one.shape) for one in both) for name, both in found.items()
    }
