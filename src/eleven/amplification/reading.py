"""`Reading`: what the collapse meter shows of one mix, and at which total it would show something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite
from typing import TYPE_CHECKING, final

from eleven.amplification.zones import EFFECT, EFFECT_AT_BEST, Limits, Zone

if TYPE_CHECKING:
    from eleven.amplification.spectra import Spectra


@final
@dataclass(frozen=True)
class Reading:
    """What a mix does, in what one of its models does alone: at strength 1 or, if `at_best`, at its own best strength.

    `total` is the sum of the strengths. `effect` is expected of the predictions, as models of one concept do alike
    there what their weights do not show. The norm ratio is that of the weights, each model's change counted in its own
    norm, since norms of different techniques cannot be compared: `ratio` of all of them, `components`, `blocks`, and
    `layers`, the 95th percentile over layers. A base adds the spectra; measured predictions add `additivity` (how far
    the mix is from the sum of its models, over that sum) and `gain` (the effect as measured), which decide no zone.
    """

    total: float
    effect: float
    ratio: float
    at_best: bool = False
    components: Mapping[str, float] = field(default_factory=dict[str, float])
    blocks: Mapping[str, float] = field(default_factory=dict[str, float])
    layers: float = 0.0
    spectra: Spectra | None = None
    additivity: float | None = None
    gain: float | None = None

    @property
    def limits(self) -> Limits:
        """Of the effect."""
        return EFFECT_AT_BEST if self.at_best else EFFECT

    @property
    def zone(self) -> Zone:
        """That of the effect."""
        return self.limits.zone(self.effect)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the zone is not green, each in a sentence."""
        if self.zone == "green":
            return ()
        told = (
            f"The strengths add up to {self.total:.2f}, which does about {self.effect:.2f} × what one model does "
            f"alone; past {self.limits.red:g} × pictures usually collapse: here from {self.edge:.2f} in total."
        )
        return (told,)

    @property
    def edge(self) -> float:
        """The total, at the same shares, from which on the effect is red; infinite where nothing is changed."""
        return self.total * self.limits.red / self.effect if self.effect > 0 else inf

    def at(self, total: float) -> Reading:
        """The effect and the norm ratios at another total and the same shares, as they grow alike; none of the rest."""
        factor = total / self.total if self.total > 0 else 0.0
        components, blocks = (
            {name: factor * value for name, value in values.items()} for values in (self.components, self.blocks)
        )
        return Reading(
            total, factor * self.effect, factor * self.ratio, self.at_best, components, blocks, factor * self.layers
        )

    def with_predictions(self, *, additivity: float, gain: float | None = None) -> Reading:
        """The reading with what predictions on a base tell."""
        return replace(self, additivity=additivity, gain=gain)

    def listed(self) -> dict[str, object]:
        """Every number, the zone and its reasons, for JSON."""
        edge = self.edge if isfinite(self.edge) else None
        return {**asdict(self), "edge": edge, "zone": self.zone, "reasons": list(self.reasons)}


def sweep(reading: Reading, totals: Iterable[float]) -> tuple[Reading, ...]:
    """The reading at other totals and the same shares, as `Reading.at` tells it."""
    return tuple(reading.at(total) for total in totals)


def line(reading: Reading) -> str:
    """The reading in one line of text."""
    told = f"collapse meter: {reading.zone}: {reading.total:.2f} in total does about {reading.effect:.2f} × one model"
    known = {"additivity": reading.additivity, "gain": reading.gain}
    told += "".join(f", {name} {value:.2f}" for name, value in known.items() if value is not None)
    return f"{told}; red from {reading.edge:.2f} in total." if isfinite(reading.edge) else f"{told}."
