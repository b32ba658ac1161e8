"""One training from photos to a file: the function behind `eleven train`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from eleven.bases.architectures import Pipeline, architecture_of, resolution_of, step_of
from eleven.bases.memory import memory_told
from eleven.bases.objectives import objective_of
from eleven.errors import FileError, OutputError, UsageError
from eleven.files.safetensors import SafetensorsFile
from eleven.training.adapters import adapt
from eleven.training.changes import KINDS
from eleven.training.curve import write_curve
from eleven.training.examples import Example, read_examples
from eleven.training.loop import Place, Progress, Report, ignore, run
from eleven.training.metadata import TRAINING, Outcome, outcome, trained_metadata
from eleven.training.photos import Photo
from eleven.training.plan import TrainingPlan
from eleven.training.priors import draw_priors
from eleven.training.readying import ready
from eleven.training.resume import State, state_file
from eleven.training.session import Session
from eleven.training.trainee import Trainee
from eleven.training.whole import unfreeze
from eleven.training.words import teach
from eleven.training.writing import write_trained

TRAINEES: Mapping[str, Callable[[Pipeline, TrainingPlan], Trainee]] = {
    **dict.fromkeys(KINDS, adapt),
    "dreambooth": unfreeze,
    "textual-inversion": teach,
}
"""What each technique of `plan.DEFAULTS` makes learn."""


SMALLER = "Use --batch 1, a lower --resolution or --rank, --layers attention, or --set precision=bf16."


class Base(Protocol):
    """What is trained on, as `eleven.bases` opens it."""

    @property
    def pipeline(self) -> Any:  # noqa: ANN401 - a diffusers pipeline of any kind
        """The diffusers pipeline."""
        ...

    @property
    def name(self) -> str:
        """What the base is called."""
        ...

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @cached_property
    def digest(self) -> str:
        """What the base is known by."""
        ...


@dataclass(frozen=True)
class Trained:
    """A written file, its loss curve, and how the training went."""

    path: Path
    curve: Path
    technique: str
    photos: int
    outcome: Outcome


@dataclass(frozen=True)
class Job:
    """One training: what is trained on which photos, which of them only judge, and the file to write."""

    plan: TrainingPlan
    photos: Sequence[Photo]
    to: Path
    held: Sequence[Photo] = ()
    force: bool = False


def train(base: Base, job: Job, report: Report = ignore) -> Trained:
    """Trains and writes the file and its loss curve; the pipeline is as before when it returns.

    A training that was stopped goes on where it was saved, and gives the same bytes. OutputError where the file exists
    (unless forced); UsageError for a base or settings that make no sense; TensorError where the training diverges;
    OutOfMemory.
    """
    if job.to.exists() and not job.force:
        raise OutputError(f"{job.to}: exists already.", hint="Choose another name, or use --force.")
    told = f"memory is too small to train {job.plan.technique} at this size."
    with ready(base.pipeline, architecture_of(base.pipeline)), memory_told(told, SMALLER):
        state = _trained(base, job, report)
    curve = write_curve(job.to, state, job.to.stem)
    state_file(job.to).unlink(missing_ok=True)
    return Trained(job.to, curve, job.plan.technique, len(job.photos), outcome(state))


def _trained(base: Base, job: Job, report: Report) -> State:
    """The last state of a training, whose file is written."""
    pipeline, plan = base.pipeline, job.plan
    priors = list(draw_priors(pipeline, plan))
    parts = [_prepared(pipeline, some, plan) for some in (job.photos, job.held, priors)]
    identity = identity_of(base, job)
    trainee = TRAINEES[plan.technique](pipeline, plan)
    try:
        session = Session(pipeline, architecture_of(pipeline), objective_of(pipeline.scheduler), plan, trainee, *parts)
        told = {"base": base.name, "base_sha256": base.digest, "base_folder": base.path.is_dir()}
        told |= {"photos": len(job.photos), "identity": digest_of(identity)}
        captions = [photo.caption for photo in job.photos]

        def write(to: Path, **more: object) -> None:
            metadata = trained_metadata(to.stem, plan, trainee, captions, told | more)
            write_trained(to, trainee.tensors(), metadata, plan.dtype, force=job.force)

        def told_and_kept(done: Progress) -> None:
            to = kept_file(job.to, done.step)
            wanted = plan.keep_every and done.step % plan.keep_every == 0 and done.step < plan.steps
            if wanted and not is_made_by(to, identity):
                write(to, steps=done.step)
            report(done)

        state = run(session, Place(job.to, identity, job.force), told_and_kept)
        write(job.to, **asdict(outcome(state)))
    finally:
        trainee.release()
    return state


def identity_of(base: Base, job: Job) -> dict[str, Any]:
    """Everything that decides what a training gives, as data: the settings, the photos and the base."""
    photos = [one.digest for one in job.photos] + ["held"] + [one.digest for one in job.held]
    told = job.plan.model_dump(mode="json", exclude={"save_every", "sample_every", "sample_prompt", "keep_every"})
    return {**told, "base": base.digest, "photos": sha256(" ".join(photos).encode()).hexdigest()}


def digest_of(identity: Mapping[str, Any]) -> str:
    """SHA-256 of an identity."""
    return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def is_done(base: Base, job: Job) -> bool:
    """Whether the file is there already, from this very training."""
    return is_made_by(job.to, identity_of(base, job))


def is_made_by(path: Path, identity: Mapping[str, Any]) -> bool:
    """Whether this file is there, from a training of this identity."""
    if not path.is_file():
        return False
    try:
        with SafetensorsFile(path) as file:
            told = json.loads(file.metadata.get(TRAINING, "{}"))
    except (FileError, ValueError):
        return False
    return isinstance(told, dict) and told.get("identity") == digest_of(identity)


def kept_file(to: Path, step: int) -> Path:
    """Where the model as it was at a step is kept, beside the file that is written at the end."""
    return to.with_stem(f"{to.stem}-{step:06}")


def _prepared(pipeline: Pipeline, photos: Sequence[Photo], plan: TrainingPlan) -> list[Example]:
    denoiser = architecture_of(pipeline).denoiser
    resolution, step = plan.resolution or resolution_of(pipeline, denoiser), step_of(pipeline, denoiser)
    if resolution < step:
        raise UsageError(f"the resolution is {resolution}.", hint=f"This base takes sides from {step} pixels on.")
    return read_examples(pipeline, photos, resolution=resolution, step=step, flip=plan.flip)
