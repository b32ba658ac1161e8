"""A pipeline made ready for training, and put back as it was, down to how its numbers lie in memory."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from eleven.bases.architectures import Architecture, Pipeline, text_encoders


@contextmanager
def ready(pipeline: Pipeline, architecture: Architecture) -> Generator[None]:
    """Nothing learns and nothing is dropped at random; a UNet's convolutions lie as processors take them fastest."""
    denoiser = getattr(pipeline, architecture.denoiser)
    for part in (denoiser, pipeline.vae, *text_encoders(pipeline).values()):
        part.requires_grad_(False).eval()
    convolutions = [one for one in denoiser.parameters() if one.dim() == 4 and architecture.denoiser == "unet"]
    strides = [one.stride() for one in convolutions]
    for one in convolutions:
        one.data = one.data.contiguous(memory_format=torch.channels_last)
    try:
        yield
    finally:
        for one, stride in zip(convolutions, strides, strict=True):
            one.data = torch.empty_strided(one.shape, stride, dtype=one.dtype, device=one.device).copy_(one.data)
