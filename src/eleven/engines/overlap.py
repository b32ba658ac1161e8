"""How much of what models change in a base's predictions they have in common, on inputs that pictures pass through.

Weights of models that were trained apart hardly look alike even where they do the same, so it is predictions that are
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, final

import torch

from eleven.engines.engine import Shot
from eleven.errors import UsageError
from eleven.mix import Mix

if TYPE_CHECKING:
    from eleven.engines.diffusers import DiffusersEngine
    from eleven.tensors import Tensor


@final
@dataclass(frozen=True, eq=False)
class Call:
    """What a denoiser was once given."""

    arguments: tuple[object, ...]
    named: dict[str, object]


def overlap(engine: DiffusersEngine, mixes: Sequence[Mix], passing: Mix, shots: Sequence[Shot]) -> float:
    """The mean cosine, from -1 to 1, of what two of the mixes change, over all pairs and all steps of the shots.

    `passing` is the mix whose pictures the inputs are taken from. UsageError for fewer than two mixes; every error of
    taking pictures.
    """
    if len(mixes) < 2:
        raise UsageError(f"{len(mixes)} model has nothing in common with another.", hint="Name two or more.")
    with recorded(engine) as calls:
        list(engine.take(passing, shots))
    base = predictions(engine, None, calls)
    changes = [torch.stack(predictions(engine, mix, calls)) - torch.stack(base) for mix in mixes]
    alike = [torch.cosine_similarity(one, other, dim=1).mean() for one, other in combinations(changes, 2)]
    return float(torch.stack(alike).mean())


@contextmanager
def recorded(engine: DiffusersEngine) -> Generator[list[Call]]:
    """Every call of the denoiser until the block is left."""
    denoiser = denoiser_of(engine)
    own: Callable[..., object] = denoiser.forward
    calls: list[Call] = []

    def forward(*arguments: object, **named: object) -> object:
        calls.append(Call(arguments, named))
        return own(*arguments, **named)

    denoiser.forward = forward
    try:
        yield calls
    finally:
        del denoiser.forward


@torch.no_grad()
def predictions(engine: DiffusersEngine, mix: Mix | None, calls: Sequence[Call]) -> list[Tensor]:
    """What the denoiser answers to each call with a mix in place."""
    engine.switch(engine.combination(mix))
    denoiser = denoiser_of(engine)
    found = [denoiser(*call.arguments, **{**call.named, "return_dict": False})[0] for call in calls]
    return [one.float().flatten() for one in found]


def denoiser_of(engine: DiffusersEngine) -> Any:  # noqa: ANN401 - of any family
    """The part of the pipeline that predicts."""
    pipeline: Any = engine.base.pipeline
    return getattr(pipeline, "transformer", None) or pipeline.unet
