"""What a pipeline is made for: which family's fine-tunes fit it, and whether it makes pictures from words alone."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from eleven.errors import FamilyMismatch
from eleven.layers.live import known_family
from eleven.tensors import Shape

if TYPE_CHECKING:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

FAMILIES = {
    "StableDiffusionXLPipeline": "sdxl",
    "FluxPipeline": "flux",
    "ChromaPipeline": "chroma",
    "QwenImagePipeline": "qwen-image",
    "ZImagePipeline": "z-image",
    "Lumina2Pipeline": "lumina2",
    "Lumina2Text2ImgPipeline": "lumina2",
    "Krea2Pipeline": "krea2",
}
"""Families that the pipeline's class tells alone."""

CHANGEABLE = ("unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3")
"""Models that fine-tunes can change."""

ASKS_FOR = ("image", "mask_image", "control_image", "video", "num_frames", "audio_length_in_s", "image_embeds")
TEXT_TO_IMAGE = "Give a text-to-image model, such as the one it was made from."


def family_of(pipeline: DiffusionPipeline) -> str:
    """The name of the family whose layers these are; else of the one that the pipeline's class tells, or the class."""
    parts = pipeline.components
    models = {name: parts[name] for name in CHANGEABLE if isinstance(parts.get(name), nn.Module)}
    known = known_family({name: shapes_of(model) for name, model in models.items()})
    return known.name if known else _by_class(type(pipeline).__name__, parts)


def shapes_of(model: nn.Module) -> dict[str, Shape]:
    """Every parameter's shape by its name."""
    return {name: tuple(one.shape) for name, one in model.named_parameters()}


def _by_class(name: str, parts: Mapping[str, Any]) -> str:
    if name == "StableDiffusionPipeline":
        return "sd2" if _settings(parts, "unet")["use_linear_projection"] else "sd1"
    if name == "StableDiffusion3Pipeline":
        told = _settings(parts, "transformer")
        if told.get("dual_attention_layers"):
            return "sd35-medium"
        return "sd35-large" if told.get("qk_norm") else "sd3"
    return FAMILIES.get(name, name)


def check_kind(kind: type[DiffusionPipeline]) -> None:
    """FamilyMismatch where pipelines of this class need more than words: a picture, a mask, a number of frames."""
    taken = inspect.signature(kind.__call__).parameters
    needs = next((name for name in ASKS_FOR if name in taken), None)
    if needs or "prompt" not in taken:
        wants = f"works on {needs.replace('_', ' ')}" if needs else "takes no prompt"
        raise FamilyMismatch(f"a {kind.__name__} {wants} and makes no pictures from words alone.", hint=TEXT_TO_IMAGE)


def check_channels(place: str, takes: int, makes: int) -> None:
    """FamilyMismatch where a UNet takes more than the noisy picture's channels, as for inpainting."""
    if takes != makes:
        told = f"{place}: its UNet takes {takes} channels rather than {makes}, as models for inpainting and editing do."
        raise FamilyMismatch(told, hint=TEXT_TO_IMAGE)


def _settings(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return parts[name].config
