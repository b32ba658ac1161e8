"""Whether a picture has collapsed: oversaturated, clipped, flat or too contrasty, or noisy, beside the references."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eleven.scorers.scorer import Pixels
from eleven.scorers.sizes import within

SIDE = 256
"""Pictures and photos are measured at one size, since noise and contrast of edges depend on it."""
EDGE = 2
"""A pixel is clipped where its channels reach from so near to 0 to so near to 255; black and white are none."""
LUMA = np.array([0.299, 0.587, 0.114])

Limits = dict[str, tuple[float, float]]
"""The lowest and the highest that is allowed of each measure."""

ROOM = {"saturation": 0.22, "clipped": 0.1, "contrast": 0.1, "noise": 0.015}
"""What a measure may go above the references' highest percentile, whatever their spread."""
FLAT = 0.25
"""A picture with less than this share of the lowest contrast of the references is flat."""


def measures(pixels: Pixels) -> dict[str, float]:
    """Mean saturation, share of clipped pixels, deviation of brightness and median |Laplacian|, each from 0 to 1."""
    small = within(pixels, SIDE).astype(np.float64)
    high, low = small.max(2), small.min(2)
    light = small @ LUMA / 255
    clipped = (high >= 255 - EDGE) & (low <= EDGE)
    return {
        "saturation": float(((high - low) / np.maximum(high, 1)).mean()),
        "clipped": float(clipped.mean()),
        "contrast": float(light.std()),
        "noise": float(np.median(np.abs(laplacian(light)))),
    }


def laplacian(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each place differs from the mean of its four neighbours."""
    wide = np.pad(light, 1, mode="edge")
    return light - (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) / 4


def limits_of(photos: Sequence[Pixels]) -> Limits:
    """Above the 99th percentile of the photos by their own spread and a fixed room, and below the flattest by far."""
    rows = [measures(photo) for photo in photos]
    limits: Limits = {}
    for name, room in ROOM.items():
        values = np.array([row[name] for row in rows])
        top = float(np.percentile(values, 99))
        limits[name] = (0.0, top + (top - float(np.median(values))) + room)
    limits["contrast"] = (FLAT * min(row["contrast"] for row in rows), limits["contrast"][1])
    return limits


def collapsed(pixels: Pixels, limits: Limits) -> str:
    """What is out of its limits, with the values, or "" for a picture as it should be."""
    found = measures(pixels)
    return "; ".join(told(name, found[name], *limits[name]) for name in found if out(found[name], *limits[name]))


def out(value: float, lowest: float, highest: float) -> bool:
    """Whether a measure is outside its limits."""
    return not lowest <= value <= highest


def told(name: str, value: float, lowest: float, highest: float) -> str:
    """One measure beside the limit that it breaks."""
    word, limit = ("below", lowest) if value < lowest else ("above", highest)
    return f"{name} {value:.3f} {word} {limit:.3f}"
