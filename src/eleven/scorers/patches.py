"""Patches of a picture as a network sees them, and how well each is found again nearby in another picture."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from eleven.scorers.mobilenet import open_mobilenet
from eleven.scorers.scorer import Pixels

Patches = NDArray[np.float32]
"""Unit vectors of shape (rows · columns, channels) over a square grid."""


def seen(square: Pixels, *wanted: int) -> list[NDArray[np.float32]]:
    """MobileNetV2's outputs (channels, rows, columns) of these layers for one picture."""
    import torch

    picture = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        found = open_mobilenet()(picture, wanted)
    return [found[layer][0].numpy() for layer in wanted]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row at length one; a row of zeros stays."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def patches_of(features: NDArray[np.float32]) -> Patches:
    """The unit vector at each place of a layer's output."""
    return unit(features.reshape(len(features), -1).T)


def patch_likeness(patches: Patches, other: Patches, reach: int) -> float:
    """The mean over the other's patches of the best cosine among the patches at most `reach` places away."""
    cosines = other @ patches.T
    return float(np.where(near(len(other), reach), cosines, -1.0).max(axis=1).mean())


@cache
def near(count: int, reach: int) -> NDArray[np.bool_]:
    """Which places of a square grid are within reach of which."""
    side = round(count**0.5)
    row, column = np.divmod(np.arange(count), side)
    return (abs(row[:, None] - row) <= reach) & (abs(column[:, None] - column) <= reach)
