"""`Edge`: how large a change of the model may be before pictures are ruined, as far as ruined pictures tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.studies.theory import OWN

Floats = NDArray[np.float64]

EXPECTED, UNCERTAIN = 1.5, 0.25
"""At how many times the usual change half of the pictures are thought to be ruined; how uncertain its logarithm is."""

WIDTH = 0.1
"""How far, in logarithms, the other half is."""

EDGES = np.linspace(-1.5, 1.5, 121)


@final
@dataclass(frozen=True, eq=False)
class Edge:
    """How much each place of the edge is believed, in logarithms of the usual change."""

    usual: float
    beliefs: Floats

    def ruined(self, strengths: Floats) -> Floats:
        """The expected share of ruined pictures, of rows of strengths."""
        from scipy.special import ndtr

        shares = ndtr((np.log(change(strengths) / self.usual)[:, None] - EDGES) / WIDTH) @ self.beliefs
        return np.clip(shares, 0, 1 - 1e-9)


def find_edge(usual: Floats, strengths: Floats, whole: Floats, lost: Floats) -> Edge:
    """Where the edge is after so many whole and so many lost pictures of each row of strengths."""
    from scipy.special import log_ndtr

    size = float(change(usual[None])[0])
    places = (np.log(change(strengths) / size)[:, None] - EDGES) / WIDTH
    told = lost @ log_ndtr(places) + whole @ log_ndtr(-places)
    told -= np.square(EDGES - np.log(EXPECTED)) / (2 * UNCERTAIN**2)
    beliefs = np.exp(told - told.max())
    return Edge(size, beliefs / beliefs.sum())


def change(strengths: Floats) -> Floats:
    """The size of what the strengths change, shared and own parts of equal models together."""
    return np.sqrt(np.square(strengths.sum(1)) + OWN * np.square(strengths).sum(1))
