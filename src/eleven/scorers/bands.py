"""How much structure of each fineness a picture has in each part, by a Laplacian pyramid (Burt, Adelson 1983)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eleven.scorers.scorer import Pixels

LEVELS, PARTS = 3, 3
"""The finest levels that are measured, and the parts of each side."""
LUMA = np.array([0.299, 0.587, 0.114])
KERNEL = np.array([1, 4, 6, 4, 1]) / 16
FLOOR = 1.0
"""Grey levels, squared: less energy than this is noise of rounding."""

Bands = NDArray[np.float64]


def bands_of(square: Pixels) -> Bands:
    """The logarithm of the energy of each level in each part, of shape (levels, parts, parts)."""
    light: NDArray[np.float64] = square.astype(np.float64) @ LUMA
    found: list[NDArray[np.float64]] = []
    for _ in range(LEVELS):
        blurred = smoothed(smoothed(light).T).T
        found.append(energies((light - blurred) ** 2))
        light = blurred[::2, ::2]
    return np.log(np.stack(found) + FLOOR)


def smoothed(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows behind a binomial blur."""
    wide = np.pad(light, ((0, 0), (2, 2)), mode="reflect")
    width = light.shape[1]
    return np.stack([wide[:, place : place + width] for place in range(len(KERNEL))], axis=-1) @ KERNEL


def energies(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over each part."""
    rows = [np.array_split(row, PARTS, axis=1) for row in np.array_split(squares, PARTS)]
    return np.array([[part.mean() for part in row] for row in rows])


def band_distance(bands: Bands, other: Bands) -> float:
    """The mean absolute logarithm of the ratio of energies: 0 is as fine, more is over-sharp or plastic."""
    return float(abs(bands - other).mean())
