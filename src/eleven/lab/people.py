"""The lab's concepts: two people, one of them old, and a cat, with their photos and captions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from eleven.errors import UsageError
from eleven.lab.captions import caption_of
from eleven.lab.person import Person, draw_person
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import Scene, draw_scene

if TYPE_CHECKING:
    import numpy as np

TRAINING, REFERENCES = 24, 12
"""Photos of each concept: to train on, and held out to measure likeness by."""


@final
@dataclass(frozen=True)
class Concept:
    """Somebody whom the base does not know; `seed` draws the scenes of the photos."""

    name: str
    person: Person
    trigger: str
    seed: int

    def scenes(self, count: int = TRAINING + REFERENCES, first: int = 0) -> list[Scene]:
        """The scenes of the photos, the training photos first; more than are shipped can be asked for."""
        return [draw_scene(self.seed + number) for number in range(first, first + count)]

    def photos(self, count: int, first: int = 0) -> list[np.ndarray]:
        """Photos as uint8 of shape (96, 96, 3)."""
        return [draw_portrait(self.person, scene) for scene in self.scenes(count, first)]

    @property
    def captions(self) -> list[str]:
        """A caption of each photo."""
        return [caption_of(self.trigger, scene) for scene in self.scenes()]


ADA = {
    "hair_length": 0.8, "hair_hue": 0.15, "hair_saturation": 0.85, "hair_brightness": 0.6, "glasses": 0.85,
    "frame": 0.9, "beard": 0.1, "freckles": 0.3, "forehead": 0.2, "folds": 0.2, "mole_x": 0.75,
}  # fmt: skip
OTTO = {
    "forehead": 0.95,
    "folds": 0.9,
    "freckles": 0.69,
    "mole_x": 0.8,
    "mole_y": 0.3,
    "beard": 0.2,
    "hair_length": 0.2,
}

CONCEPTS = (
    Concept("ada", draw_person(41, "person", **ADA), "sks person", 70_000),
    Concept("otto", draw_person(59, "person", **OTTO), "sks person", 71_000),
    Concept("minka", draw_person(23, "cat", glasses=0.1, mole_x=0.8, forehead=0.8), "sks cat", 72_000),
)
"""Their numbers are among no training set of the base, the autoencoder or the eye."""


def concept(name: str) -> Concept:
    """The concept of this name, or UsageError."""
    found = next((known for known in CONCEPTS if known.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in CONCEPTS)
        raise UsageError(f"the lab has nobody called {name!r}.", hint=f"There are {known}.")
    return found


def write_photos(one: Concept, folder: Path, *, first: int = 0, count: int = TRAINING) -> list[Path]:
    """PNG files of the concept's photos with their captions beside them, as `eleven train` reads them."""
    from io import BytesIO

    from PIL import Image

    written: list[Path] = []
    pairs = zip(one.photos(count, first), one.scenes(count, first), strict=True)
    for number, (pixels, scene) in enumerate(pairs, first):
        buffer, path = BytesIO(), folder / f"{number:02}.png"
        Image.fromarray(pixels).save(buffer, "png")
        for place, content in (
            (path, buffer.getvalue()),
            (path.with_suffix(".txt"), caption_of(one.trigger, scene).encode()),
        ):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        written.append(path)
    return written
