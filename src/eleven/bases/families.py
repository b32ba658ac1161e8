"""What a pipeline is made for: which family's fine-tunes fit it, and whether it makes pictures from words alone."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eleven.errors import FamilyMismatch

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

ASKS_FOR = ("image", "mask_image", "control_image", "video", "num_frames", "audio_length_in_s", "image_embeds")
TEXT_TO_IMAGE = "Give a text-to-image model, such as the one it was made from."


def family_of(pipeline: DiffusionPipeline) -> str:
    """The family's name, or the pipeline's class where none is known."""
    name, parts = type(pipeline).__name__, pipeline.components
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


def check_channels(pipeline: DiffusionPipeline) -> None:
    """FamilyMismatch where the denoiser takes more than the noisy picture, as for inpainting."""
    parts = pipeline.components
    if parts.get("unet") is None or parts.get("vae") is None:
        return
    takes, makes = _settings(parts, "unet")["in_channels"], _settings(parts, "vae")["latent_channels"]
    if takes != makes:
        told = f"its UNet takes {takes} channels rather than {makes}, as models for inpainting and editing do."
        raise FamilyMismatch(told, hint=TEXT_TO_IMAGE)


def _settings(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return parts[name].config
