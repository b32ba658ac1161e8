"""Adapters, checkpoints and words for the tiny pipelines, written as the programs that train them do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from eleven.layers.dialect import spellings
from eleven.layers.family import Family

RANK = 2
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "v_proj", "ff.net.0.proj")
KOHYA = {"up": "lora_up.weight", "down": "lora_down.weight"}
DIFFUSERS = {"up": "lora_B.weight", "down": "lora_A.weight"}
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Target:
    """A module as one program names it, and the shape of its weight."""

    prefix: str
    shape: tuple[int, ...]


def targets(
    family: Family, dialect: str, ends: Sequence[str] = ATTENTION, *, parts: Iterable[str] = ()
) -> list[Target]:
    """The modules of the denoiser and the text encoders (or of `parts`) whose names end so, each fused one once."""
    known = family.modules()
    wanted = set(parts) or {component.folder for component in family.components if component.role != "vae"}
    found: list[Target] = []
    for prefix, places in spellings(family, dialect).items():
        first = places[0].module
        if first.partition(".")[0] in wanted and first.endswith(tuple(ends)):
            rows = max((stop for place in places for _, stop in place.ranges or ()), default=known[first].shape[0])
            found.append(Target(prefix, (rows, *known[first].shape[1:])))
    return found


def lora(
    path: Path, found: Sequence[Target], *, seed: int, names: Mapping[str, str] = KOHYA, size: float = 0.3
) -> Path:
    """A LoRA of these modules; kohya's come with an alpha."""
    chance = torch.Generator().manual_seed(seed)
    tensors: Tensors = {}
    for target in found:
        rows, *columns = target.shape
        inner = [1] * (len(columns) - 1)
        tensors[f"{target.prefix}.{names['up']}"] = torch.randn(rows, RANK, *inner, generator=chance) * size
        tensors[f"{target.prefix}.{names['down']}"] = torch.randn(RANK, *columns, generator=chance) * size
        if names is KOHYA:
            tensors[f"{target.prefix}.alpha"] = torch.tensor(1.5)
    return written(path, tensors)


def renamed(source: Path, path: Path, family: Family) -> Path:
    """A kohya LoRA in diffusers' names: fused modules cut into their parts, alpha multiplied in."""
    given, tensors = load_file(source), Tensors()
    for prefix, places in spellings(family, "kohya").items():
        if f"{prefix}.lora_up.weight" in given:
            up, down = given[f"{prefix}.lora_up.weight"], given[f"{prefix}.lora_down.weight"]
            for place in places:
                rows = up if place.ranges is None else torch.cat([up[start:stop] for start, stop in place.ranges])
                tensors[f"{place.module}.lora_B.weight"] = rows * given[f"{prefix}.alpha"] / RANK
                tensors[f"{place.module}.lora_A.weight"] = down.clone()
    return written(path, tensors)


def written_out(source: Path, path: Path, family: Family) -> Path:
    """A LoKr of whole factors as a LoRA in diffusers' names: each part's rows of the product, times the identity."""
    given, tensors = load_file(source), Tensors()
    for prefix, places in spellings(family, "kohya").items():
        if f"{prefix}.lokr_w1" in given:
            whole = torch.kron(given[f"{prefix}.lokr_w1"], given[f"{prefix}.lokr_w2"])
            for place in places:
                rows = whole if place.ranges is None else torch.cat([whole[start:stop] for start, stop in place.ranges])
                tensors[f"{place.module}.lora_B.weight"] = rows
                tensors[f"{place.module}.lora_A.weight"] = torch.eye(whole.shape[1])
    return written(path, tensors)


def loha(path: Path, found: Sequence[Target], *, seed: int) -> Path:
    """A LoHa of these linear layers, as LyCORIS writes it."""
    chance = torch.Generator().manual_seed(seed)
    tensors: Tensors = {}
    for target in found:
        rows, columns = target.shape
        for pair in ("hada_w1", "hada_w2"):
            tensors[f"{target.prefix}.{pair}_a"] = torch.randn(rows, RANK, generator=chance) * 0.5
            tensors[f"{target.prefix}.{pair}_b"] = torch.randn(RANK, columns, generator=chance) * 0.5
        tensors[f"{target.prefix}.alpha"] = torch.tensor(1.0)
    return written(path, tensors)


def lokr(path: Path, found: Sequence[Target], *, seed: int) -> Path:
    """A LoKr of these linear layers, as LyCORIS writes it."""
    chance = torch.Generator().manual_seed(seed)
    tensors: Tensors = {}
    for target in found:
        rows, columns = target.shape
        tensors[f"{target.prefix}.lokr_w1"] = torch.randn(2, 2, generator=chance) * 0.3
        tensors[f"{target.prefix}.lokr_w2"] = torch.randn(rows // 2, columns // 2, generator=chance) * 0.3
        tensors[f"{target.prefix}.alpha"] = torch.tensor(1.0)
    return written(path, tensors)


def dora(path: Path, found: Sequence[Target], *, seed: int) -> Path:
    """A DoRA of these linear layers, as kohya's files hold it."""
    chance = torch.Generator().manual_seed(seed)
    scales = {f"{at.prefix}.dora_scale": torch.rand(at.shape[0], 1, generator=chance) + 0.5 for at in found}
    return written(path, load_file(lora(path, found, seed=seed)) | scales)


def full(path: Path, found: Sequence[Target], *, seed: int) -> Path:
    """Whole differences as LyCORIS writes them: of linear layers, and of convolutions and norms with their biases."""
    chance = torch.Generator().manual_seed(seed)
    tensors: Tensors = {}
    for target in found:
        weight, bias = ("w_norm", "b_norm") if len(target.shape) == 1 else ("diff", "diff_b")
        tensors[f"{target.prefix}.{weight}"] = torch.randn(*target.shape, generator=chance) * 0.1
        if len(target.shape) != 2:
            tensors[f"{target.prefix}.{bias}"] = torch.randn(target.shape[0], generator=chance) * 0.1
    return written(path, tensors)


def word(path: Path, encoders: Mapping[str, int], *, seed: int, vectors: int = 2) -> Path:
    """A textual inversion called like its file, with so many vectors for each encoder (key and width)."""
    chance = torch.Generator().manual_seed(seed)
    return written(path, {key: torch.randn(vectors, width, generator=chance) for key, width in encoders.items()})


def written(path: Path, tensors: Tensors) -> Path:
    """The file."""
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    return path
