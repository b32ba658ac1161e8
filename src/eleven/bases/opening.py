"""Opens a base model for making pictures and for training; everything about where it comes from ends here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from eleven.bases.devices import choose_device, choose_dtype
from eleven.bases.families import check_channels, family_of
from eleven.bases.hub import locate
from eleven.bases.memory import memory_told
from eleven.bases.opened import Base
from eleven.bases.options import PLAIN, BaseOptions, place_on
from eleven.bases.pipeline_folder import read_folder, read_index
from eleven.bases.quiet import quiet
from eleven.bases.single_file import read_single

if TYPE_CHECKING:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

SMALLER = "Close other programs, use fp16, or save memory with offload, attention slicing and VAE tiling."


def open_base(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    download: bool = False,
    options: BaseOptions = PLAIN,
) -> Base:
    """The base model at a path, or of a hub id that was fetched before or may be now (`download`)."""
    place = choose_device(device)
    with quiet(), memory_told(f"{source}: does not fit into the memory of {place}.", SMALLER):
        return _open(str(source), place, dtype, download, options)


def _open(source: str, device: torch.device, dtype: str, download: bool, options: BaseOptions) -> Base:
    place = locate(source, download=download)
    notes: tuple[str, ...] = ()
    if place.path.is_dir():
        index = read_index(place.path)
        kept = choose_dtype(dtype, device, wide="transformer" in index)
        pipeline = read_folder(place.path, kept, index)
    else:
        kept = choose_dtype(dtype, device, wide=False)
        pipeline, notes = read_single(place.path, kept, options.prediction)
    _settle(pipeline, str(place.path))
    place_on(pipeline, device, options)
    return Base(pipeline, source, place.path, place.name, device, kept, family_of(pipeline), notes)


def _settle(pipeline: DiffusionPipeline, place: str) -> None:
    """Nothing trains and no progress is shown. FamilyMismatch where the UNet wants more than noise."""
    parts = pipeline.components
    if "unet" in parts and "vae" in parts:
        check_channels(place, parts["unet"].config["in_channels"], parts["vae"].config["latent_channels"])
    for part in parts.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False)
    pipeline.set_progress_bar_config(disable=True)
