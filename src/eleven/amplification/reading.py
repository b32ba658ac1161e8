"""`Reading`: what the collapse meter shows of one mix, and at which total it would show something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import TYPE_CHECKING, final

from eleven.amplification.zones import ADDITIVITY, RATIO, Zone, worst

if TYPE_CHECKING:
    from eleven.amplification.spectra import Spectra


@final
@dataclass(frozen=True)
class Reading:
    """How many times one model's change a mix makes: in all, by component and block, and in its strongest layers.

    Each model's change is counted in its own norm at its best strength (1 where that is not known), since norms of
    different techniques cannot be compared. `layers` is the 95th percentile over layers. A base adds the spectra;
    measured predictions add `additivity` (how far the mix is from the sum of its models, over that sum) and `gain`
    (how many times one model's change of the prediction it makes).
    """

    total: float
    ratio: float
    components: Mapping[str, float] = field(default_factory=dict[str, float])
    blocks: Mapping[str, float] = field(default_factory=dict[str, float])
    layers: float = 0.0
    spectra: Spectra | None = None
    additivity: float | None = None
    gain: float | None = None

    @property
    def zone(self) -> Zone:
        """The worse zone of the norm ratio and, where it is known, of the additivity."""
        known = [] if self.additivity is None else [ADDITIVITY.zone(self.additivity)]
        return worst(RATIO.zone(self.ratio), *known)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the zone is not green, each in a sentence."""
        found: list[str] = []
        if RATIO.zone(self.ratio) != "green":
            found.append(
                f"The strengths add up to {self.total:.2f}, and their change is {self.ratio:.2f} × one model's; past "
                f"{RATIO.red:g} × pictures usually collapse, which is at {self.edge:.2f} in total."
            )
        if self.additivity is not None and ADDITIVITY.zone(self.additivity) != "green":
            found.append(
                f"The models' changes do not add up: predictions are off by {100 * self.additivity:.0f} % of their "
                f"sum; past {100 * ADDITIVITY.red:.0f} % pictures usually collapse."
            )
        return tuple(found)

    @property
    def edge(self) -> float:
        """The total, at the same shares, where the norm ratio turns red; infinite where nothing is changed."""
        return self.total * RATIO.red / self.ratio if self.ratio > 0 else inf

    def at(self, total: float) -> Reading:
        """The norm ratios at another total and the same shares, since they grow alike; nothing of the rest."""
        factor = total / self.total if self.total > 0 else 0.0
        components, blocks = (
            {name: factor * value for name, value in values.items()} for values in (self.components, self.blocks)
        )
        return Reading(total, factor * self.ratio, components, blocks, factor * self.layers)

    def listed(self) -> dict[str, object]:
        """Every number, the zone and its reasons, for JSON."""
        edge = self.edge if isfinite(self.edge) else None
        return {**asdict(self), "edge": edge, "zone": self.zone, "reasons": list(self.reasons)}


def sweep(reading: Reading, totals: Iterable[float]) -> tuple[Reading, ...]:
    """The reading at other totals and the same shares, as `Reading.at` tells it."""
    return tuple(reading.at(total) for total in totals)


def line(reading: Reading) -> str:
    """The reading in one line of text."""
    told = f"collapse meter: {reading.zone}: total {reading.total:.2f}, {reading.ratio:.2f} × one model's change"
    known = {"additivity": reading.additivity, "gain": reading.gain}
    told += "".join(f", {name} {value:.2f}" for name, value in known.items() if value is not None)
    return f"{told}; red from {reading.edge:.2f} in total." if isfinite(reading.edge) else f"{told}."
