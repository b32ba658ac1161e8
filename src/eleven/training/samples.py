"""Pictures while training: the base with what was learned so far, always from the same noise."""

from __future__ import annotations

from pathlib import Path

import torch

from eleven.training.session import Session

STEPS, GUIDANCE, COUNT = 20, 5.0, 2


def sample_folder(to: Path) -> Path:
    """Where the samples of a training that writes `to` lie."""
    return to.with_name(f"{to.stem}-samples")


def take_samples(session: Session, to: Path, step: int) -> None:
    """Two pictures of the plan's prompt, as PNG files named for the step."""
    pipeline, plan = session.pipeline, session.plan
    folder = sample_folder(to)
    folder.mkdir(exist_ok=True)
    streams = [torch.Generator().manual_seed(plan.seed + number) for number in range(COUNT)]
    pipeline.set_progress_bar_config(disable=True)
    prompts = [session.trainee.wording(plan.prompt)] * COUNT
    with session.autocast():
        found = pipeline(prompts, generator=streams, num_inference_steps=STEPS, guidance_scale=GUIDANCE)
    for number, picture in enumerate(found.images, 1):
        picture.save(folder / f"step-{step:06}-{number}.png")
