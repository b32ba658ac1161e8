"""A whole model's weights by layer, wherever its file keeps them: the base of a mix, or one side of a difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

from eleven.delta import take_rows
from eleven.errors import FileError
from eleven.files.container import Container
from eleven.files.opening import open_container
from eleven.layers.checkpoints import recognise_checkpoint
from eleven.layers.family import Family, Source
from eleven.tensors import Tensor


@final
@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model file or folder; `sources` tells where each layer lies, `rest` the keys that are none of the family's."""

    container: Container
    family: Family | None
    evidence: str
    sources: Mapping[str, Source]
    rest: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.container.path

    def load(self, name: str) -> Tensor:
        """One layer in its own shape, float32. FileError where the file is damaged."""
        return self.stored(name).float()

    def stored(self, name: str) -> Tensor:
        """One layer in its own shape and type."""
        source = self.sources[name]
        tensor = self.container.read(source.key)
        if source.ranges is not None:
            tensor = take_rows(tensor, source.ranges)
        return tensor.T if source.transposed else tensor

    def close(self) -> None:
        """Lets the file go."""
        self.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_checkpoint(path: str | Path) -> Checkpoint:
    """The model at a path. FileError where it is none; one of an unknown family keeps its own names."""
    container = open_container(path)
    found = as_checkpoint(container)
    if found is None:
        container.close()
        raise FileError(f"{path}: is no base model.", hint="Give a checkpoint file or a diffusers folder.")
    return found


def as_checkpoint(container: Container) -> Checkpoint | None:
    """The container as a model, or None where it holds anything else."""
    found = recognise_checkpoint({key: entry.shape for key, entry in container.entries.items()})
    if found is None:
        return None
    return Checkpoint(container, found.family, found.evidence, found.sources, found.rest)
