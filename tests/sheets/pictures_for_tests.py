"""An engine without a model, whose pixels tell which mix and which shot they were made of."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np

from eleven.engines.engine import Picture, Shot
from eleven.mix import Mix, Part

SIDE = 64


class FakeEngine:
    """Red is the first part's strength, green the second's, in hundredths; blue is the seed; 255 is no mix at all."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.taken: list[tuple[Mix | None, Shot]] = []
        self.stop_after = stop_after

    def take(self, mix, shots):
        for shot in shots:
            if len(self.taken) == self.stop_after:
                raise KeyboardInterrupt
            self.taken.append((mix, shot))
            pixels = np.empty((shot.height or SIDE, shot.width or SIDE, 3), np.uint8)
            pixels[:] = color_of(mix, shot)
            pixels[-8:, -8:] = crc32(shot.prompt.encode()) % 256
            yield Picture(mix, shot, pixels)


def color_of(mix, shot):
    """The color of all but a corner of the picture."""
    strengths = [round(100 * part.strength) for part in mix.parts] if mix else [255, 255]
    return [*[*strengths, 0][:2], shot.seed]


def part(name: str, strength: float = 1.0, **at: float) -> Part:
    """A part of a file that is known by a hash."""
    return Part(file=f"{name}.safetensors", sha256=f"{crc32(name.encode()):08x}" * 8, strength=strength, at=at)


def mix_of(*parts: Part) -> Mix:
    """A mix of these parts."""
    return Mix(parts=parts)


def corner(path: Path, at=(0, 0)):
    """One pixel of a file."""
    from PIL import Image

    with Image.open(path) as image:
        return list(image.convert("RGB").getpixel(at))
