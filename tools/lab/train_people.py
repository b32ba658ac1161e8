"""Draws the photos of the lab's concepts and trains their fine-tunes with `eleven train`; what is there is kept.

python tools/lab/train_people.py [NAME …] [--only TECHNIQUE] [--workers 2]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from eleven.lab.people import CONCEPTS, REFERENCES, TRAINING, Concept, concept, write_photos

LAB = Path(__file__).resolve().parents[2] / "src" / "eleven" / "lab"


@dataclass(frozen=True)
class Recipe:
    """One fine-tune: its file's name, its photos by number, and the settings of the training."""

    name: str
    technique: str
    photos: range
    seed: int
    settings: tuple[str, ...]


def adapter(rank: int, rate: str, steps: int = 500, layers: str = "all") -> tuple[str, ...]:
    """The settings of an adapter of the lab's small UNet, which learns at higher rates than a large one."""
    told = ("--rank", str(rank), "--learning-rate", rate, "--text-learning-rate", "0", "--steps", str(steps))
    return (*told, "--layers", layers, "--batch", "8")


RECIPES = (
    Recipe("lora-a", "lora", range(12), 1, adapter(8, "2e-3")),
    Recipe("lora-b", "lora", range(12, 24), 2, adapter(8, "2e-3")),
    Recipe("loha", "loha", range(24), 3, adapter(4, "3e-3")),
    Recipe("lokr", "lokr", range(24), 4, adapter(8, "2e-3")),
    Recipe(
        "dreambooth", "dreambooth", range(24), 5,
        ("--learning-rate", "2e-4", "--text-learning-rate", "0", "--steps", "400", "--batch", "8"),
    ),
    Recipe(
        "word", "textual-inversion", range(24), 6,
        ("--rank", "3", "--text-learning-rate", "1e-2", "--steps", "500", "--batch", "8"),
    ),
)  # fmt: skip
"""The same for each concept: two LoRA on different photos, the others on all."""


def train(one: Concept, recipe: Recipe) -> str:
    """Trains one fine-tune, and says what became of it."""
    to = LAB / "people" / one.name / f"{one.name}-{recipe.name}.safetensors"
    if to.exists():
        return f"{to.name}: is there"
    with tempfile.TemporaryDirectory() as chosen:
        for number in recipe.photos:
            for suffix in (".png", ".txt"):
                shutil.copy(to.parent / "photos" / f"{number:02}{suffix}", chosen)
        words = ["train", "--base", str(LAB / "base"), "--photos", chosen, "--technique", recipe.technique]
        words += ["--trigger", "sks", "--class-word", one.person.kind, "--seed", str(recipe.seed), "--to", str(to)]
        threads = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "eleven.cli.main", "--quiet", *words, *recipe.settings]
        done = subprocess.run(command, check=False, env=threads, capture_output=True, text=True)
    return f"{to.name}: {to.stat().st_size / 1e6:.1f} MB" if done.returncode == 0 else f"{to.name}: {done.stderr}"


def main() -> None:
    """Trains whatever is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[one.name for one in CONCEPTS])
    parser.add_argument("--only", action="append", help="the name of a recipe")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    jobs = []
    for one in map(concept, options.names):
        write_photos(one, LAB / "people" / one.name / "photos")
        write_photos(one, LAB / "people" / one.name / "references", first=TRAINING, count=REFERENCES)
        jobs += [(one, recipe) for recipe in RECIPES if not options.only or recipe.name in options.only]
    with ThreadPoolExecutor(options.workers) as pool:
        for line in pool.map(lambda job: train(*job), jobs):
            print(line, flush=True)


if __name__ == "__main__":
    main()
