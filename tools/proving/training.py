"""Fine-tunes that only the evidence needs: trained once with `eleven train`, and kept in the work folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from eleven.lab.people import Concept, write_photos
from lab.train_people import LAB, RECIPES, Recipe, adapter

PEOPLE = LAB / "people"
PHOTOS = 24


CLAIMS = (
    Recipe("same", "lora", range(12), 11, (*adapter(8, "2e-3"), "--set", "keep_every=400")),
    Recipe("more", "lora", range(24), 12, adapter(16, "2e-3", 1000)),
)
"""Another LoRA on the first one's photos, with its own earlier state, and one of a pair's photos, steps and rank."""

OWN = RECIPES[:3]
"""As the shipped people's: two LoRA on different photos, and a LoHa."""


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
