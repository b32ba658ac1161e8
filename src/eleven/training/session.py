"""Everything that one training holds while it runs, and its losses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

import torch

from eleven.bases.architectures import Architecture, Pipeline
from eleven.bases.objectives import Objective
from eleven.tensors import Tensor
from eleven.training.examples import Batch, Encoder, Example, drawn, fixed
from eleven.training.plan import TrainingPlan
from eleven.training.trainee import Trainee

LEVELS = 4
"""Noise levels at which each held-out photo is looked at."""


@dataclass(frozen=True, eq=False)
class Session:
    """One training: `held` are photos that judge it, `priors` examples of the class that it must not forget."""

    pipeline: Pipeline
    architecture: Architecture
    objective: Objective
    plan: TrainingPlan
    trainee: Trainee
    examples: Sequence[Example]
    held: Sequence[Example] = ()
    priors: Sequence[Example] = ()

    @cached_property
    def encoder(self) -> Encoder:
        """What turns captions into texts."""
        return Encoder(self.pipeline, self.architecture, self.trainee)

    @property
    def device(self) -> torch.device:
        """Where the denoiser lies."""
        return getattr(self.pipeline, self.architecture.denoiser).device

    def loss(self, chosen: Sequence[int], step: int) -> Tensor:
        """The loss of one step, whose chances all come from the plan's seed and the step's number."""
        stream = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + step)
        loss = self.loss_of(drawn(self.examples, chosen, self.plan, stream))
        if not self.priors:
            return loss
        others = torch.randint(len(self.priors), (len(chosen),), generator=stream).tolist()
        return loss + self.plan.prior_weight * self.loss_of(drawn(self.priors, others, self.plan, stream))

    def held_loss(self) -> float:
        """The mean loss over all held-out photos at fixed noise."""
        with torch.no_grad():
            losses = [self.loss_of(fixed(one, at, self.plan, LEVELS)) for at, one in enumerate(self.held)]
        return float(torch.stack(losses).double().mean())

    def loss_of(self, batch: Batch) -> Tensor:
        """The weighted squared error of the prediction."""
        clean, noise = batch.clean.to(self.device), batch.noise.to(self.device)
        times = self.objective.times(batch.quantiles).to(self.device)
        with self.autocast():
            texts = self.encoder(batch.captions)
            noised = self.objective.noised(clean, noise, times)
            found = self.architecture.predict(self.pipeline, noised, times, texts)
        errors = (found.float() - self.objective.target(clean, noise, times)).square().flatten(1).mean(1)
        return (errors * self.objective.weights(times, self.plan.min_snr)).mean()

    def autocast(self) -> AbstractContextManager[object]:
        """Arithmetic in bfloat16 where the plan asks for it, or where the device is fast in it."""
        kind = self.device.type
        half = getattr(self.pipeline, self.architecture.denoiser).dtype != torch.float32
        fast = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        wanted = self.plan.precision == "bf16" or (self.plan.precision == "auto" and (fast or half))
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=wanted)


def rate_at(step: int, plan: TrainingPlan) -> float:
    """The share of the learning rate at a step: rising in a line, then falling as half a cosine."""
    rising = math.ceil(plan.warmup * plan.steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, plan.steps - rising)))


def optimizer_for(trainee: Trainee, plan: TrainingPlan) -> torch.optim.AdamW:
    """AdamW (Loshchilov 2017, arXiv 1711.05101) with a group for each learning rate."""
    groups = [
        {"params": list(_with(trainee, rate)), "lr": rate, "full_rate": rate}
        for rate in dict.fromkeys(trainee.rates.values())
    ]
    fused = all(one.device.type in ("cpu", "cuda") for one in trainee.parameters.values())
    return torch.optim.AdamW(groups, weight_decay=plan.weight_decay, fused=fused)


def _with(trainee: Trainee, rate: float) -> Iterable[torch.nn.Parameter]:
    return (one for name, one in trainee.parameters.items() if trainee.rates[name] == rate)
