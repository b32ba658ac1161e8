"""What models change in a base's predictions, as plain numbers, and what follows from them for a mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.errors import UsageError

Table = tuple[tuple[float, ...], ...]

TRUST = 0.5
"""How far of the way from equal shares least squares are followed.

They count every number of a prediction alike, so they lean to models that change little; likeness leans less.
"""


@final
@dataclass(frozen=True)
class Band:
    """One range of noise, from `low` to `high`, and what N models change in the predictions there.

    `gram[i][j]` is the mean over the inputs of ⟨Δvᵢ, Δvⱼ⟩. With photos, `target[i]` is that of ⟨Δvᵢ, truth − v₀⟩ and
    `error` that of ‖truth − v₀‖²; without, `target` is empty and `error` 0.
    """

    name: str
    low: float
    high: float
    gram: Table
    target: tuple[float, ...]
    error: float


@final
@dataclass(frozen=True)
class Probe:
    """What N models change in a base's predictions, band by band; every band has as many inputs."""

    bands: tuple[Band, ...]

    @property
    def helping(self) -> tuple[float, ...]:
        """The cosine of what each model changes with what photos miss, over all bands; empty without photos."""
        if not all(band.target for band in self.bands):
            return ()
        target = np.sum([band.target for band in self.bands], axis=0)
        squares = np.sum([np.diagonal(band.gram) for band in self.bands], axis=0)
        sizes = np.sqrt((squares * sum(band.error for band in self.bands)).clip(min=0.0))
        return tuple(map(float, np.divide(target, sizes, out=np.zeros_like(sizes), where=sizes > 0)))


def overlap(probe: Probe, band: str | None = None) -> Table:
    """The N×N cosines, from -1 to 1, of what the models change: in the band of this name, or their mean over all.

    A model that changes nothing has a cosine of 0 with all others. UsageError for a band that there is not.
    """
    chosen = [one for one in probe.bands if band in (None, one.name)]
    if not chosen:
        known = ", ".join(one.name for one in probe.bands)
        raise UsageError(f"the probe has no band {band!r}.", hint=f"There are {known or 'none'}.")
    return as_table(np.mean([cosines(one.gram) for one in chosen], axis=0))


def mean_overlap(probe: Probe) -> float:
    """ρ: the mean of the cosines over all pairs and bands; 1 for a single model."""
    return mean_of_pairs(overlap(probe))


def shared(probe: Probe) -> float:
    """ρ where it tells most of the total: as `mean_overlap`, in the band of most noise alone.

    That band foretold the best totals of the lab best (docs/concepts/probing.md).
    """
    return mean_of_pairs(overlap(probe, max(probe.bands, key=lambda band: band.high).name))


def predicted_total(single_best: float, mean_overlap: float, count: int) -> float:
    """W₁·N / (1 + (N − 1)·ρ): the total at which N models are as noisy as one is at its own best strength W₁.

    Each change is taken for a shared part and a part of its own, all of one size and cosine ρ; a ρ below 0 counts as 0.
    """
    return single_best * count / (1 + (count - 1) * min(max(mean_overlap, 0.0), 1.0))


def least_squares(probe: Probe) -> tuple[float, ...]:
    """The strengths ≥ 0 whose weighted sum brings the predictions nearest to the photos, over all bands.

    Their proportions tell who helps; their sum is far below the total that looks best. Empty without photos.
    """
    from scipy.optimize import nnls

    if not all(band.target for band in probe.bands):
        return ()
    grams = np.sum([band.gram for band in probe.bands], axis=0)
    target = np.sum([band.target for band in probe.bands], axis=0)
    squares, vectors = np.linalg.eigh(grams)
    kept = squares > 1e-10 * squares[-1]
    roots = np.sqrt(squares[kept])
    found, _ = nnls(roots[:, None] * vectors[:, kept].T, vectors[:, kept].T @ target / roots)
    return tuple(map(float, found))


def ratios(probe: Probe) -> tuple[float, ...]:
    """Shares of sum 1, half of the way from equal ones to the proportions of `least_squares`.

    Empty without photos, and where no model helps.
    """
    found = least_squares(probe)
    whole = sum(found)
    return tuple(TRUST * one / whole + (1 - TRUST) / len(found) for one in found) if whole > 0 else ()


def restricted(probe: Probe, numbers: Sequence[int]) -> Probe:
    """The probe of some of its models, in this order."""
    return Probe(
        tuple(
            replace(
                band,
                gram=tuple(tuple(band.gram[row][column] for column in numbers) for row in numbers),
                target=tuple(band.target[number] for number in numbers) if band.target else (),
            )
            for band in probe.bands
        )
    )


def prediction_norms(probe: Probe) -> tuple[float, ...]:
    """How much each model changes predictions: the root mean square over all bands."""
    found = np.mean([np.diagonal(band.gram) for band in probe.bands], axis=0)
    return tuple(map(float, np.sqrt(found.clip(min=0.0))))


def cosines(gram: Sequence[Sequence[float]] | NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gram matrix over the norms: ones on its diagonal, zeros beside a model of norm 0."""
    table = np.asarray(gram, np.float64)
    norms = np.sqrt(table.diagonal().clip(min=0.0))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    found = (table * scale[:, None] * scale).clip(-1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return found


def mean_of_pairs(table: Sequence[Sequence[float]]) -> float:
    """The mean of what stands above the diagonal; 1 where nothing does."""
    found = [value for row, values in enumerate(table) for value in values[row + 1 :]]
    return sum(found) / len(found) if found else 1.0


def as_table(matrix: NDArray[np.float64]) -> Table:
    """Nested tuples."""
    return tuple(tuple(map(float, row)) for row in matrix)
