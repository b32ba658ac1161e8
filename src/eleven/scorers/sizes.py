"""Pictures at the sizes that scorers look at."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from eleven.scorers.scorer import Pixels

SMOOTH = Image.Resampling.BICUBIC
"""Pillow's filters cover what they reduce, so that nothing aliases."""


def squared(pixels: Pixels, side: int) -> Pixels:
    """The largest square in the middle, at this side; a picture of that size is returned as it is."""
    if pixels.shape[:2] == (side, side):
        return pixels
    return np.asarray(ImageOps.fit(Image.fromarray(pixels), (side, side), method=SMOOTH))


def within(pixels: Pixels, side: int) -> Pixels:
    """The picture reduced, where it is larger, so that neither side is longer than this."""
    height, width = pixels.shape[:2]
    share = side / max(height, width)
    if share >= 1:
        return pixels
    size = (max(round(width * share), 1), max(round(height * share), 1))
    return np.asarray(Image.fromarray(pixels).resize(size, SMOOTH))
