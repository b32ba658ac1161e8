"""Small models of known and unknown families, parts of every technique with their dense float64 truth, and bakes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from eleven.exports.baking import Request, bake
from eleven.exports.proof import Proof
from eleven.layers.family import family
from eleven.mix import Mix, Part

Tensors = dict[str, torch.Tensor]

ENDS = {torch.float16: 10, torch.bfloat16: 7, torch.float32: 23}
"""Bits behind the point."""
LINEAR, SQUARE, CONV, NORM = "blocks.0.ff.net", "blocks.0.attn.to_q", "blocks.1.conv", "blocks.1.norm"
COMMON = "blocks.3.all"
SHAPES = {LINEAR: (24, 16), SQUARE: (24, 24), CONV: (12, 8, 3, 3), COMMON: (6, 5)}


def normal(*shape: int, seed: int = 0, size: float = 1.0) -> torch.Tensor:
    """Random numbers that depend on the seed alone."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * size


def save(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> Path:
    """A file that safetensors itself writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, metadata)
    return path


def read(path: Path) -> Tensors:
    """The tensors of a file, in its order, as safetensors itself reads them."""
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.offset_keys()}


def metadata(path: Path) -> dict[str, str]:
    """The text in a file's header."""
    with safe_open(path, "pt") as file:
        return file.metadata()


def unknown_model(dtype: torch.dtype = torch.float16) -> Tensors:
    """A model that no table describes, with every kind of tensor that a checkpoint holds."""
    model = {f"{name}.weight": normal(*shape, seed=seed, size=0.3) for seed, (name, shape) in enumerate(SHAPES.items())}
    model |= {f"{name}.bias": normal(shape[0], seed=9) for name, shape in SHAPES.items()}
    model |= {f"{NORM}.weight": 1 + normal(12, seed=8), f"{NORM}.bias": normal(12, seed=7), "scale": torch.tensor(2.5)}
    model |= {"blocks.2.still.weight": normal(33, 7, seed=6), f"model_ema.{LINEAR}.weight": normal(24, 16, seed=5)}
    model = {key: tensor.to(dtype) for key, tensor in model.items()}
    ints = {"position_ids": torch.arange(77)[None], "step": torch.tensor(5), "mask": torch.tensor([True, False])}
    return model | ints | {"still": normal(3, 5).double(), "half.still": normal(3).to(torch.bfloat16)}


def skeleton(name: str, weights: Mapping[str, tuple[int, ...]], dtype: torch.dtype = torch.float16) -> Tensors:
    """A family's usual single file with all biases and norms, by which it is known, and only these of its weights."""
    known = family(name)
    assert known is not None
    rows: dict[str, int] = {}
    for layer, source in known.sources().items():
        shape = known.layers()[layer].shape
        if len(shape) == 1:
            last = max((stop for _, stop in source.ranges or ()), default=prod(shape))
            rows[source.key] = max(rows.get(source.key, 0), last)
    sizes = {**{key: (count,) for key, count in rows.items()}, **weights}
    return {key: normal(*size, seed=seed, size=0.1).to(dtype) for seed, (key, size) in enumerate(sizes.items())}


def lora(prefix: str, out: int, columns: int, *, rank: int = 4, seed: int = 0) -> tuple[Tensors, torch.Tensor]:
    """A LoRA of one linear layer with alpha = rank / 2, and its change in float64."""
    up, down = normal(out, rank, seed=seed, size=0.1), normal(rank, columns, seed=seed + 1, size=0.1)
    tensors = {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(rank / 2)}
    return {f"{prefix}.{end}": tensor for end, tensor in tensors.items()}, 0.5 * up.double() @ down.double()


def bake_into(parts: Mapping[Path, float], base: Path, to: Path, *, force: bool = False) -> Proof:
    """The proof of these parts baked into a checkpoint."""
    mix = Mix(parts=tuple(Part(file=str(path), strength=strength) for path, strength in parts.items()))
    return bake(mix, Request(to, into=base, force=force))


def assert_rounded_once(got: torch.Tensor, truth: torch.Tensor, *, sums: float = 4) -> None:
    """Every number is within half a step of the stored type of the float64 truth, plus what sums in float32 lose.

    That is `sums` halves of the last place that float32 has for the tensor's largest number.
    """
    step = 2.0 ** -ENDS[got.dtype]
    size = truth.abs().clamp(min=2.0**-14 if got.dtype == torch.float16 else 1e-30)
    allowed = torch.exp2(size.log2().floor()) * step / 2 + sums * 2.0**-24 * float(truth.abs().max())
    worst = float(((got.double() - truth).abs() / allowed).max())
    assert worst <= 1, f"{worst:.3f} times what one rounding explains"


def missed(got: torch.Tensor, truth: torch.Tensor) -> float:
    """Squared distance in float64."""
    return float((got.double() - truth).pow(2).sum())
