"""What the lab's training scripts share: a schedule, a moving average of weights, and a state that survives a kill."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn


def rate(step: int, steps: int, warmup: int = 200) -> float:
    """The share of the learning rate: a linear warm-up, then half a cosine down to a hundredth."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


class Average:
    """The exponential moving average of a network's weights."""

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.weights = {name: weight.detach().clone() for name, weight in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights."""
        return self.weights

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from these."""
        self.weights = state_dict

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Moves towards the weights of now; faster at first."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, weight in network.state_dict().items():
            self.weights[name].lerp_(weight, 1 - decay)


class Part(Protocol):
    """What a state keeps: a network, an optimiser, an average."""

    def state_dict(self) -> dict[str, Any]:
        """Its numbers by name."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> object:
        """Takes them back."""
        ...


class State:
    """A training run that goes on where it stopped: networks, averages, optimisers, and a log of a line a report."""

    def __init__(self, work: Path, name: str, **parts: Part) -> None:
        self.path, self.log = work / f"{name}.pt", work / f"{name}.log"
        self.parts, self.step = parts, 0
        self.started = time.monotonic()
        if self.path.exists():
            kept = torch.load(self.path, weights_only=True)
            self.step = kept.pop("step")
            for key, part in parts.items():
                part.load_state_dict(kept[key])

    def save(self) -> None:
        """Replaces the kept state in one step."""
        kept = {key: part.state_dict() for key, part in self.parts.items()}
        draft = self.path.with_suffix(".new")
        torch.save({"step": self.step, **kept}, draft)
        draft.replace(self.path)

    def report(self, **numbers: float) -> None:
        """One line of JSON to the log and the screen."""
        line = json.dumps({"step": self.step, "s": round(time.monotonic() - self.started, 1), **numbers})
        with self.log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)
