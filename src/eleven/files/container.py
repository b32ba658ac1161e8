"""The protocol of a container: a file or folder of named tensors, opened without reading the tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from eleven.raw import Raw, empty
from eleven.tensors import Shape, Tensor


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor as the header describes it; `dtype` in safetensors' spelling (F16, BF16, I64 …)."""

    dtype: str
    shape: Shape


class Container(Protocol):
    """Named tensors, read one at a time; a file is never changed, and can be deleted as soon as `close` returned."""

    @property
    def path(self) -> Path:
        """The file or folder."""
        ...

    @property
    def kind(self) -> str:
        """What users call it: safetensors, pickle, sharded safetensors, diffusers folder."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """Text stored beside the tensors."""
        ...

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every tensor by its key, in file order."""
        ...

    def read(self, key: str) -> Tensor:
        """One tensor in its own type, in memory of its own. FileError where the file ends too early."""
        ...

    def read_into(self, key: str, view: memoryview, start: int = 0) -> int:
        """Fills `view` with a tensor's bytes from its byte `start` on, and gives how many there were."""
        ...

    def close(self) -> None:
        """Lets the file go."""
        ...

    def __enter__(self) -> Self:
        """The container."""
        ...

    def __exit__(self, *error: object) -> None:
        """Lets the file go."""
        ...


def read_raws(container: Container, keys: Mapping[str, str]) -> dict[str, Raw] | None:
    """The tensors behind these keys, by their names; None where one is of a type that is not read so."""
    found: dict[str, Raw] = {}
    for name, key in keys.items():
        entry = container.entries[key]
        raw = empty(entry.dtype, entry.shape)
        if raw is None:
            return None
        container.read_into(key, raw.data)
        found[name] = raw
    return found
