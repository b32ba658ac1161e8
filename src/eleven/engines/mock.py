"""An engine without a model: its pictures tell how far a mix is from a hidden best, so that a search can be tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.engines.engine import Picture, Shot
from eleven.mix import Mix


@final
@dataclass(frozen=True)
class MockEngine:
    """Implements `Engine`: the nearer a mix's strengths are to `best`, by file name, the brighter its pictures.

    `spread` is how much luck a shot's words and seed add; a distance of 1 darkens to about a third. `knobs` are the
    hidden best of what is to be multiplied with all strengths at some addresses, such as `te`.
    """

    best: Mapping[str, float]
    spread: float = 0.05
    size: int = 16
    knobs: Mapping[str, float] = field(default_factory=dict[str, float])

    def take(self, mix: Mix | None, shots: Sequence[Shot]) -> Iterator[Picture]:
        """A picture of each shot, in their order."""
        for shot in shots:
            yield Picture(mix, shot, self._pixels(self.likeness(mix), shot))

    def likeness(self, mix: Mix | None) -> float:
        """What a mix's pictures show on average: 1 at the best strengths, nearly 0 far from them."""
        strengths = dict.fromkeys(self.best, 0.0)
        for part in mix.parts if mix else ():
            name = Path(part.file).name
            strengths[name] = strengths.get(name, 0.0) + part.strength
        off = sum((at - self.best.get(name, 0.0)) ** 2 for name, at in strengths.items())
        return float(np.exp(-off - sum((_factor(mix, name) - best) ** 2 for name, best in self.knobs.items())))

    def _pixels(self, likeness: float, shot: Shot) -> NDArray[np.uint8]:
        """Grey of that brightness, moved by luck that belongs to the shot, with a grain of its own."""
        digest = sha256(f"{shot.seed}:{shot.prompt}:{shot.negative}".encode()).digest()
        chance = np.random.default_rng(list(digest))
        width, height = shot.width or self.size, shot.height or self.size
        shown = 0.9 * likeness + self.spread * chance.standard_normal()
        grain = chance.uniform(-0.02, 0.02, (height, width, 3))
        return np.clip((shown + grain) * 255, 0, 255).astype(np.uint8)


def _factor(mix: Mix | None, address: str) -> float:
    """What the strengths of a mix are multiplied with at an address, on average."""
    parts = [part for part in mix.parts if part.strength] if mix else []
    return float(np.mean([part.at.get(address, part.strength) / part.strength for part in parts])) if parts else 1.0
