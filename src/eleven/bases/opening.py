"""Opens a base model for making pictures and for training; everything about where it comes from ends here."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from eleven.bases.devices import choose_device, choose_dtype
from eleven.bases.families import check_channels, family_of
from eleven.bases.hub import locate
from eleven.bases.opened import Base
from eleven.bases.options import PLAIN, BaseOptions, place_on
from eleven.bases.pipeline_folder import read_folder, read_index
from eleven.bases.quiet import quiet
from eleven.errors import FamilyMismatch, OutOfMemory

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
    with quiet():
        try:
            return _open(str(source), place, dtype, download, options)
        except (torch.OutOfMemoryError, MemoryError):
            raise OutOfMemory(f"{source}: does not fit into the memory of {place}.", hint=SMALLER) from None


def _open(source: str, device: torch.device, dtype: str, download: bool, options: BaseOptions) -> Base:
    place = locate(source, download=download)
    index = read_index(place.path)
    kept = choose_dtype(dtype, device, wide="transformer" in index)
    pipeline = read_folder(place.path, index, kept)
    try:
        check_channels(pipeline)
    except FamilyMismatch as error:
        raise error.at(place.path) from None
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False)
    pipeline.set_progress_bar_config(disable=True)
    place_on(pipeline, device, options)
    return Base(pipeline, source, place.path, place.name, device, kept, family_of(pipeline))
