"""How far a written file is from the mix that was asked for, layer by layer and in total."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

from eleven.amplification.reading import Reading
from eleven.errors import ProofFailed

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class LayerProof:
    """One layer: the squared norm of what was asked, the squared distance of what the file holds, and how it is stored.

    `form` is `rank N`, `kronecker`, `full`, `nothing`, or `weight` (added into a checkpoint).
    """

    layer: str
    asked: float
    missed: float
    form: str

    @property
    def error(self) -> float:
        """Relative Frobenius error; 0 where nothing was asked and nothing stored."""
        if self.asked > 0:
            return (self.missed / self.asked) ** 0.5
        return 0.0 if self.missed == 0 else float("inf")


Progress = Callable[[LayerProof, int], None]
"""Called with each layer as it is done, and how many there are."""


def ignore(layer: LayerProof, count: int) -> None:
    """No progress."""


@dataclass(frozen=True)
class Proof:
    """All layers of one written file, what could not be stored and why, and the reading of a mix that is too strong."""

    layers: tuple[LayerProof, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    alarm: Reading | None = None

    @property
    def error(self) -> float:
        """Relative Frobenius error over all layers."""
        return LayerProof("", sum(layer.asked for layer in self.layers), self._missed, "").error

    @property
    def kept(self) -> float:
        """Share of the asked energy (squared norm) that the file holds: 1 − error²."""
        return max(0.0, 1.0 - self.error**2)

    @property
    def _missed(self) -> float:
        return sum(layer.missed for layer in self.layers)

    def worst(self, count: int = 5) -> list[LayerProof]:
        """The layers furthest from what was asked."""
        return sorted(self.layers, key=lambda layer: -layer.error)[:count]

    def summary(self) -> dict[str, float | None]:
        """What is stored in the file and shown first; no number where JSON has none for it."""
        return {
            "error": finite(float(f"{self.error:.3e}")),
            "kept": round(self.kept, 6),
            "applied": len(self.layers),
            "not_applied": len(self.skipped),
        }

    def listed(self) -> dict[str, object]:
        """Totals, every layer, everything skipped and, where there is one, the alarm as `collapse`."""
        told = (asdict(layer) | {"error": layer.error} for layer in self.layers)
        layers = [{key: finite(value) for key, value in layer.items()} for layer in told]
        alarm = {"collapse": self.alarm.listed()} if self.alarm else {}
        return {**self.summary(), "layers": layers, "skipped": dict(self.skipped), **alarm}

    def to_json(self) -> str:
        """What `listed` gives, as text."""
        return json.dumps(self.listed(), indent=2, allow_nan=False)

    def require(self, tolerance: float, place: str, *, remedy: str = "") -> None:
        """ProofFailed where the total error is above `tolerance`; its hint is what would lessen the error."""
        if not self.error <= tolerance:
            worst = self.worst(1)[0]
            raise ProofFailed(
                f"{place}: relative error {self.error:.2e} is above the tolerance {tolerance:.2e} "
                f"(worst layer: {worst.layer}, {worst.error:.2e}).",
                hint=f"{remedy}{' Or raise' if remedy else 'Raise'} --tolerance; the file was written.",
            )


def finite(value: Value) -> Value | None:
    """The value, or None for infinity and NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
