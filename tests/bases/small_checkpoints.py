"""Checkpoints in the original layout with every layer of the real families, but narrow ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from eleven.bases.single_file import CONFIGURATIONS
from eleven.layers.family import Component, Family, family
from eleven.layers.table import rows

NARROW = {
    "unet": {"block_out_channels": lambda told: [size // 40 for size in told], "norm_num_groups": lambda _: 4},
    "vae": {"block_out_channels": lambda _: [4, 8, 8, 8], "norm_num_groups": lambda _: 4},
    "text_encoder": {"hidden_size": lambda told: told // 64, "intermediate_size": lambda told: told // 64},
}
NARROW["unet"] |= {"cross_attention_dim": lambda told: told // 64, "attention_head_dim": lambda _: 2}
NARROW["unet"] |= {"addition_time_embed_dim": lambda _: 8, "projection_class_embeddings_input_dim": lambda _: 68}
NARROW["text_encoder"] |= {"num_attention_heads": lambda _: 2, "projection_dim": lambda _: 20}
NARROW["text_encoder_2"] = NARROW["text_encoder"]

Tensors = dict[str, torch.Tensor]


def narrow_configurations(folder: Path) -> Path:
    """A copy of the shipped configurations with narrow layers."""
    shutil.copytree(CONFIGURATIONS, folder)
    for path in folder.glob("*/*/config.json"):
        told = json.loads(path.read_text("utf-8"))
        told |= {key: change(told[key]) for key, change in NARROW[path.parent.name].items() if key in told}
        path.write_text(json.dumps(told), "utf-8")
    return folder


def random_models(configuration: Path) -> dict[str, torch.nn.Module]:
    """A family's models by component, always with the same weights."""
    kinds = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
    models: dict[str, torch.nn.Module] = {}
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
            if not (configuration / name).is_dir():
                continue
            if name in kinds:
                models[name] = kinds[name](CLIPTextConfig.from_pretrained(configuration / name))
            else:
                told = json.loads((configuration / name / "config.json").read_text("utf-8"))
                models[name] = (UNet2DConditionModel if name == "unet" else AutoencoderKL).from_config(told)
    return {name: model.eval() for name, model in models.items()}


def narrow_family(name: str, models: dict[str, torch.nn.Module], folder: Path) -> Family:
    """The family with the names of its tables and the shapes of these models."""
    real = family(name)
    parts = [
        Component(
            part.folder,
            str(narrow_table(part, models[part.folder], folder / f"{name}_{part.folder}")),
            part.role,
            checkpoints=part.checkpoints,
            inputs=part.inputs,
        )
        for part in real.components
    ]
    return Family(real.name, real.title, real.architecture, tuple(parts))


def narrow_table(part: Component, model: torch.nn.Module, path: Path) -> Path:
    """A table of layers (its path less `.tsv`): the rows of the real one, with the model's shapes."""
    shapes = {key.removeprefix("text_model."): value.shape for key, value in model.state_dict().items()}
    lines = ["name\tshape\tblock\toriginal\trows"]
    for row in rows(part.table):
        shape = shapes.get(row.name.removeprefix("text_model."))
        if shape is not None:
            share = shape[0] / row.shape[0]
            spans = ",".join(f"{int(start * share)}:{int(stop * share)}" for start, stop in row.ranges or ())
            told = "T" if row.transposed else spans
            lines.append(f"{row.name}\t{'x'.join(map(str, shape))}\t{row.block}\t{row.original}\t{told}")
    path.with_suffix(".tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return path


def original_tensors(narrow: Family, models: dict[str, torch.nn.Module]) -> Tensors:
    """What a file in the original layout holds of these models."""
    found: Tensors = {}
    for part in narrow.components:
        weights = {key.removeprefix("text_model."): value for key, value in models[part.folder].state_dict().items()}
        spans: dict[str, list[tuple[int, torch.Tensor]]] = {}
        for name, source in part.keys(*part.checkpoints[0]).items():
            tensor = weights[name.removeprefix(f"{part.folder}.").removeprefix("text_model.")]
            tensor = tensor.T if source.transposed else tensor
            # the original attention of the VAE is made of convolutions
            tensor = tensor[..., None, None] if part.role == "vae" and ".to_" in name and tensor.ndim == 2 else tensor
            spans.setdefault(source.key, []).append((source.ranges[0][0] if source.ranges else 0, tensor))
        found |= {key: torch.cat([tensor for _, tensor in sorted(parts, key=first)]) for key, parts in spans.items()}
    return found


def first(pair: tuple[int, torch.Tensor]) -> int:
    """Where a span of rows starts."""
    return pair[0]
