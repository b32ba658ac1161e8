"""A training's state on the disk: written whole or not at all, so that a killed training goes on where it was saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from eleven.errors import FileError, UsageError
from eleven.files.safetensors import SafetensorsFile
from eleven.files.writer import write_safetensors
from eleven.tensors import Tensor
from eleven.training.trainee import Trainee

MOMENTS = ("exp_avg", "exp_avg_sq")
Identity = Mapping[str, Any]


@dataclass
class State:
    """How far a training is: the steps done, their losses, and the best that held-out photos have seen."""

    step: int = 0
    losses: list[float] = field(default_factory=list[float])
    held: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    best: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    @property
    def best_step(self) -> int | None:
        """The step with the lowest held-out loss."""
        return min(self.held, key=lambda at: at[1])[0] if self.held else None


def state_file(to: Path) -> Path:
    """Where the state of a training that writes `to` lies."""
    return to.with_name(f"{to.name}.resume")


def save(to: Path, state: State, trainee: Trainee, optimizer: torch.optim.Optimizer, identity: Identity) -> None:
    """Writes the state beside the file to come. OutputError where it cannot be written."""
    tensors: dict[str, Tensor] = {f"now/{name}": one for name, one in trainee.copy().items()}
    tensors |= {f"best/{name}": one for name, one in state.best.items()}
    for name, one in trainee.parameters.items():
        moments = optimizer.state.get(one, {})
        tensors |= {f"{moment}/{name}": moments[moment].cpu() for moment in MOMENTS if moment in moments}
    told = {"step": state.step, "losses": state.losses, "held": state.held, "identity": dict(identity)}
    write_safetensors(state_file(to), tensors, metadata={"eleven.state": json.dumps(told)}, force=True)


def load(to: Path, trainee: Trainee, optimizer: torch.optim.Optimizer, identity: Identity, *, force: bool) -> State:
    """The saved state, put into parameters and optimizer; a new one where there is none, or, by `force`, another's.

    UsageError where it belongs to other settings, photos or another base, naming what differs.
    """
    path = state_file(to)
    if not path.is_file():
        return State()
    with SafetensorsFile(path) as file:
        told = _told(path, file.metadata)
        differing = sorted(
            key for key in {*told["identity"], *identity} if told["identity"].get(key) != identity.get(key)
        )
        if differing:
            if force:
                return State()
            cause = f"{path} holds a training with another {', '.join(differing)}."
            raise UsageError(cause, hint="Repeat its command to go on, or use --force to begin anew.")
        tensors = {key: file.read(key) for key in file.entries}
    trainee.take(_under("now", tensors))
    first, second = (_under(moment, tensors) for moment in MOMENTS)
    for name, one in trainee.parameters.items():
        if name in first:
            # fused AdamW walks parameters and moments alike in memory, so they must lie alike
            moments = {"exp_avg": laid_like(one, first[name]), "exp_avg_sq": laid_like(one, second[name])}
            optimizer.state[one] = {"step": torch.tensor(float(told["step"]), device=one.device), **moments}
    held = [(int(step), float(loss)) for step, loss in told["held"]]
    return State(told["step"], told["losses"], held, _under("best", tensors))


def laid_like(one: Tensor, value: Tensor) -> Tensor:
    """The value on the device and in the memory layout of a parameter."""
    return torch.empty_like(one, requires_grad=False).copy_(value)


def _told(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(metadata["eleven.state"]))
    except (KeyError, ValueError) as error:
        raise FileError(f"{path}: is no state of a training.", hint="Move it elsewhere.") from error


def _under(group: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(f"{group}/"): one for key, one in tensors.items() if key.startswith(f"{group}/")}
