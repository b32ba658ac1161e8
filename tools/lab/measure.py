"""Measures the lab's base and its eye, and draws the sheets in docs/pictures: what the base draws beside renders.

python tools/lab/measure.py --captions 500
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image

from eleven.lab.captions import caption, surroundings
from eleven.lab.eye import Eye, blurred, open_eye
from eleven.lab.person import draw_person, look_alike
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import Scene, draw_scene

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "src" / "eleven" / "lab" / "base"
FRESH = 9_000_000
"""Seeds of people that nothing was trained on."""


def captioned(count: int) -> tuple[list[str], list[Scene]]:
    """Captions that name background, shirt and expression, and their scenes."""
    told, scenes = [], []
    for seed in range(FRESH, FRESH + count):
        person, scene = draw_person(seed, "cat" if seed % 8 == 0 else "person"), draw_scene(seed)
        start = caption(person, scene, seed).split(", ")
        traits = [part for part in start[1:] if part not in surroundings(scene)]
        told.append(", ".join([start[0], *traits, *surroundings(scene)]))
        scenes.append(scene)
    return told, scenes


@torch.no_grad()
def made(captions: list[str], base: Path, *, guidance: float, steps: int = 20, batch: int = 50) -> np.ndarray:
    """Pictures of the captions by plain diffusers, uint8 (n, 96, 96, 3)."""
    pipe = StableDiffusionPipeline.from_pretrained(base)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    pictures = []
    for start in range(0, len(captions), batch):
        part = captions[start : start + batch]
        noise = torch.Generator().manual_seed(start)
        drawn = pipe(part, num_inference_steps=steps, guidance_scale=guidance, generator=noise, output_type="np")
        pictures.append((drawn.images * 255).round().astype(np.uint8))
    return np.concatenate(pictures)


def told_right(eye: Eye, pictures: np.ndarray, scenes: list[Scene]) -> dict[str, float]:
    """The share of pictures whose background, shirt and expression the eye finds as the caption says."""
    look = eye.look(pictures)
    shares = {}
    for question in ("background", "shirt", "expression"):
        told = look.told(question)
        shares[question] = float(np.mean([a == getattr(s, question) for a, s in zip(told, scenes, strict=True)]))
    return shares


def separation(same: np.ndarray, other: np.ndarray) -> float:
    """The chance that a pair of one person is more alike than a pair of two (area under the curve)."""
    ranks = np.concatenate([same, other]).argsort().argsort()[: len(same)]
    return float((ranks.sum() - len(same) * (len(same) - 1) / 2) / (len(same) * len(other)))


def eyesight(eye: Eye, people: int = 300) -> dict[str, float]:
    """How well the eye tells people apart, and what blur and look-alikes do to its two parts."""
    persons = [draw_person(FRESH + 10_000 + number) for number in range(people)]
    seeds = range(FRESH, FRESH + people)
    first = np.stack([draw_portrait(person, draw_scene(seed)) for person, seed in zip(persons, seeds, strict=True)])
    second = np.stack([draw_portrait(p, draw_scene(seed + people)) for p, seed in zip(persons, seeds, strict=True)])
    twins = np.stack(
        [draw_portrait(look_alike(p, seed), draw_scene(seed + people)) for p, seed in zip(persons, seeds, strict=True)]
    )
    soft = blurred(torch.from_numpy(second).permute(0, 3, 1, 2).float(), 1.5).permute(0, 2, 3, 1)
    a, b, c, d = (eye.look(part) for part in (first, second, twins, soft.round().byte().numpy()))
    answers: dict[str, float] = {}
    for part in ("overall", "detail"):
        alike = (getattr(a, part) @ getattr(b, part).T).numpy()
        same, other = alike.diagonal(), alike[~np.eye(people, dtype=bool)]
        twin = (getattr(a, part) * getattr(c, part)).sum(1).numpy()
        blur = (getattr(a, part) * getattr(d, part)).sum(1).numpy()
        answers |= {
            f"{part}: same, other": separation(same, other),
            f"{part}: mean of same": float(same.mean()),
            f"{part}: mean of others": float(other.mean()),
            f"{part}: mean of look-alikes": float(twin.mean()),
            f"{part}: mean of blurred": float(blur.mean()),
        }
    return answers


def sheet(pictures: np.ndarray, columns: int) -> Image.Image:
    """Pictures side by side."""
    rows = [np.concatenate(list(pictures[at : at + columns]), 1) for at in range(0, len(pictures), columns)]
    return Image.fromarray(np.concatenate(rows, 0))


def main() -> None:
    """Prints the measurements as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=500)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--base", type=Path, default=BASE)
    parser.add_argument("--sheets", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    captions, scenes = captioned(options.captions)
    pictures, eye = made(captions, options.base, guidance=options.guidance), open_eye()
    seeds = range(FRESH, FRESH + len(scenes))
    kinds = ["cat" if seed % 8 == 0 else "person" for seed in seeds]
    renders = np.stack(
        [draw_portrait(draw_person(s, k), scene) for s, k, scene in zip(seeds, kinds, scenes, strict=True)]  # type: ignore[arg-type]
    )
    both = np.concatenate(
        [np.concatenate([pictures[row : row + 5], renders[row : row + 5]]) for row in range(0, 50, 5)]
    )
    options.sheets.mkdir(parents=True, exist_ok=True)
    sheet(both, 10).save(options.sheets / "lab_base.png")
    measured = {"made": told_right(eye, pictures, scenes), "renders": told_right(eye, renders, scenes)}
    print(json.dumps(measured | {"eye": eyesight(eye)}, indent=2))


if __name__ == "__main__":
    main()
