"""A base model, opened: its pipeline on a device, what fine-tunes can change of it, and what it is known by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

import torch
from torch import nn

from eleven.bases.families import CHANGEABLE
from eleven.files.hashes import identity

if TYPE_CHECKING:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline


@final
@dataclass(frozen=True, eq=False)
class Base:
    """A loaded text-to-image pipeline, not training, without safety checker and progress bars.

    `source` is what was asked for and `path` where it lies; `name` is short, for people; `family_name` is a name of
    `eleven.layers.family`, or the pipeline's class where no family is known; `size` is (width, height) in pixels;
    `notes` tell what was assumed because no file told it.
    """

    pipeline: DiffusionPipeline
    source: str
    path: Path
    name: str
    device: torch.device
    dtype: torch.dtype
    family_name: str
    notes: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, or of the names and hashes of a folder's weight files; read when first asked for."""
        return identity(self.path)

    @cached_property
    def components(self) -> Mapping[str, nn.Module]:
        """The models that fine-tunes can change: the denoiser, then the text encoders, by their names in diffusers."""
        parts = self.pipeline.components
        return {name: parts[name] for name in CHANGEABLE if isinstance(parts.get(name), nn.Module)}

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height that the base was made for."""
        denoiser = self.pipeline.components.get("unet") or self.pipeline.components.get("transformer")
        told = getattr(self.pipeline, "default_sample_size", None) or getattr(denoiser, "config", {})["sample_size"]
        height, width = (told, told) if isinstance(told, int) else told
        factor = int(getattr(self.pipeline, "vae_scale_factor", 8))
        return width * factor, height * factor
