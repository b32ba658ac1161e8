"""A safetensors file: the header at once, each tensor only when asked for; torch is loaded by the first `read`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from eleven.errors import FileError
from eleven.files.container import Entry
from eleven.files.dtypes import torch_type
from eleven.files.safetensors_header import read_header
from eleven.files.source import Source
from eleven.files.strict_json import shorten
from eleven.tensors import Tensor


class SafetensorsFile:
    """Implements `Container`."""

    kind = "safetensors"

    def __init__(self, path: str | Path) -> None:
        """FileError naming the file, the key and what is wrong with the header."""
        self.path = Path(path)
        self._source = Source(self.path)
        try:
            self._header = read_header(self._source)
        except BaseException:
            self._source.close()
            raise
        self.entries: dict[str, Entry] = self._header.entries
        self.metadata: dict[str, str] = self._header.metadata

    @property
    def data_start(self) -> int:
        """Where the header ends and the data begins."""
        return self._header.data_start

    def read_into(self, key: str, view: memoryview, start: int = 0) -> int:
        """Fills `view` with a tensor's bytes from its byte `start` on, and gives how many there were."""
        first, stop = self._span(key)
        size = max(0, min(len(view), stop - first - start))
        self._source.read_into(first + start, view[:size])
        return size

    def read(self, key: str) -> Tensor:
        """One tensor in its own type, in memory of its own. FileError where the file ends too early."""
        import torch

        first, stop = self._span(key)
        entry = self.entries[key]
        dtype = torch_type(entry.dtype)
        if dtype is None:
            raise FileError(f"{self.path}: {shorten(key)}: no weights are read from {entry.dtype}.")
        data = torch.empty(stop - first, dtype=torch.uint8)
        self._source.read_into(first, data.numpy().data)
        # any byte but 0 and 1 is no bool to torch
        typed = data.ne(0) if dtype is torch.bool else data.view(dtype)
        return typed.reshape(entry.shape)

    def _span(self, key: str) -> tuple[int, int]:
        if key not in self._header.spans:
            raise FileError(f"{self.path}: holds no tensor {shorten(key)}.")
        return self._header.spans[key]

    def close(self) -> None:
        """Lets the file go."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
