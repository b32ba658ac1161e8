"""Tiny random fine-tunes of every technique."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

OUT, IN, RANK = 16, 8, 2
Tensors = dict[str, torch.Tensor]


def drawn(seed: int, **shapes: Sequence[int]) -> Tensors:
    """Random tensors by name; two underscores stand for a dot."""
    chance = torch.Generator().manual_seed(seed)
    return {name.replace("__", "."): torch.randn(*shape, generator=chance) * 0.3 for name, shape in shapes.items()}


def base_tensors(prefix: str) -> Tensors:
    """The weight and the bias of one layer of a base model of an unknown family."""
    return {f"{prefix}.{name}": tensor for name, tensor in drawn(99, weight=(OUT, IN), bias=(OUT,)).items()}


def tlora(weight: torch.Tensor) -> Tensors:
    """A T-LoRA near its start in the weight's first singular directions."""
    up, sizes, down = torch.linalg.svd(weight)
    told = {"p_layer.weight": up[:, :RANK] * 1.1, "q_layer.weight": down[:RANK] + 0.01}
    told["lambda_layer"] = sizes[None, :RANK] * 0.9
    return {name: tensor.contiguous() for name, tensor in told.items()}


def one_layer(seed: int = 0) -> dict[str, Tensors]:
    """The tensors of one layer (16, 8) in every technique, by this project's names."""
    alpha = {"alpha": torch.tensor(1.0)}
    lora = drawn(seed, lora_up__weight=(OUT, RANK), lora_down__weight=(RANK, IN)) | alpha
    a, b = (OUT, RANK), (RANK, IN)
    scale = {"dora_scale": torch.rand(OUT, 1, generator=torch.Generator().manual_seed(seed)) + 0.5}
    sparse = {"bias_indices": torch.tensor([[0, 3, 15], [7, 0, 2]]), "bias_size": torch.tensor([OUT, IN])}
    return {
        "lora": lora,
        "tucker": drawn(seed, lora_up__weight=(OUT, RANK, 1, 1), lora_down__weight=(RANK, IN, 1, 1))
        | drawn(seed + 1, lora_mid__weight=(RANK, RANK, 1, 1))
        | {"alpha": torch.tensor(2)},
        "loha": drawn(seed, hada_w1_a=a, hada_w1_b=b, hada_w2_a=a, hada_w2_b=b) | alpha,
        "lokr": drawn(seed, lokr_w1=(4, 2), lokr_w2=(4, 4)) | alpha,
        "lokr-pairs": drawn(seed, lokr_w1_a=(4, 1), lokr_w1_b=(1, 2), lokr_w2_a=(4, 2), lokr_w2_b=(2, 4)) | alpha,
        "glora": drawn(seed, a1__weight=(IN, RANK), a2__weight=(RANK, IN), b1__weight=(OUT, RANK), b2__weight=b)
        | alpha,
        "ia3": drawn(seed, weight=(OUT,)) | {"on_input": torch.tensor(0)},
        "ia3-peft": drawn(seed, ia3_l=(OUT, 1)),
        "oft": drawn(seed, oft_blocks=(4, 4, 4), rescale=(OUT, 1)) | {"alpha": torch.tensor(0.01)},
        "boft": drawn(seed, oft_blocks=(2, 4, 4, 4)) | {"alpha": torch.tensor(0.0)},
        "oft-input": drawn(seed, oft_R__weight=(2, 6)),
        "full": drawn(seed, diff=(OUT, IN), diff_b=(OUT,)),
        "norm": drawn(seed, w_norm=(OUT,), b_norm=(OUT,)),
        "sparse": lora | sparse | drawn(seed + 2, bias_values=(3,)),
        "tlora": tlora(base_tensors("x")["x.weight"]) | alpha,
        "dora": lora | scale,
        "dora-loha": drawn(seed, hada_w1_a=a, hada_w1_b=b, hada_w2_a=a, hada_w2_b=b) | alpha | scale,
    }


def write_layer(path: Path, tensors: Tensors, *, prefixes: Sequence[str] = ("net.0.proj",), **metadata: str) -> Path:
    """A file with the same change of each layer named."""
    told = {f"{prefix}.{suffix}": tensor.clone() for prefix in prefixes for suffix, tensor in tensors.items()}
    save_file({key: tensor.contiguous() for key, tensor in told.items()}, path, metadata or None)
    return path
