"""Fine-tunes that only the evidence needs: trained once with `eleven train`, and kept in the work folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eleven.lab.people import Concept, write_photos

LAB = Path(__file__).resolve().parents[2] / "src" / "eleven" / "lab"
PEOPLE = LAB / "people"
PHOTOS = 24


@dataclass(frozen=True)
class Recipe:
    """One fine-tune: its name, its photos by number, its seed and the settings of the training."""

    name: str
    technique: str
    photos: range
    seed: int
    settings: tuple[str, ...]


def adapter(rank: int, rate: str, steps: int = 500) -> tuple[str, ...]:
    """The settings of an adapter of the lab's small UNet, as the shipped ones have them."""
    told = ("--rank", str(rank), "--learning-rate", rate, "--text-learning-rate", "0", "--steps", str(steps))
    return (*told, "--layers", "all", "--batch", "8")


CLAIMS = (
    Recipe("same", "lora", range(12), 11, (*adapter(8, "2e-3"), "--set", "keep_every=400")),
    Recipe("more", "lora", range(24), 12, adapter(16, "2e-3", 1000)),
)
"""Another LoRA on the first one's photos, with its own earlier state, and one of a pair's photos, steps and rank."""

OWN = (
    Recipe("lora-a", "lora", range(12), 1, adapter(8, "2e-3")),
    Recipe("lora-b", "lora", range(12, 24), 2, adapter(8, "2e-3")),
    Recipe("loha", "loha", range(24), 3, adapter(4, "3e-3")),
)
"""As the shipped people's."""


def train(concept: Concept, recipe: Recipe, work: Path) -> Path:
    """The file of a fine-tune, trained where it is not there yet; CalledProcessError where it fails."""
    to = work / "models" / f"{concept.name}-{recipe.name}.safetensors"
    if to.exists():
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as chosen:
        drawn = write_photos(concept, Path(chosen) / "all", count=PHOTOS)
        photos = Path(chosen) / "photos"
        photos.mkdir()
        for path in (drawn[number] for number in recipe.photos):
            for file in (path, path.with_suffix(".txt")):
                shutil.copy(file, photos)
        subprocess.run(command(concept, recipe, photos, to), check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return to


def command(concept: Concept, recipe: Recipe, photos: Path, to: Path) -> Sequence[str]:
    """What trains it."""
    words = ["--quiet", "train", "--base", str(LAB / "base"), "--photos", str(photos), "--technique", recipe.technique]
    words += ["--trigger", "sks", "--class-word", concept.person.kind, "--seed", str(recipe.seed), "--to", str(to)]
    return [sys.executable, "-m", "eleven.cli.main", *words, *recipe.settings]
