"""Mixing predictions rather than weights: v0 + Σ s·(vᵢ − v0) at every step, each model run by itself; slow.

Liu et al. 2022, arXiv 2206.01714, eq. 11, with fine-tunes in place of prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from eleven.combination import Combination
from eleven.engines.engine import Picture, Shot
from eleven.engines.mixed import for_text
from eleven.engines.phases import phases_of
from eleven.engines.sampling import batches, framing_of, in_order, sample, shapes_of
from eleven.engines.unfused import in_denoiser
from eleven.errors import UsageError
from eleven.mix import OUTSIDE_STEPS, Mix, Part

if TYPE_CHECKING:
    from eleven.engines.diffusers import DiffusersEngine
    from eleven.tensors import Tensor

Member = tuple[float, Combination]
"""One model at strength 1, and what is taken of its prediction."""


@final
@dataclass(frozen=True, eq=False)
class EnsemblingEngine:
    """Implements `Engine`: text encoders take the mix as ever, the denoiser's predictions are mixed.

    A step costs one prediction and one change of weights for each part, and one more for the base.
    """

    engine: DiffusersEngine

    def take(self, mix: Mix | None, shots: Sequence[Shot]) -> Iterator[Picture]:
        """A picture of each shot. UsageError for a method other than the sum, and for strengths by block."""
        if mix is None:
            yield from self.engine.take(None, shots)
            return
        combination = self.engine.library.combination(mix)
        # what cannot be mixed so is refused before any prompt is encoded
        members_of(combination)
        self.engine.switch(for_text(combination))
        known = [self.engine.conditions(shot) for shot in shots]
        keys = [(framing_of(self.engine.base, shot), shapes_of(each)) for shot, each in zip(shots, known, strict=True)]

        def make(indices: list[int]) -> list[Picture]:
            framing, seeds = keys[indices[0]][0], [shots[index].seed for index in indices]
            phases = [members_of(each) for each in phases_of(combination, framing.steps) if each]
            members = list(phases[0])

            def turn(phase: int) -> None:
                members[:] = phases[phase]

            with ensembled(self.engine, members):
                turns = turn if len(phases) > 1 else None
                made = sample(self.engine.base, framing, seeds, [known[index] for index in indices], turns)
            return [Picture(mix, shots[index], pixels) for index, pixels in zip(indices, made, strict=True)]

        grouped = batches(keys, lambda key: key, self.engine.settings.batch)
        yield from in_order((indices, make(indices)) for indices in grouped)


def members_of(combination: Combination) -> list[Member]:
    """Each part's denoiser at strength 1, and its strength."""
    if combination.mix.method != "sum":
        told = f"predictions cannot be mixed by {combination.mix.method}."
        raise UsageError(told, hint="Leave the method out.")
    if combination.mix.differs_for_negative:
        raise UsageError("mixed predictions are the same for the negative prompt.", hint="Leave `negative` out.")
    found: list[Member] = []
    for part, finetune in combination.parts:
        if set(part.at) - {"unet", *OUTSIDE_STEPS}:
            told = f"{part.file}: a prediction has no strength by block."
            raise UsageError(told, hint="Use unet= and te= only.")
        whole = Part(file=part.file, sha256=part.sha256)
        modules = tuple(name for name in combination.modules if in_denoiser(name) and name in finetune.modules)
        alone = replace(combination, mix=Mix(parts=(whole,)), parts=((whole, finetune),), modules=modules)
        found.append((part.strength_at("unet", ""), alone))
    return found


@contextmanager
def ensembled(engine: DiffusersEngine, members: Sequence[Member]) -> Generator[None]:
    """The denoiser predicts for the base and for each member, until the block is left, the base in place."""
    pipeline: Any = engine.base.pipeline
    denoiser = getattr(pipeline, "transformer", None) or pipeline.unet
    own: Callable[..., tuple[Tensor, ...]] = denoiser.forward

    def forward(*arguments: object, **named: object) -> tuple[Tensor, ...]:
        engine.switch(None)
        first = own(*arguments, **named)[0]
        total = first.clone()
        for strength, member in members:
            engine.switch(member)
            total += strength * (own(*arguments, **named)[0] - first)
        return (total,)

    denoiser.forward = forward
    try:
        yield
    finally:
        del denoiser.forward
        engine.switch(None)
