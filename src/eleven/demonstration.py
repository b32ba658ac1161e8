"""Tiny fine-tunes of one layer set, made at random, and the error of their exact mix against a dense sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eleven.files.writer import write_safetensors
from eleven.finetunes.finetune import FineTune
from eleven.finetunes.opening import open_finetune
from eleven.layers.dialect import spell
from eleven.layers.family import FAMILIES
from eleven.layers.layer import Layer
from eleven.mix import Mix, Part
from eleven.tensors import Tensor

FAMILY = FAMILIES[0]
BLOCK = "unet.down_blocks.1.attentions.0.transformer_blocks.0"
MODULES = tuple(f"{BLOCK}.{name}" for name in ("attn1.to_q", "attn1.to_v", "attn2.to_k", "attn2.to_v", "ff.net.2"))
RANK, STRENGTH = 8, 0.5


@dataclass(frozen=True)
class Agreement:
    """One layer of a mix: how large its change is, and how far that is from the sum in float64, relative to it."""

    layer: str
    norm: float
    error: float


def make_files(folder: Path, *, seed: int = 0) -> list[Path]:
    """A LoRA, a LoHa and a LoKr of five layers of Stable Diffusion 1, as kohya's scripts name them."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    chance = torch.Generator().manual_seed(seed)
    made: list[Path] = []
    for technique, sizes in (("lora", lora), ("loha", loha), ("lokr", lokr)):
        tensors: dict[str, Tensor] = {}
        for module in MODULES:
            prefix = spell(FAMILY, module, "kohya")
            for suffix, size in sizes(FAMILY.modules()[module]).items():
                tensors[f"{prefix}.{suffix}"] = torch.randn(size, generator=chance) * 0.1
            tensors[f"{prefix}.alpha"] = torch.tensor(RANK / 2)
        told = {"ss_output_name": f"demo_{technique}", "modelspec.architecture": f"{FAMILY.architecture}/lora"}
        made.append(folder / f"demo_{technique}.safetensors")
        write_safetensors(made[-1], tensors, metadata=told, force=True)
    return made


def lora(layer: Layer) -> dict[str, tuple[int, int]]:
    """The shapes of two thin matrices."""
    rows, columns = layer.matrix
    return {"lora_up.weight": (rows, RANK), "lora_down.weight": (RANK, columns)}


def loha(layer: Layer) -> dict[str, tuple[int, int]]:
    """Those of two pairs, whose products are multiplied entry by entry."""
    rows, columns = layer.matrix
    return {
        f"hada_w{pair}_{end}": size for pair in (1, 2) for end, size in (("a", (rows, RANK)), ("b", (RANK, columns)))
    }


def lokr(layer: Layer) -> dict[str, tuple[int, int]]:
    """Those of a small matrix and a pair, whose product repeats in each of its entries."""
    rows, columns = layer.matrix
    return {"lokr_w1": (8, 8), "lokr_w2_a": (rows // 8, RANK), "lokr_w2_b": (RANK, columns // 8)}


def check_mix(files: Sequence[Path]) -> Iterator[Agreement]:
    """Each layer of the mix at 0.5 of every file, compared with the sum of dense float64 matrices."""
    from eleven.combination import combine

    tunes = [open_finetune(file) for file in files]
    mix = Mix(parts=tuple(Part(file=file.name, strength=STRENGTH) for file in files))
    try:
        for layer, delta in combine(mix, tunes):
            truth = dense_sum(tunes, layer)
            size = float(truth.norm())
            yield Agreement(layer.name, size, float((delta.dense().double() - truth).norm()) / size)
    finally:
        for tune in tunes:
            tune.close()


def dense_sum(tunes: Sequence[FineTune], layer: Layer) -> Tensor:
    """Σ strength·ΔW from the files' own tensors, in float64 and without the code that mixes."""
    first, *others = (dense(tune, layer) for tune in tunes)
    return STRENGTH * sum(others, first)


def dense(tune: FineTune, layer: Layer) -> Tensor:
    """One file's change by the formulas of its technique, alpha / rank being a half."""
    from torch import kron

    prefix = spell(FAMILY, layer.name.removesuffix(".weight"), "kohya") + "."
    keys = [key for key in tune.container.entries if key.startswith(prefix)]
    read = {key.removeprefix(prefix): tune.container.read(key).double() for key in keys}
    if "lora_up.weight" in read:
        whole = read["lora_up.weight"] @ read["lora_down.weight"]
    elif "lokr_w1" in read:
        whole = kron(read["lokr_w1"], read["lokr_w2_a"] @ read["lokr_w2_b"])
    else:
        whole = (read["hada_w1_a"] @ read["hada_w1_b"]) * (read["hada_w2_a"] @ read["hada_w2_b"])
    return whole * float(read["alpha"]) / RANK
