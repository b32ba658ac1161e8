"""Tiny fine-tunes of one layer set, made at random, their exact mix against a dense sum, and that mix as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eleven.errors import ElevenError, OutputError
from eleven.files.opening import open_container
from eleven.files.writer import write_safetensors
from eleven.finetunes.finetune import FineTune
from eleven.finetunes.opening import open_finetune
from eleven.layers.dialect import spell
from eleven.layers.family import FAMILIES
from eleven.layers.layer import Layer
from eleven.mix import Mix, Part
from eleven.tensors import Tensor

if TYPE_CHECKING:
    from eleven.exports.proof import Proof

FAMILY = FAMILIES[0]
BLOCK = "unet.down_blocks.1.attentions.0.transformer_blocks.0"
MODULES = tuple(f"{BLOCK}.{name}" for name in ("attn1.to_q", "attn1.to_v", "attn2.to_k", "attn2.to_v", "ff.net.2"))
RANK, STRENGTH = 8, 0.5
MIXED, MARK = "demo_mix.safetensors", "eleven.demo"


@dataclass(frozen=True)
class Agreement:
    """One layer of a mix: how large its change is, and how far that is from the sum in float64, relative to it."""

    layer: str
    norm: float
    error: float


def make_files(folder: Path, *, seed: int = 0) -> list[Path]:
    """A LoRA, a LoHa and a LoKr of five layers of Stable Diffusion 1, as kohya's scripts name them.

    OutputError where the folder cannot be made, or holds files of these names that no demo made.
    """
    import torch

    files = {technique: folder / f"demo_{technique}.safetensors" for technique in TECHNIQUES}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made a folder: {error.strerror}.", hint="Choose another.") from error
    for file in (*files.values(), folder / MIXED):
        _refuse_foreign(file)
    chance = torch.Generator().manual_seed(seed)
    for technique, file in files.items():
        tensors: dict[str, Tensor] = {}
        for module in MODULES:
            prefix = spell(FAMILY, module, "kohya")
            for suffix, size in TECHNIQUES[technique](FAMILY.modules()[module]).items():
                tensors[f"{prefix}.{suffix}"] = torch.randn(size, generator=chance) * 0.1
            tensors[f"{prefix}.alpha"] = torch.tensor(RANK / 2)
        told = {"ss_output_name": file.stem, "modelspec.architecture": f"{FAMILY.architecture}/lora", MARK: "1"}
        write_safetensors(file, tensors, metadata=told, force=True)
    return list(files.values())


def _refuse_foreign(file: Path) -> None:
    """OutputError for a file that no demo made: neither marked, nor a mix of the demo's files alone."""
    if not file.exists():
        return
    try:
        with open_container(file) as opened:
            told = opened.metadata
        own = MARK in told or _is_mix(told.get("eleven.recipe", ""))
    except ElevenError:
        own = False
    if not own:
        raise OutputError(f"{file}: exists, and no demo made it.", hint="Choose another folder with --to.")


def _is_mix(recipe: str) -> bool:
    return {part.file for part in Mix.from_json(recipe).parts} == {f"demo_{name}.safetensors" for name in TECHNIQUES}


def bake_mix(files: Sequence[Path]) -> tuple[Path, Proof]:
    """The mix at 0.5 of every file written beside them in fp16, and how far it is from what was asked."""
    from eleven.exports.baking import Request, bake

    to = files[0].parent / MIXED
    mix = Mix(parts=tuple(Part(file=str(file), strength=STRENGTH) for file in files))
    return to, bake(mix, Request(to, force=True))


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


TECHNIQUES: Mapping[str, Callable[[Layer], dict[str, tuple[int, int]]]] = {"lora": lora, "loha": loha, "lokr": lokr}


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
