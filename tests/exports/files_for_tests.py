"""Adapters of every technique with their change in float64, on a small unknown model and on layers of SD 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from eleven.exports.baking import Request, bake
from eleven.exports.forms import Form
from eleven.exports.proof import Proof
from eleven.layers.family import family
from eleven.mix import Mix, Part

Tensors = dict[str, torch.Tensor]
Truth = torch.Tensor
"""A change in float64, in the shape of the parameter."""
RANK = 3

SMALL = {
    "blocks.0.fc": (24, 16),
    "blocks.0.square": (24, 24),
    "blocks.1.conv": (12, 8, 3, 3),
    "blocks.1.one": (8, 12, 1, 1),
}
ATTENTION = "unet.down_blocks.0.attentions.0"
REAL = {
    f"{ATTENTION}.transformer_blocks.0.attn1.to_q": (320, 320),
    f"{ATTENTION}.proj_in": (320, 320, 1, 1),
    "unet.conv_in": (320, 4, 3, 3),
    "unet.down_blocks.0.downsamplers.0.conv": (320, 320, 3, 3),
    "text_encoder.text_model.encoder.layers.0.self_attn.q_proj": (768, 768),
}


def normal(*shape: int, seed: int = 0, size: float = 1.0) -> torch.Tensor:
    """Random numbers that depend on the seed and the shape alone."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed * 7919 + sum(shape))) * size


def lora(shape: Sequence[int], base: Truth, seed: int) -> tuple[Tensors, Truth]:
    """alpha/r · up · down; of a convolution the kernel is in the down."""
    out, *rest = shape
    kernel = [1 for _ in rest[1:]]
    up, down = normal(out, RANK, *kernel, seed=seed, size=0.1), normal(RANK, *rest, seed=seed + 1, size=0.1)
    tensors = {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(2.0)}
    return tensors, 2 / RANK * (up.double().flatten(1) @ down.double().flatten(1)).reshape(shape)


def locon(shape: Sequence[int], base: Truth, seed: int) -> tuple[Tensors, Truth]:
    """LoRA with a Tucker core where there is a kernel."""
    if len(shape) == 2 or prod(shape[2:]) == 1:
        return lora(shape, base, seed)
    out, columns, *kernel = shape
    up, down = normal(out, RANK, 1, 1, seed=seed, size=0.1), normal(RANK, columns, 1, 1, seed=seed + 1, size=0.1)
    mid = normal(RANK, RANK, *kernel, seed=seed + 2)
    truth = torch.einsum("or,rshw,si->oihw", up.double()[:, :, 0, 0], mid.double(), down.double()[:, :, 0, 0])
    tensors = {"lora_up.weight": up, "lora_down.weight": down, "lora_mid.weight": mid, "alpha": torch.tensor(1.5)}
    return tensors, 1.5 / RANK * truth


def loha(shape: Sequence[int], base: Truth, seed: int) -> tuple[Tensors, Truth]:
    """The entrywise product of two products."""
    rows, columns = shape[0], prod(shape[1:])
    names = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
    sizes = ((rows, 2), (2, columns)) * 2
    tensors = {
        name: normal(*size, seed=seed + at, size=0.3) for at, (name, size) in enumerate(zip(names, sizes, strict=True))
    }
    first, second, third, fourth = (tensor.double() for tensor in tensors.values())
    return tensors | {"alpha": torch.tensor(1.0)}, 0.5 * ((first @ second) * (third @ fourth)).reshape(shape)


def lokr(shape: Sequence[int], base: Truth, seed: int) -> tuple[Tensors, Truth]:
    """A Kronecker product, its second factor of rank 2."""
    out, columns, *kernel = shape
    first = normal(2, 4, seed=seed, size=0.3)
    left, right = (
        normal(out // 2, 2, seed=seed + 1, size=0.3),
        normal(2, columns // 4 * prod(kernel), seed=seed + 2, size=0.3),
    )
    truth = torch.kron(first.double(), left.double() @ right.double())
    tensors = {"lokr_w1": first, "lokr_w2_a": left, "lokr_w2_b": right, "alpha": torch.tensor(1.0)}
    return tensors, 0.5 * truth.reshape(shape)


def ia3(shape: Sequence[int], base: Truth, seed: int) -> tuple[Tensors, Truth]:
    """A factor for each output."""
    offset = normal(shape[0], seed=seed, size=0.05)
    tensors = {"weight": offset.reshape(-1, *(1 for _ in shape[1:])), "on_input": torch.tensor(False)}
    return tensors, base * offset.double().reshape(-1, *(1 for _ in shape[1:]))


def oft(shape: Sequence[int], base: Truth, seed: int) -> tuple[Tensors, Truth]:
    """Blocks of four outputs turned by Cayley's transform (I + Q)(I − Q)⁻¹ of Q = B − Bᵀ."""
    blocks = normal(shape[0] // 4, 4, 4, seed=seed, size=0.1)
    skew, eye = blocks.double() - blocks.double().mT, torch.eye(4, dtype=torch.float64)
    turn = (eye + skew) @ torch.linalg.inv(eye - skew)
    turned = torch.einsum("bij,bic->bjc", turn, base.flatten(1).reshape(-1, 4, prod(shape[1:])))
    return {"oft_blocks": blocks, "alpha": torch.tensor(0.0)}, turned.reshape(shape) - base


def dora(shape: Sequence[int], base: Truth, seed: int) -> tuple[Tensors, Truth]:
    """LoRA with the outputs' lengths."""
    tensors, change = lora(shape, base, seed)
    changed = (base + change).flatten(1)
    told = (base.flatten(1).norm(dim=1, keepdim=True) * (1 + 0.1 * normal(shape[0], 1, seed=seed + 5))).float()
    truth = changed * told.double() / changed.norm(dim=1, keepdim=True) - base.flatten(1)
    return tensors | {"dora_scale": told.reshape(-1, *(1 for _ in shape[1:]))}, truth.reshape(shape)


def full(shape: Sequence[int], base: Truth, seed: int) -> tuple[Tensors, Truth]:
    """Entry by entry."""
    diff = normal(*shape, seed=seed, size=0.02)
    return {"diff": diff}, diff.double()


TECHNIQUES: Mapping[str, Callable[[Sequence[int], Truth, int], tuple[Tensors, Truth]]] = {
    function.__name__: function for function in (lora, locon, loha, lokr, ia3, oft, dora, full)
}


def save(path: Path, tensors: Mapping[str, torch.Tensor], **metadata: str) -> Path:
    """A file that safetensors itself writes."""
    save_file({key: tensor.clone().contiguous() for key, tensor in tensors.items()}, path, metadata or None)
    return path


def write(path: Path, modules: Mapping[str, Tensors], **metadata: str) -> Path:
    """An adapter of these modules, by their prefix."""
    named = {f"{prefix}.{suffix}": tensor for prefix, tensors in modules.items() for suffix, tensor in tensors.items()}
    return save(path, named, **metadata)


def read(path: Path) -> Tensors:
    """The tensors of a file as safetensors itself reads them."""
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping


def header(path: Path) -> dict[str, str]:
    """The text in a file's header."""
    with safe_open(path, "pt") as file:
        return file.metadata()


def small_base() -> Tensors:
    """A model that no table describes."""
    found = {f"{name}.weight": normal(*shape, seed=1, size=0.3) for name, shape in SMALL.items()}
    return found | {f"{name}.bias": normal(shape[0], seed=2) for name, shape in SMALL.items()}


def sd1_base() -> Tensors:
    """As many of SD 1's layers, small ones first, as it takes to be known, and those of REAL."""
    sd1 = family("sd1")
    assert sd1 is not None
    found: Tensors = {}
    for component in sd1.components[:2]:
        layers = sorted(component.layers().values(), key=lambda layer: prod(layer.shape))
        found |= {layer.name: normal(*layer.shape, seed=3, size=0.1) for layer in layers[: int(0.55 * len(layers))]}
    return found | {f"{name}.weight": normal(*shape, seed=4, size=0.1) for name, shape in REAL.items()}


def bake_files(files: Mapping[Path, float], to: Path, form: Form | None = None, base: Path | None = None) -> Proof:
    """Bakes files at strengths."""
    mix = Mix(parts=tuple(Part(file=str(path), strength=strength) for path, strength in files.items()))
    return bake(mix, Request(to, form or Form(dtype="fp32"), base=base))


def stored_change(tensors: Mapping[str, torch.Tensor], prefix: str) -> Truth:
    """A baked weight's change as the definition has it, as a matrix: a plain LoRA, or a difference."""
    found = {
        key.removeprefix(f"{prefix}."): tensor.double()
        for key, tensor in tensors.items()
        if key.startswith(f"{prefix}.")
    }
    whole = next((found[name] for name in ("diff", "w_norm") if name in found), None)
    if whole is not None:
        return whole.flatten(1) if whole.dim() > 1 else whole[:, None]
    up, down = (
        found.get(one, found.get(other))
        for one, other in (("lora_up.weight", "lora_B.weight"), ("lora_down.weight", "lora_A.weight"))
    )
    assert up is not None
    assert down is not None
    scale = float(found["alpha"]) / len(down) if "alpha" in found else 1.0
    return scale * up.flatten(1) @ down.flatten(1)


def relative(got: torch.Tensor, truth: torch.Tensor) -> float:
    """Frobenius norm of the difference over that of the truth."""
    return float((got.detach().double().flatten() - truth.flatten()).norm() / truth.norm())
