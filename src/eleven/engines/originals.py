"""The base model in memory as a checkpoint, so that techniques that depend on it read the weights that are patched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self, final

import torch

from eleven.engines.weights import Weights
from eleven.files.container import Entry
from eleven.files.dtypes import NAMES
from eleven.finetunes.checkpoint import Checkpoint
from eleven.layers.family import Source
from eleven.tensors import Tensor


@final
class OriginalWeights:
    """Implements `Container`: the pristine layers by their names; there is nothing to close."""

    kind = "model in memory"
    metadata: Mapping[str, str] = {}

    def __init__(self, weights: Weights, path: Path) -> None:
        self.path = path
        self._weights = weights
        layers = weights.parameters.items()
        self._entries = {name: Entry(NAMES[str(one.dtype)], tuple(one.shape)) for name, one in layers}

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every layer."""
        return self._entries

    def read(self, key: str) -> Tensor:
        """One layer as the base has it."""
        return self._weights.original(key).detach().cpu().contiguous().clone()

    def read_into(self, key: str, view: memoryview, start: int = 0) -> int:
        """Fills `view` with a layer's bytes from its byte `start` on, and gives how many there were."""
        flat = self._weights.original(key).detach().cpu().contiguous().flatten().view(torch.uint8)
        piece = flat[start : start + len(view)]
        view[: len(piece)] = piece.numpy().data
        return len(piece)

    def close(self) -> None:
        """Nothing: the model stays in memory."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def original_checkpoint(weights: Weights, path: Path) -> Checkpoint:
    """The base in memory as fine-tunes want it for what depends on it; `path` is what errors name."""
    container = OriginalWeights(weights, path)
    return Checkpoint(container, weights.family, "in memory", {name: Source(name) for name in weights.parameters})
