"""A whole model's weights by layer, wherever its file keeps them: the base of a mix, or one side of a difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self, final

from eleven.delta import take_rows
from eleven.errors import FileError
from eleven.files.container import Container
from eleven.files.opening import open_container
from eleven.layers.checkpoints import recognise_checkpoint
from eleven.layers.family import FAMILIES, Family, Source
from eleven.tensors import Tensor

ROOTS = ("model.diffusion_model.", "diffusion_model.", "transformer.", "unet.")
FLAT = ("lora_unet_", "lycoris_", "lora_transformer_")


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

    @cached_property
    def modules(self) -> Mapping[str, Mapping[str, str]]:
        """The layers of each module by parameter; in an unknown family under every name that adapters use for it."""
        found: dict[str, dict[str, str]] = {}
        for name in self.sources:
            module, _, parameter = name.rpartition(".")
            for spelled in (module,) if self.family else unknown_names(module):
                found.setdefault(spelled, {})[parameter] = name
        return found

    def find(self, module: str, parameter: str) -> str | None:
        """The layer that holds a module's parameter, or None."""
        return self.modules.get(module, {}).get(parameter)

    def close(self) -> None:
        """Lets the file go."""
        self.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_checkpoint(path: str | Path) -> Checkpoint:
    """The model at a path, its own names kept where the family is unknown. FileError where it is none."""
    container = open_container(path)
    found = as_checkpoint(container)
    if found is None:
        container.close()
        raise FileError(f"{path}: is no base model.", hint="Give a checkpoint file or a diffusers folder.")
    return found


def as_checkpoint(container: Container, families: Sequence[Family] = FAMILIES) -> Checkpoint | None:
    """The container as a model, or None where it holds anything else."""
    found = recognise_checkpoint({key: entry.shape for key, entry in container.entries.items()}, families)
    if found is None:
        return None
    return Checkpoint(container, found.family, found.evidence, found.sources, found.rest)


def unknown_names(module: str) -> Iterator[str]:
    """How adapters spell a module of a model that no table describes: under each prefix, with dots or flat."""
    bare = next((module.removeprefix(root) for root in ROOTS if module.startswith(root)), module)
    yield from dict.fromkeys((module, bare, *(root + bare for root in ROOTS), f"base_model.model.{bare}"))
    yield from (prefix + bare.replace(".", "_") for prefix in FLAT)
