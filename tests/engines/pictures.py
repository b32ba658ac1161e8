"""Pictures of diffusers' own pipelines, and how far pictures are from each other."""

from __future__ import annotations

import numpy as np
import torch

from eleven.bases.quiet import quiet
from eleven.engines.engine import Shot
from eleven.mix import Mix, Part

PROMPT = "photo of a cat"
SHOTS = [Shot(PROMPT, seed, "dog", steps=2, width=16, height=16) for seed in (1, 2, 3)]


def of_diffusers(pipeline, shot, **more):
    """The picture that a pipeline makes of a shot by itself."""
    negative = {} if "Flux" in type(pipeline).__name__ else {"negative_prompt": shot.negative or None}
    arguments = negative | {
        "prompt": shot.prompt,
        "width": shot.width,
        "height": shot.height,
        "num_inference_steps": shot.steps,
        "guidance_scale": shot.guidance,
        "generator": torch.Generator().manual_seed(shot.seed),
    }
    with quiet():
        images = pipeline(**(arguments | more), output_type="np").images
    return (images[0] * 255).round().astype(np.uint8)


def furthest(first, second):
    """The largest difference of two pictures' pixels."""
    return int(np.abs(np.asarray(first, int) - np.asarray(second, int)).max())


def mix_of(*parts, **more):
    """A mix of files with their strengths; a third item are strengths at addresses."""
    made = [Part(file=str(file), strength=strength, at=dict(*at)) for file, strength, *at in parts]
    return Mix(parts=tuple(made), **more)
