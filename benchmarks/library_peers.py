"""lycoris-lora's and PEFT's own functions, on bare models that hold the layers of a listing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.listing import Module, read_listing
from benchmarks.peers import saved
from benchmarks.reading import weight
from benchmarks.request import Request

UNET, TEXT, PREFIX = "lora_unet_", "lora_te_", "lora_"
"""How kohya's names begin; PEFT passes over modules with `lora_` in their names."""


def bake_with_lycoris(request: Request) -> None:
    """A checkpoint with every part merged by `lycoris.utils.merge`, which knows SD1.5's single text encoder."""
    from lycoris.utils import merge

    whole = load_file(request.base)
    modules = read_listing(Path(request.listing)).modules
    unet, text = (bare(modules, prefix, whole) for prefix in (UNET, TEXT))
    for path, strength in request.parts:
        merge([text], unet, load_file(path), strength)
    for module in modules:
        made = unet if module.prefix.startswith(UNET) else text
        parameter = made.get_submodule(module.prefix.removeprefix(UNET).removeprefix(TEXT)).weight
        assert isinstance(parameter, Tensor)
        whole[module.key] = parameter.detach().half().reshape(whole[module.key].shape).contiguous()
    save_file(whole, request.to)


def merge_with_peft(request: Request) -> None:
    """One adapter from two, by the dense SVD of PEFT's `add_weighted_adapter`."""
    warnings.simplefilter("ignore")
    modules = read_listing(Path(request.listing)).attention()
    files = [load_file(path) for path, _ in request.parts]
    model: Any = with_adapters(modules, files)
    strengths = [strength for _, strength in request.parts]
    adapters = [str(number) for number in range(len(files))]
    options = {"combination_type": "svd", "svd_rank": request.rank}
    model.base_model.add_weighted_adapter(adapters, strengths, "merged", **options)
    out: dict[str, Tensor] = {}
    for module in modules:
        layer = model.base_model.model.get_submodule(module.prefix.removeprefix(PREFIX))
        up, down = (each["merged"].weight.data.flatten(1) for each in (layer.lora_B, layer.lora_A))
        out.update(saved(module, up * layer.scaling["merged"], down))
    save_file(out, request.to)


def with_adapters(modules: Sequence[Module], files: Sequence[dict[str, Tensor]]) -> Any:  # noqa: ANN401 - PEFT's
    """A PEFT model whose adapters, called by their numbers, are these files."""
    import peft

    rank = files[0][f"{modules[0].prefix}.lora_down.weight"].shape[0]
    targets = [module.prefix.removeprefix(PREFIX) for module in modules]
    config = peft.LoraConfig(r=rank, lora_alpha=rank // 2, target_modules=targets)
    model: Any = peft.get_peft_model(bare(modules, PREFIX, None), config, adapter_name="0")
    for number, file in enumerate(files):
        if number:
            model.add_adapter(str(number), config)
        for module in modules:
            layer = model.base_model.model.get_submodule(module.prefix.removeprefix(PREFIX))
            layer.lora_B[str(number)].weight.data = file[f"{module.prefix}.lora_up.weight"].float()
            layer.lora_A[str(number)].weight.data = file[f"{module.prefix}.lora_down.weight"].float()
    return model


def bare(modules: Iterable[Module], prefix: str, whole: dict[str, Tensor] | None) -> nn.Module:
    """A model with one linear or convolution for each module whose name begins so, fp32, filled from a checkpoint."""
    made = nn.Module()
    for module in modules:
        if not module.prefix.startswith(prefix):
            continue
        out, inner, *kernel = module.shape
        with torch.device("meta"):
            size = kernel[0] if kernel else 0
            layer = nn.Conv2d(inner, out, size, bias=False) if size else nn.Linear(inner, out, bias=False)
        value = torch.zeros(module.shape) if whole is None else weight(whole, module, torch.float32)
        layer.weight = nn.Parameter(value.reshape(module.shape).contiguous(), requires_grad=False)
        made.add_module(module.prefix.removeprefix(prefix), layer)
    return made
