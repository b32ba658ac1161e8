"""Members that complement each other: one for the overall likeness, the others for detail, each on other photos."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eleven.errors import UsageError
from eleven.training.photos import FEWEST, Photo
from eleven.training.plan import TrainingPlan, changed, plan_for
from eleven.training.runs import Job

SHARE = 0.75
"""The part of the photos that each detail member learns from; the overall one leaves out half as many."""
FEWEST_FOR_MEMBERS = 6
OVERALL = "overall"
DETAIL = ("loha", "lokr", "locon")
"""What detail members are, in turn."""
WINDOWS: Mapping[bool, tuple[float, float]] = {True: (0.2, 1.0), False: (0.0, 0.8)}
"""The noise levels that the overall member learns at, and the others: shapes arise in much noise, marks in little."""
SHARED = (
    "steps", "batch", "trigger", "class_word", "resolution", "warmup", "weight_decay", "clip", "min_snr",
    "caption_dropout", "flip", "seed", "prior_pictures", "prior_weight", "validate_every", "save_every",
    "sample_every", "sample_prompt", "keep_every", "precision", "dtype",
)  # fmt: skip
"""The settings that all members have in common."""
RATES = ("learning_rate", "text_learning_rate")
"""Settings that all have in common where they are asked for, and each of its own where not."""


@dataclass(frozen=True)
class Member:
    """One member: what it is called, how it is trained, and which photos it learns from; the others judge it."""

    name: str
    plan: TrainingPlan
    photos: Sequence[Photo]
    held: Sequence[Photo]


def members(plan: TrainingPlan, photos: Sequence[Photo], count: int) -> list[Member]:
    """The overall member and `count - 1` for detail, with the plan's trigger word, captions and steps.

    The overall one is a LoRA in attention and feed-forward, the others LoHa, LoKr or LoCon with convolutions; each
    leaves other photos out, and has a seed of its own. UsageError for fewer than two members, or too few photos.
    """
    if count < 2:
        raise UsageError(f"an ensemble of {count} is none.", hint="Use --ensemble 2 or more.")
    if len(photos) < FEWEST_FOR_MEMBERS:
        told = f"{len(photos)} photos are too few for an ensemble, whose members learn from different ones."
        raise UsageError(told, hint=f"Give {FEWEST_FOR_MEMBERS} or more.")
    left_out = arcs(len(photos), count, plan.seed)
    found: list[Member] = []
    for number, out in enumerate(left_out):
        name = OVERALL if number == 0 else f"detail{number if count > 2 else ''}"
        own = [photo for index, photo in enumerate(photos) if index not in out]
        found.append(Member(name, member_plan(plan, number), own, [photos[index] for index in sorted(out)]))
    return found


def member_plan(plan: TrainingPlan, number: int) -> TrainingPlan:
    """The plan of a member: the technique's own defaults under the settings that all share."""
    technique = "lora" if number == 0 else DETAIL[(number - 1) % len(DETAIL)]
    shared = {name: getattr(plan, name) for name in SHARED}
    asked = {name: getattr(plan, name) for name in RATES if name in plan.model_fields_set}
    own = {"seed": (plan.seed + number) % (1 << 32), "timesteps": WINDOWS[number == 0]}
    return changed(plan_for(technique), **shared | asked | own)


def refuse_own(names: Iterable[str]) -> None:
    """UsageError for a setting that every member has of its own."""
    own = next((name for name in names if name in TrainingPlan.model_fields and name not in (*SHARED, *RATES)), None)
    if own is not None:
        raise UsageError(
            f"{own} is each member's own in an ensemble.", hint="Leave it out, or train without --ensemble."
        )


def arcs(photos: int, members: int, seed: int) -> list[set[int]]:
    """Which photos each member leaves out: arcs of a shuffled ring, begun as far apart as can be.

    One photo at least, and never so many that a member has fewer than can be trained on.
    """
    ring = random.Random(seed).sample(range(photos), photos)
    found: list[set[int]] = []
    for number in range(members):
        share = (1 - SHARE) / 2 if number == 0 else 1 - SHARE
        length = min(max(1, round(share * photos)), photos - FEWEST)
        begin = number * photos // members
        found.append({ring[(begin + step) % photos] for step in range(length)})
    return found


def jobs(plan: TrainingPlan, photos: Sequence[Photo], to: Path, count: int, *, force: bool = False) -> list[Job]:
    """One training for each member, which writes `to` with the member's name behind its own."""
    named = members(plan, photos, count)
    places = [to.with_name(f"{to.stem}-{one.name}{to.suffix}") for one in named]
    made = [Job(one.plan, one.photos, place, one.held) for one, place in zip(named, places, strict=True)]
    return [replace(job, force=force) for job in made]
