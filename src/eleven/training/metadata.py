"""What a trained file says about itself: ModelSpec, the keys that users' tools read, and every setting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eleven.exports.metadata import FLUX, RESOLUTIONS, STABILITY, TAGS, VERSIONS
from eleven.training.captions import tag_frequency
from eleven.training.plan import TrainingPlan
from eleven.training.resume import State
from eleven.training.trainee import Trainee

TRAINING = "eleven.training"
"""The key whose JSON has the plan, the base and how it went."""


def trained_metadata(
    title: str, plan: TrainingPlan, trainee: Trainee, captions: Iterable[str], told: Mapping[str, object]
) -> dict[str, str]:
    """ModelSpec 1.0.1, kohya's keys and `eleven.training`; no date, so that the same training gives the same bytes."""
    family = trainee.family
    found = {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.title": title,
        "ss_output_name": title,
        "ss_base_model_version": VERSIONS.get(family.name, "") if family else "",
        "modelspec.trigger_phrase": title if trainee.called_by_file else plan.token,
        TAGS: json.dumps(tag_frequency(captions, title), ensure_ascii=False),
        TRAINING: json.dumps({"plan": plan.model_dump(mode="json"), **told}, ensure_ascii=False),
        **_kohya(plan),
        **trainee.metadata,
    }
    if family is not None:
        found |= {
            "modelspec.architecture": f"{family.architecture}/{trainee.modelspec}",
            "modelspec.implementation": FLUX if family.name == "flux" else STABILITY,
            "modelspec.resolution": RESOLUTIONS.get(family.name, "1024x1024"),
        }
    return {key: text for key, text in found.items() if text}


@dataclass(frozen=True)
class Outcome:
    """How a training went: its steps, the mean of the last losses, and the best that held-out photos saw."""

    steps: int
    loss: float
    held_out_loss: float | None
    best_step: int | None


def outcome(state: State) -> Outcome:
    """What a finished state tells."""
    last = state.losses[-max(1, len(state.losses) // 20) :]
    best = min((loss for _, loss in state.held), default=None)
    return Outcome(state.step, sum(last) / len(last), best, state.best_step)


def _kohya(plan: TrainingPlan) -> dict[str, str]:
    """The settings as sd-scripts' train_network.py names them."""
    told = {
        "ss_seed": plan.seed,
        "ss_max_train_steps": plan.steps,
        "ss_total_batch_size": plan.batch,
        "ss_learning_rate": plan.learning_rate,
        "ss_unet_lr": plan.learning_rate,
        "ss_text_encoder_lr": plan.text_learning_rate,
        "ss_lr_scheduler": "cosine",
        "ss_lr_warmup_steps": round(plan.warmup * plan.steps),
        "ss_optimizer": "torch.optim.adamw.AdamW",
        "ss_max_grad_norm": plan.clip,
        "ss_caption_dropout_rate": plan.caption_dropout,
        "ss_min_snr_gamma": plan.min_snr,
        "ss_prior_loss_weight": plan.prior_weight if plan.prior_pictures else None,
        "ss_mixed_precision": plan.precision,
        "ss_resolution": f"({plan.resolution}, {plan.resolution})" if plan.resolution else None,
    }
    return {
        key: f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in told.items()
        if value is not None
    }
