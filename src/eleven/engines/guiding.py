"""The negative prompt predicted with strengths of its own: guidance then points from a weaker mix to the whole one.

v = v₋ + g·(v₊ − v₋), v₋ with a share of the strengths that v₊ has: what the models change is part of what guidance
amplifies (with a weaker copy of the model in place of a prompt: Karras et al. 2024, arXiv 2406.02507, eq. 3).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch

from eleven.combination import Combination
from eleven.engines.phases import Turn
from eleven.engines.unfused import in_denoiser
from eleven.errors import UsageError
from eleven.tensors import Tensor

if TYPE_CHECKING:
    from eleven.engines.diffusers import DiffusersEngine
    from eleven.engines.engine import Shot

Phases = Sequence[Combination | None]


def is_apart(engine: DiffusersEngine, combination: Combination | None, guidance: float) -> bool:
    """Whether the negative prompt is predicted with other strengths; without guidance it is not predicted at all.

    UsageError where a mix asks for that and the pipeline does not guide by a negative prompt.
    """
    if combination is None or not combination.mix.differs_for_negative:
        return False
    if not can_guide(engine):
        told = f"{engine.base.family_name} does not guide by a negative prompt."
        raise UsageError(told, hint="Leave `negative` out of the parts.")
    return guidance > 1


def can_guide(engine: DiffusersEngine) -> bool:
    """Whether the pipeline can predict for a negative prompt."""
    return hasattr(type(engine.base.pipeline), "do_classifier_free_guidance")


def is_guided(engine: DiffusersEngine, shot: Shot) -> bool:
    """Whether a negative prompt guides a shot."""
    return can_guide(engine) and shot.guidance > 1


@contextmanager
def drawing(engine: DiffusersEngine, phases: Phases, guidance: float) -> Generator[Turn | None]:
    """What is mixed in the first phase is in place, and what is yielded puts the others there; None for one phase."""
    if is_apart(engine, phases[0], guidance):
        with apart(engine, phases) as turn:
            yield turn
    else:
        engine.switch(phases[0])
        yield (lambda phase: engine.switch(phases[phase])) if len(phases) > 1 else None


@contextmanager
def apart(engine: DiffusersEngine, phases: Phases) -> Generator[Turn | None]:
    """Each half of a guided batch is predicted with its own weights; the base is in place afterwards.

    The weights that differ lie in memory twice.
    """
    pipeline: Any = engine.base.pipeline
    denoiser = getattr(pipeline, "transformer", None) or pipeline.unet
    own: Callable[..., tuple[Tensor, ...]] = denoiser.forward
    whole: dict[str, Tensor] = {}

    def turn(phase: int) -> None:
        combination = in_steps(phases[phase])
        engine.switch(combination)
        whole.clear()
        whole.update(engine.weights.patched())
        engine.switch(combination.for_negative)

    def forward(*arguments: object, **named: object) -> tuple[Tensor, ...]:
        halves = [(half(arguments, side), half(named, side)) for side in (0, 1)]
        negative = own(*halves[0][0], **halves[0][1])
        with engine.weights.showing(whole):
            positive = own(*halves[1][0], **halves[1][1])
        return (torch.cat([negative[0], positive[0]]),)

    turn(0)
    denoiser.forward = forward
    try:
        yield turn if len(phases) > 1 else None
    finally:
        del denoiser.forward
        engine.switch(None)


def in_steps(combination: Combination | None) -> Combination:
    """What a mix changes of the denoiser."""
    assert combination is not None, "the base alone has nothing to predict apart"
    return replace(combination, modules=tuple(name for name in combination.modules if in_denoiser(name)))


def half(told: Any, side: int) -> Any:  # noqa: ANN401 - whatever a denoiser is given
    """The first or the second half of every batch in what a denoiser is given; all else as it is."""
    if isinstance(told, torch.Tensor):
        return told.chunk(2)[side] if told.ndim and len(told) > 1 else told
    if isinstance(told, Mapping):
        return {key: half(value, side) for key, value in cast("Mapping[str, Any]", told).items()}
    return tuple(half(one, side) for one in cast("tuple[Any, ...]", told)) if isinstance(told, tuple) else told
