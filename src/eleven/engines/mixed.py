"""Pictures of different mixes in one batch: a search needs few pictures each of many mixes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from eleven.combination import Combination
from eleven.engines.encoding import Conditions
from eleven.engines.engine import Picture, Shot
from eleven.engines.guiding import is_apart
from eleven.engines.phases import phases_of
from eleven.engines.sampling import Framing, batches, framing_of, in_order, sample, shapes_of
from eleven.engines.unfused import Beside, beside, can_stand_beside, gather, in_denoiser
from eleven.mix import Mix

if TYPE_CHECKING:
    from torch import nn

    from eleven.engines.diffusers import DiffusersEngine

Wanted = tuple[Mix | None, Shot]


@final
@dataclass(frozen=True, eq=False)
class Sample:
    """One picture in the making; without conditions where its mix must be taken alone."""

    mix: Mix | None
    shot: Shot
    combination: Combination | None
    framing: Framing
    conditions: Conditions | None

    @property
    def company(self) -> Hashable:
        """What samples of one batch have in common."""
        if self.conditions is None:
            return self.combination and self.combination.mix.digest
        return self.framing, shapes_of(self.conditions)


def take_each(engine: DiffusersEngine, wanted: Sequence[Wanted]) -> Iterator[Picture]:
    """A picture of each mix and shot, in their order; mixes share batches where all their changes have factors.

    The others are taken one mix after the other. A picture is that of `take`, but for rounding.
    """
    samples = prepared(engine, wanted)
    shared = [sample.combination for sample in samples if sample.conditions is not None]
    found = gather(engine.weights, modules_of(engine), [each for each in shared if each])

    def make(indices: list[int]) -> list[Picture]:
        chosen = [samples[index] for index in indices]
        if chosen[0].conditions is None:
            return list(engine.take(chosen[0].mix, [each.shot for each in chosen]))
        return together(engine, found, chosen)

    grouped = batches(samples, lambda each: each.company, engine.settings.batch)
    yield from in_order((indices, make(indices)) for indices in grouped)


def prepared(engine: DiffusersEngine, wanted: Sequence[Wanted]) -> list[Sample]:
    """The samples, their prompts encoded with their own mix in the text encoders, one mix after the other."""
    grouped: dict[str, list[int]] = {}
    for index, (mix, _) in enumerate(wanted):
        grouped.setdefault("" if mix is None else mix.to_json(), []).append(index)
    found: dict[int, Sample] = {}
    modules = modules_of(engine)
    for indices in grouped.values():
        mix = wanted[indices[0]][0]
        combination = engine.combination(mix)
        able = can_stand_beside(engine.weights, modules, combination)
        if able:
            engine.switch(for_text(combination))
        for index in indices:
            shot = wanted[index][1]
            conditions = engine.conditions(shot) if able else None
            found[index] = Sample(mix, shot, combination, framing_of(engine.base, shot), conditions)
    return [found[index] for index in range(len(wanted))]


def for_text(combination: Combination | None) -> Combination | None:
    """What a mix changes of the text encoders."""
    if combination is None:
        return None
    modules = tuple(module for module in combination.modules if not in_denoiser(module))
    return replace(combination, modules=modules)


def together(engine: DiffusersEngine, found: dict[nn.Module, Beside], samples: Sequence[Sample]) -> list[Picture]:
    """One batch of several mixes, with their changes beside the base's own weights."""
    engine.switch(None)
    steps = samples[0].framing.steps
    phases = [phases_of(each.combination, steps) for each in samples]

    def turn(phase: int) -> None:
        now = [each[phase % len(each)] for each in phases]
        guided = any(is_apart(engine, one, samples[0].framing.guidance) for one in now)
        negatives = [each and each.for_negative for each in now] if guided else []
        for one in found.values():
            one.take([*negatives, *now])

    turn(0)
    seeds = [each.shot.seed for each in samples]
    conditions = [each.conditions or {} for each in samples]
    with beside(found):
        rises = max(map(len, phases)) > 1
        made = sample(engine.base, samples[0].framing, seeds, conditions, turn if rises else None)
    return [Picture(each.mix, each.shot, pixels) for each, pixels in zip(samples, made, strict=True)]


def modules_of(engine: DiffusersEngine) -> dict[str, nn.Module]:
    """Every module of the base by its component and name."""
    parts = engine.base.components.items()
    return {f"{part}.{name}": module for part, model in parts for name, module in model.named_modules()}
