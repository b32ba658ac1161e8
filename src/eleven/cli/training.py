"""What `eleven train` does with its options: the plan, the photos, the jobs, and their progress and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eleven.cli.console import meter, note, note_resumption, show, show_json
from eleven.cli.writing import check_place
from eleven.errors import UsageError

if TYPE_CHECKING:
    from eleven.training.photos import Photo
    from eleven.training.plan import TrainingPlan
    from eleven.training.runs import Base, Job, Trained

WHOLE = ("dreambooth", "textual-inversion")
"""Techniques that change the base's own numbers, which half precision is too coarse for."""


@dataclass(frozen=True)
class Source:
    """What is trained on: the base, the photos, how many of them only judge, and where the base may come from."""

    base: str
    photos: Path
    held_out: int
    device: str
    download: bool


@dataclass(frozen=True)
class Wish:
    """The plan, and how many members an ensemble has; None for a single training."""

    plan: TrainingPlan
    ensemble: int | None


def named(technique: str | None, ensemble: int | None, options: Mapping[str, object], settings: Sequence[str]) -> Wish:
    """The options as a plan. UsageError for a setting that there is not, or that would change nothing."""
    from eleven.training.ensemble import refuse_own
    from eleven.training.plan import changed, plan_for, refuse_unused

    if ensemble is not None and technique is not None:
        raise UsageError("--ensemble chooses its members' techniques.", hint="Leave --technique out.")
    given = dict(_setting(text) for text in settings)
    asked = [*(name for name, value in options.items() if value not in (None, "")), *given]
    refuse_unused(technique or "lora", asked) if ensemble is None else refuse_own(asked)
    return Wish(changed(plan_for(technique or "lora", **options), **given), ensemble)


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set is {text!r}.", hint="Write NAME=VALUE.")
    return name, value.split(",") if name == "timesteps" else None if value == "none" else value


def run(source: Source, to: Path, wish: Wish, *, force: bool, as_json: bool) -> None:
    """Trains and shows what was written; leaves with 130 and the command to go on where it is interrupted."""
    from eleven.bases.devices import choose_device
    from eleven.bases.opening import open_base
    from eleven.training.photos import read_photos

    check_place(to)
    plan = wish.plan
    photos = read_photos(source.photos, trigger=plan.trigger, class_word=plan.class_word)
    jobs = _jobs(source, photos, to, wish, force=force)
    whole = plan.technique in WHOLE or choose_device(source.device).type == "mps"
    dtype = "fp32" if whole else "auto"
    base = open_base(source.base, device=source.device, dtype=dtype, download=source.download)
    try:
        found = [one for job in jobs if (one := _train(base, job)) is not None]
    except KeyboardInterrupt:
        note_resumption("The training is not done. This goes on from the last saved step:")
        raise
    if as_json:
        show_json({"trained": found})
        return
    for one in found:
        went = one.outcome
        judged = "" if went.best_step is None else f", best on held-out photos at step {went.best_step}"
        show(f"{one.path}: {one.technique}, {went.steps} steps on {one.photos} photos, loss {went.loss:.4f}{judged}.")
        show(f"  losses: {one.curve}")


def _jobs(source: Source, photos: Sequence[Photo], to: Path, wish: Wish, *, force: bool) -> list[Job]:
    from eleven.training.ensemble import jobs
    from eleven.training.photos import FEWEST
    from eleven.training.runs import Job

    if wish.ensemble is not None:
        if source.held_out:
            told = (
                "--held-out is for a single training: each member of an ensemble keeps photos of its own to judge by."
            )
            raise UsageError(told, hint="Leave it out.")
        return jobs(wish.plan, photos, to, wish.ensemble, force=force)
    kept = len(photos) - source.held_out
    if kept < FEWEST:
        told = f"--held-out {source.held_out} leaves {kept} of {len(photos)} photos to learn from."
        raise UsageError(told, hint=f"Leave {FEWEST} at least.")
    return [Job(wish.plan, photos[:kept], to, photos[kept:], force)]


def _train(base: Base, job: Job) -> Trained | None:
    """One training behind a bar with the time left; None for a member that an earlier run has finished."""
    from eleven.training.runs import is_done, train

    if is_done(base, job):
        note(f"{job.to}: trained already.")
        return None
    with meter(f"training {job.to.name}", job.plan.steps) as advance:
        return train(base, job, advance)
