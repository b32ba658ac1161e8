"""Several containers read as one, each under its own prefix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from eleven.errors import FileError
from eleven.files.container import Container, Entry
from eleven.files.strict_json import shorten
from eleven.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Piece:
    """One container and what stands before its keys."""

    container: Container
    prefix: str = ""


class Joined:
    """Implements `Container`."""

    def __init__(self, path: Path, kind: str, pieces: Sequence[Piece], metadata: Mapping[str, str]) -> None:
        """FileError where a key stands in two pieces. Closes the pieces when closed, and on errors."""
        self.path, self.kind, self.metadata = path, kind, dict(metadata)
        self.pieces = tuple(pieces)
        self._open = ExitStack()
        self.entries: dict[str, Entry] = {}
        self._homes: dict[str, tuple[Container, str]] = {}
        for piece in pieces:
            self._open.callback(piece.container.close)
        with self._open as guard:
            for piece in pieces:
                self._add(piece)
            self._open = guard.pop_all()

    def _add(self, piece: Piece) -> None:
        self.metadata |= {f"{piece.prefix}{key}": text for key, text in piece.container.metadata.items()}
        for key, entry in piece.container.entries.items():
            name = f"{piece.prefix}{key}"
            if name in self.entries:
                places = f"{self._homes[name][0].path.name} and {piece.container.path.name}"
                raise FileError(f"{self.path}: {shorten(name)}: stands in both {places}.")
            self.entries[name] = entry
            self._homes[name] = piece.container, key

    def read(self, key: str) -> Tensor:
        """One tensor in its own type, in memory of its own."""
        container, inner = self._home(key)
        return container.read(inner)

    def read_into(self, key: str, view: memoryview, start: int = 0) -> int:
        """Fills `view` with a tensor's bytes from its byte `start` on, and gives how many there were."""
        container, inner = self._home(key)
        return container.read_into(inner, view, start)

    def _home(self, key: str) -> tuple[Container, str]:
        if key not in self._homes:
            raise FileError(f"{self.path}: holds no tensor {shorten(key)}.")
        return self._homes[key]

    def leaves(self) -> list[Piece]:
        """The single files, each with all that stands before its keys here."""
        found: list[Piece] = []
        for piece in self.pieces:
            inner = piece.container.leaves() if isinstance(piece.container, Joined) else [Piece(piece.container)]
            found += [Piece(leaf.container, piece.prefix + leaf.prefix) for leaf in inner]
        return found

    def close(self) -> None:
        """Lets all files go."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
