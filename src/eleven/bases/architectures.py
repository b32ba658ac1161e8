"""How each kind of pipeline is asked for a prediction: what its texts become, and what its denoiser takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from eleven.errors import UsageError
from eleven.tensors import Tensor

Pipeline = Any
"""A diffusers pipeline; diffusers gives its kinds no common type that tells their parts."""
Texts = tuple[Tensor, ...]
"""What the texts of a batch become, each tensor with the batch in front."""
PIXELS = 8
"""Pixels a latent, where the pipeline does not tell."""


@dataclass(frozen=True)
class Architecture:
    """`encode` turns captions into texts, `predict` asks the denoiser, which is the pipeline's part of this name."""

    denoiser: str
    encode: Callable[[Pipeline, Sequence[str]], Texts]
    predict: Callable[[Pipeline, Tensor, Tensor, Texts], Tensor]


def encode_sd(pipeline: Pipeline, captions: Sequence[str]) -> Texts:
    """The hidden states of one CLIP."""
    return (pipeline.encode_prompt(list(captions), pipeline.device, 1, False)[0],)


def predict_sd(pipeline: Pipeline, noised: Tensor, times: Tensor, texts: Texts) -> Tensor:
    """SD 1 and SD 2."""
    return pipeline.unet(noised, times, encoder_hidden_states=texts[0], return_dict=False)[0]


def encode_sdxl(pipeline: Pipeline, captions: Sequence[str]) -> Texts:
    """The hidden states of both CLIPs side by side, and the pooled ones of the second."""
    found = pipeline.encode_prompt(
        list(captions), device=pipeline.device, num_images_per_prompt=1, do_classifier_free_guidance=False
    )
    return found[0], found[2]


def predict_sdxl(pipeline: Pipeline, noised: Tensor, times: Tensor, texts: Texts) -> Tensor:
    """SDXL, told that nothing was cropped and nothing enlarged."""
    height, width = (side * pixels_of(pipeline) for side in noised.shape[-2:])
    sizes = noised.new_tensor([[height, width, 0, 0, height, width]]).expand(len(noised), -1)
    added = {"text_embeds": texts[1], "time_ids": sizes}
    out = pipeline.unet(noised, times, encoder_hidden_states=texts[0], added_cond_kwargs=added, return_dict=False)
    return out[0]


def encode_sd3(pipeline: Pipeline, captions: Sequence[str]) -> Texts:
    """The hidden states of all encoders, and the pooled ones of the CLIPs."""
    listed = list(captions)
    found = pipeline.encode_prompt(listed, listed, listed, device=pipeline.device, do_classifier_free_guidance=False)
    return found[0], found[2]


def predict_sd3(pipeline: Pipeline, noised: Tensor, times: Tensor, texts: Texts) -> Tensor:
    """SD 3, whose timesteps count to 1000."""
    out = pipeline.transformer(
        hidden_states=noised,
        timestep=times * 1000,
        encoder_hidden_states=texts[0],
        pooled_projections=texts[1],
        return_dict=False,
    )
    return out[0]


def encode_flux(pipeline: Pipeline, captions: Sequence[str]) -> Texts:
    """The hidden states of T5, and the pooled ones of CLIP."""
    listed = list(captions)
    return tuple(pipeline.encode_prompt(listed, listed, device=pipeline.device)[:2])


def predict_flux(pipeline: Pipeline, noised: Tensor, times: Tensor, texts: Texts) -> Tensor:
    """FLUX, whose latents go in as patches of 2×2; where guidance is an input it is 1, as nothing is guided here."""
    count, channels, height, width = noised.shape
    places = pipeline._prepare_latent_image_ids(count, height // 2, width // 2, noised.device, noised.dtype)
    guided = pipeline.transformer.config.guidance_embeds
    out = pipeline.transformer(
        hidden_states=pipeline._pack_latents(noised.contiguous(), count, channels, height, width),
        timestep=times,
        guidance=torch.ones_like(times) if guided else None,
        pooled_projections=texts[1],
        encoder_hidden_states=texts[0],
        txt_ids=noised.new_zeros(texts[0].shape[1], 3),
        img_ids=places,
        return_dict=False,
    )
    pixels = pixels_of(pipeline)
    return pipeline._unpack_latents(out[0], height * pixels, width * pixels, pixels)


SD = Architecture("unet", encode_sd, predict_sd)
SDXL = Architecture("unet", encode_sdxl, predict_sdxl)
ARCHITECTURES: Mapping[tuple[str, str | None], Architecture] = {
    ("UNet2DConditionModel", None): SD,
    ("UNet2DConditionModel", "text_time"): SDXL,
    ("SD3Transformer2DModel", None): Architecture("transformer", encode_sd3, predict_sd3),
    ("FluxTransformer2DModel", None): Architecture("transformer", encode_flux, predict_flux),
}
"""By the denoiser's class and what it takes beside the text."""


def architecture_of(pipeline: Pipeline) -> Architecture:
    """UsageError for a pipeline that cannot be trained."""
    part = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    kind = (type(part).__name__, part.config.get("addition_embed_type") if part is not None else None)
    if kind not in ARCHITECTURES or getattr(pipeline, "vae", None) is None:
        told = f"{type(pipeline).__name__} cannot be trained."
        raise UsageError(told, hint="Trained are text-to-image pipelines of SD 1, SD 2, SDXL, SD 3 and FLUX.")
    return ARCHITECTURES[kind]


def pixels_of(pipeline: Pipeline) -> int:
    """How many pixels wide one latent is."""
    return int(getattr(pipeline, "vae_scale_factor", PIXELS))


def step_of(pipeline: Pipeline, denoiser: str) -> int:
    """What the sides of a picture must be multiples of."""
    config = getattr(pipeline, denoiser).config
    halvings = 2 ** (len(config["down_block_types"]) - 1) if "down_block_types" in config else 2
    return pixels_of(pipeline) * halvings


def resolution_of(pipeline: Pipeline, denoiser: str) -> int:
    """The side of the square that the base draws."""
    side = getattr(pipeline, denoiser).config.get("sample_size") or getattr(pipeline, "default_sample_size", 128)
    return int(side if isinstance(side, int) else side[0]) * pixels_of(pipeline)


def text_encoders(pipeline: Pipeline) -> dict[str, torch.nn.Module]:
    """The text encoders by the name of their part."""
    names = ("text_encoder", "text_encoder_2", "text_encoder_3")
    return {name: part for name in names if isinstance(part := getattr(pipeline, name, None), torch.nn.Module)}


def encode_pictures(pipeline: Pipeline, pixels: Tensor) -> Tensor:
    """The latents that the denoiser works on, float32, of pictures in -1 … 1; the mean where the VAE gives a spread."""
    vae = pipeline.vae
    with torch.no_grad():
        found = vae.encode(pixels.to(device=vae.device, dtype=vae.dtype))
    latents = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latents
    shift = vae.config.get("shift_factor") or 0.0
    return ((latents.float() - shift) * vae.config.get("scaling_factor", 1.0)).cpu()
