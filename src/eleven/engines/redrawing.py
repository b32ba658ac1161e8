"""Photos as a base's own autoencoder returns them: the most that any picture made on that base can show of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from eleven.bases.architectures import pixels_of
from eleven.bases.memory import memory_told

if TYPE_CHECKING:
    from eleven.bases.opened import Base

SMALLER = "Use fewer or smaller photos."


@torch.no_grad()
def redraw(base: Base, photos: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Each photo, uint8 (height, width, 3), encoded and decoded at about the base's own size; the same each time.

    The autoencoder is used as it stands, so ask while no mix is in the base. OutOfMemory where it does not fit.
    """
    pipeline: Any = base.pipeline
    vae, unit = pipeline.vae, pixels_of(pipeline)
    with memory_told("memory is too small to redraw the photos.", SMALLER):
        return [_redrawn(vae, framed(photo, base, unit)) for photo in photos]


def _redrawn(vae: Any, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:  # noqa: ANN401 - an autoencoder of any family
    given = torch.from_numpy(photo).permute(2, 0, 1)[None].to(vae.device, vae.dtype) / 127.5 - 1
    made = vae.decode(vae.encode(given).latent_dist.mode()).sample
    shown = (made[0].float().clamp(-1, 1) + 1) * 127.5
    return shown.round().byte().permute(1, 2, 0).cpu().numpy()


def framed(photo: NDArray[np.uint8], base: Base, unit: int) -> NDArray[np.uint8]:
    """The photo at the base's area and about its own shape, its sides multiples of so many pixels."""
    from PIL import Image

    height, width = photo.shape[:2]
    scale = (base.size[0] * base.size[1] / (width * height)) ** 0.5
    size = tuple(max(unit, round(side * scale / unit) * unit) for side in (width, height))
    if size == (width, height):
        return np.array(photo)
    return np.array(Image.fromarray(photo).resize((size[0], size[1]), Image.Resampling.LANCZOS))
