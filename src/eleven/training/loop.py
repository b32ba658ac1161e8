"""The steps of a training, one like the other; whatever is drawn depends on the seed and the step alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from eleven.errors import TensorError
from eleven.training.buckets import batches
from eleven.training.resume import Identity, State, load, save
from eleven.training.samples import take_samples
from eleven.training.session import Session, optimizer_for, rate_at


@dataclass(frozen=True)
class Progress:
    """One step done: its number, how many there are, its loss, and the held-out loss where it was looked at."""

    step: int
    steps: int
    loss: float
    held: float | None = None


Report = Callable[[Progress], None]
"""Called after every step."""


def ignore(progress: Progress) -> None:
    """No report."""


@dataclass(frozen=True)
class Place:
    """Where a training writes, what it is known by, and whether the state of another one may be overwritten."""

    to: Path
    identity: Identity
    force: bool = False


def run(session: Session, place: Place, report: Report = ignore) -> State:
    """Trains to the plan's last step from where a saved state left off; the best held-out state is kept, else the last.

    TensorError where the loss is no number any more.
    """
    plan, trainee = session.plan, session.trainee
    optimizer = optimizer_for(trainee, plan)
    state = load(place.to, trainee, optimizer, place.identity, force=place.force)
    schedule = batches([one.size for one in session.examples], plan.batch, plan.steps, plan.seed)
    with reproducible():
        for step in range(state.step, plan.steps):
            state.losses.append(_step(session, optimizer, schedule[step], step))
            state.step = step + 1
            held = judge(session, state)
            if plan.sample_every and state.step % plan.sample_every == 0:
                take_samples(session, place.to, state.step)
            if state.step % plan.save_every == 0 and state.step < plan.steps:
                save(place.to, state, trainee, optimizer, place.identity)
            report(Progress(state.step, plan.steps, state.losses[-1], held))
    if state.best:
        trainee.take(state.best)
    return state


def _step(session: Session, optimizer: torch.optim.Optimizer, chosen: Sequence[int], step: int) -> float:
    """One change of the parameters; gives the loss before it."""
    share = rate_at(step, session.plan)
    for group in optimizer.param_groups:
        group["lr"] = group["full_rate"] * share
    loss = session.loss(chosen, step)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(session.trainee.parameters.values(), session.plan.clip, foreach=True)
    value = float(loss.detach())
    if not bool(norm.isfinite()):
        told = f"the training diverged at step {step + 1} (loss {value:g})."
        raise TensorError(told, hint="Lower --learning-rate.")
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return value


def judge(session: Session, state: State) -> float | None:
    """Looks at the held-out photos when it is time, and keeps the parameters where they are the best so far."""
    plan = session.plan
    if not session.held or (state.step % plan.validate_every and state.step < plan.steps):
        return None
    held = session.held_loss()
    if all(held < loss for _, loss in state.held):
        state.best = session.trainee.copy()
    state.held.append((state.step, held))
    return held


@contextmanager
def reproducible() -> Generator[None]:
    """Convolutions on a GPU that give the same sums every time."""
    settings = torch.backends.cudnn
    before = settings.deterministic, settings.benchmark
    settings.deterministic, settings.benchmark = True, False
    try:
        yield
    finally:
        settings.deterministic, settings.benchmark = before
