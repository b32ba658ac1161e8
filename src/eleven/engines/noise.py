"""Initial noise: drawn on the processor in float32, each picture's from its own seed, so that nothing else moves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from eleven.errors import UsageError
from eleven.tensors import Tensor

SEEDS = 1 << 64


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator a picture. UsageError for a seed that none can start from."""
    wrong = next((seed for seed in seeds if not 0 <= seed < SEEDS), None)
    if wrong is not None:
        raise UsageError(f"{wrong} is not a seed.", hint=f"Use a number from 0 to {SEEDS - 1}.")
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def draw(pipeline: Any, size: tuple[int, int], sources: Sequence[torch.Generator]) -> Tensor:  # noqa: ANN401
    """The noise that a pipeline's `latents` take for pictures of this size (width, height), one from each source.

    Diffusers draws the same where it is given these generators and works in float32.
    """
    packed = hasattr(pipeline, "_pack_latents")
    denoiser = pipeline.transformer if getattr(pipeline, "transformer", None) is not None else pipeline.unet
    channels = denoiser.config.in_channels // (4 if packed else 1)
    width, height = (side // pipeline.vae_scale_factor for side in size)
    drawn = torch.cat([torch.randn(1, channels, height, width, generator=source) for source in sources])
    return pipeline._pack_latents(drawn, len(sources), channels, height, width) if packed else drawn


def checked_size(pipeline: Any, size: tuple[int, int]) -> tuple[int, int]:  # noqa: ANN401
    """The size itself. UsageError where the base cannot make pictures of it."""
    step = pipeline.vae_scale_factor * (2 if getattr(pipeline, "transformer", None) is not None else 1)
    if any(side <= 0 or side % step for side in size):
        width, height = (max(step, round(side / step) * step) for side in size)
        told = f"{size[0]}x{size[1]}: this base makes pictures whose sides are multiples of {step}."
        raise UsageError(told, hint=f"Use {width}x{height}.")
    return size
