"""Adapters put around the layers of a pipeline for training, and taken off again without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from eleven.bases.architectures import Pipeline
from eleven.errors import UsageError
from eleven.tensors import Tensor
from eleven.training.changes import DOWN, KINDS, UP, Kind, Layer, passed
from eleven.training.naming import Names, modules_of, names_for
from eleven.training.plan import TrainingPlan
from eleven.training.trainee import Trainee

FEED = frozenset({"ff", "ff_context", "mlp", "net", "proj_mlp", "proj_in", "proj_out"})
"""Parts of a module's path that are a transformer block's feed-forward, or lead in and out of the block."""


@dataclass(frozen=True, eq=False)
class Adapted:
    """One layer with the tensors that train beside it."""

    layer: Layer
    kind: Kind
    tensors: dict[str, torch.nn.Parameter]
    scale: float

    def forward(self, x: Tensor) -> Tensor:
        """What the layer gives with its change."""
        layer = self.layer
        if self.kind.output is not None:
            before = passed(layer, x, layer.weight, layer.bias)
            return before + self.kind.output(layer, x, self.tensors, self.scale)
        weight = layer.weight + self.kind.delta(self.tensors, layer.weight, self.scale)
        return passed(layer, x, weight, layer.bias)


def adapt(pipeline: Pipeline, plan: TrainingPlan) -> Trainee:
    """The pipeline with an adapter of the plan's technique on each chosen layer.

    UsageError where the pipeline has no such layer.
    """
    kind = KINDS[plan.technique]
    names = names_for(pipeline, kind.suffixes)
    adapted = dict(_adapted(pipeline, plan, kind))
    if not adapted:
        raise UsageError(f"the base has no layer among {plan.layers!r}.", hint="Use --layers all.")
    parameters = {
        f"{component}.{module}/{suffix}": one
        for (component, module), at in adapted.items()
        for suffix, one in at.tensors.items()
    }
    texts = [name for name in parameters if name.startswith("text_encoder")]
    rates = {name: plan.text_learning_rate if name in texts else plan.learning_rate for name in parameters}
    return Trainee(
        parameters,
        rates,
        tensors=lambda: _written(adapted, names, plan),
        release=_put_on(adapted),
        texts=bool(texts),
        family=names.family,
        metadata=_about(kind, plan),
    )


def chosen(path: str, layers: str) -> bool:
    """Whether a module is among the layers of a plan, by the parts of its name."""
    parts = path.split(".")
    if layers == "all":
        return any("block" in part or part == "layers" for part in parts)
    attention = any(part.startswith("attn") or part == "self_attn" for part in parts)
    return attention or (layers == "attention+ff" and not FEED.isdisjoint(parts))


def _adapted(pipeline: Pipeline, plan: TrainingPlan, kind: Kind) -> Iterator[tuple[tuple[str, str], Adapted]]:
    """Each chosen layer; every layer draws its start from one stream, whatever the program drew before."""
    rates = {True: plan.text_learning_rate, False: plan.learning_rate}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        for component, name, module in modules_of(pipeline):
            wanted = chosen(name, plan.layers) and rates[component.startswith("text_encoder")] > 0
            if wanted and isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                weight = module.weight
                start = kind.start(weight.detach().float().cpu(), plan)
                tensors = {suffix: torch.nn.Parameter(one.to(weight.device)) for suffix, one in start.items()}
                yield (component, name), Adapted(module, kind, tensors, plan.scale)


def _put_on(adapted: Mapping[tuple[str, str], Adapted]) -> Callable[[], None]:
    """Takes the place of each layer's `forward`; what is returned gives it back."""
    layers: list[Any] = [at.layer for at in adapted.values()]
    for layer, at in zip(layers, adapted.values(), strict=True):
        layer.forward = at.forward

    def release() -> None:
        for layer in layers:
            layer.__dict__.pop("forward", None)

    return release


def _written(adapted: Mapping[tuple[str, str], Adapted], names: Names, plan: TrainingPlan) -> dict[str, Tensor]:
    """Every tensor by its key; where a dialect has no alpha, the scale goes into the up."""
    found: dict[str, Tensor] = {}
    for (component, module), at in adapted.items():
        trained = {suffix: one.detach().float().cpu() for suffix, one in at.tensors.items()}
        beside = at.kind.constants(trained, plan)
        if names.diffusers:
            trained, beside = {UP: trained[UP] * at.scale, DOWN: trained[DOWN]}, {}
        found |= {names.key(component, module, suffix): one for suffix, one in {**trained, **beside}.items()}
    return found


def _about(kind: Kind, plan: TrainingPlan) -> dict[str, str]:
    told = {
        "ss_network_module": kind.module,
        "ss_network_dim": str(plan.rank),
        "ss_network_alpha": f"{plan.alpha or plan.rank:g}",
    }
    return told | ({"ss_network_args": kind.arguments} if kind.arguments else {})
