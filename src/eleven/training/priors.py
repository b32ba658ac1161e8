"""Pictures of the class that the base itself draws, so that a training leaves the rest of the class as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from eleven.bases.architectures import Pipeline
from eleven.training.photos import Photo
from eleven.training.plan import TrainingPlan

STEPS, GUIDANCE, APART = 20, 5.0, 1 << 32


def draw_priors(pipeline: Pipeline, plan: TrainingPlan) -> Iterator[Photo]:
    """As many pictures as the plan asks for; before anything is trained (Ruiz 2022, arXiv 2208.12242, section 3.3)."""
    caption = f"photo of {plan.class_word}"
    pipeline.set_progress_bar_config(disable=True)
    for number in range(plan.prior_pictures):
        stream = torch.Generator().manual_seed(APART + plan.seed + number)
        drawn = pipeline(caption, generator=stream, num_inference_steps=STEPS, guidance_scale=GUIDANCE)
        yield Photo(Path(f"class-{number}"), drawn.images[0], caption)
