"""Draws docs/pictures/lab_mix.png: photos of otto, the base alone, two LoRA alone, and both together.

python tools/lab/draw_mix.py; every column is one prompt and one seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eleven.bases.opening import open_base
from eleven.engines.diffusers import DiffusersEngine, Settings
from eleven.engines.engine import Shot
from eleven.lab.captions import caption_of
from eleven.lab.people import concept
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import draw_scene
from eleven.lab.shipped import concept_folder
from eleven.mix import Mix, Part

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "lab_mix.png"
FIRST, COUNT, SIDE, MARGIN = 80_100, 8, 96, 150
ROWS = (
    ("photos", None),
    ("no model", ()),
    ("LoRA A, 1.0", (("lora-a", 1.0, 1.0),)),
    ("LoRA B, 1.0", (("lora-b", 1.0, 1.0),)),
    ("A 0.7 + B 0.7", (("lora-a", 0.7, 1.0), ("lora-b", 0.7, 1.0))),
    ("A 0.5 + B 0.5,\nnegative 0.5", (("lora-a", 0.5, 0.5), ("lora-b", 0.5, 0.5))),
)
"""What is written beside a row, and the models with their strengths and the shares for the negative prompt."""


def mix_of(parts: tuple[tuple[str, float, float], ...]) -> Mix | None:
    """The mix of these models of otto; None for none."""
    folder = concept_folder("otto")
    files = [
        Part(file=str(folder / f"otto-{name}.safetensors"), strength=strength, negative=negative)
        for name, strength, negative in parts
    ]
    return Mix(parts=tuple(files)) if files else None


def main() -> None:
    """Draws and writes the picture."""
    otto, scenes = concept("otto"), [draw_scene(FIRST + number) for number in range(COUNT)]
    shots = [Shot(caption_of(otto.trigger, scene), seed, guidance=3.0) for seed, scene in enumerate(scenes)]
    page = Image.new("RGB", (MARGIN + COUNT * SIDE, len(ROWS) * SIDE), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    with DiffusersEngine(open_base("lab", device="cpu"), Settings(batch=COUNT)) as engine:
        for row, (label, parts) in enumerate(ROWS):
            if parts is None:
                pictures = [draw_portrait(otto.person, scene) for scene in scenes]
            else:
                pictures = [picture.pixels for picture in engine.take(mix_of(parts), shots)]
            page.paste(Image.fromarray(np.concatenate(pictures, 1)), (MARGIN, row * SIDE))
            pen.text((10, row * SIDE + SIDE // 2), label, "black", font, anchor="lm")
    page.save(PAGE, optimize=True)


if __name__ == "__main__":
    main()
