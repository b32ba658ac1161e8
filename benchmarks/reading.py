"""A plain reader of adapters and checkpoints, by the formulas of the formats and nothing of Eleven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

import torch
from safetensors import safe_open
from torch import Tensor

from benchmarks.listing import Module

Parts = Iterable[tuple[Mapping[str, Tensor], float]]


class Lazy(Mapping[str, Tensor]):
    """A safetensors file as a mapping that reads a tensor when asked for it."""

    def __init__(self, path: str) -> None:
        self.file = safe_open(path, "pt")
        self.names = dict.fromkeys(map(str, self.file.keys()))

    def __getitem__(self, key: str) -> Tensor:
        if key not in self.names:
            raise KeyError(key)
        return self.file.get_tensor(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def delta(file: Mapping[str, Tensor], prefix: str, dtype: torch.dtype) -> Tensor | None:
    """The dense change of one module, (out, in·kh·kw), or None where the file does not have it."""

    def get(name: str) -> Tensor:
        return file[f"{prefix}.{name}"].to(dtype)

    if f"{prefix}.lora_up.weight" in file:
        up, down = get("lora_up.weight").flatten(1), get("lora_down.weight").flatten(1)
        return up @ down * (get("alpha").item() / len(down))
    if f"{prefix}.hada_w1_a" in file:
        both = (get("hada_w1_a") @ get("hada_w1_b")) * (get("hada_w2_a") @ get("hada_w2_b"))
        return both * (get("alpha").item() / file[f"{prefix}.hada_w1_b"].shape[0])
    if f"{prefix}.lokr_w1" in file:
        first, second = get("lokr_w1"), get("lokr_w2")
        kernel = second.shape[2:]
        first = first.reshape(*first.shape, *(1 for _ in kernel))
        return torch.kron(first, second.contiguous()).flatten(1)
    if f"{prefix}.diff" in file:
        return get("diff").flatten(1)
    return None


def total(parts: Parts, module: Module, dtype: torch.dtype) -> Tensor | None:
    """The sum of the parts' changes by their strengths, or None where no part has the module."""
    found = [(delta(file, module.prefix, dtype), strength) for file, strength in parts]
    changes = [change * strength for change, strength in found if change is not None]
    return sum(changes[1:], changes[0]) if changes else None


def weight(file: Mapping[str, Tensor], module: Module, dtype: torch.dtype) -> Tensor:
    """One module's weight in a checkpoint, (out, in·kh·kw)."""
    whole = file[module.key]
    if module.rows is not None:
        whole = torch.cat([whole[start:stop] for start, stop in module.rows])
    matrix = whole.reshape(module.shape[0], prod(module.shape[1:]))
    return (matrix.T if module.transposed else matrix).to(dtype)


def one_of_each(modules: Iterable[Module]) -> dict[tuple[int, int], list[Module]]:
    """The modules by the shape of their change."""
    found: dict[tuple[int, int], list[Module]] = {}
    for module in modules:
        found.setdefault(module.matrix, []).append(module)
    return found
