"""The protocol of a fine-tune: any model file, as changes to the layers of a family, read one module at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, Self

from eleven.delta import Delta
from eleven.files.container import Container
from eleven.layers.family import Family
from eleven.layers.layer import Layer
from eleven.techniques.textual_inversion import Word


class FineTune(Protocol):
    """One opened model; nothing but headers is in memory until a change is asked for."""

    @property
    def container(self) -> Container:
        """The file or folder."""
        ...

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def family(self) -> Family | None:
        """The base architecture; None where it is unknown and layers keep the file's own names."""
        ...

    @property
    def family_name(self) -> str:
        """The family as users call it."""
        ...

    @property
    def modules(self) -> Mapping[str, object]:
        """The modules that it changes, in file order."""
        ...

    @property
    def words(self) -> tuple[Word, ...]:
        """Textual inversions: new words rather than changed layers."""
        ...

    @property
    def unread(self) -> tuple[str, ...]:
        """Every key that was not understood."""
        ...

    @property
    def faults(self) -> Mapping[str, str]:
        """Modules whose tensors contradict each other, with the reason; they cannot be mixed."""
        ...

    def change(self, module: str) -> list[tuple[Layer, Delta]]:
        """The deltas of a module's parameters at strength 1; none where it is left alone.

        BaseNeeded where a change depends on the base and none was given; TensorError naming file and key.
        """
        ...

    def deltas(self) -> Iterator[tuple[Layer, Delta]]:
        """Every change, one module in memory at a time."""
        ...

    def close(self) -> None:
        """Lets the file go."""
        ...

    def __enter__(self) -> Self:
        """The fine-tune."""
        ...

    def __exit__(self, *error: object) -> None:
        """Lets the file go."""
        ...
