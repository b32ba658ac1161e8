"""Writing safetensors whose shapes and metadata are known only at the end: the header goes into room kept for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from eleven.errors import OutputError, TensorError
from eleven.files.atomic import AtomicFile
from eleven.files.container import Entry
from eleven.files.dtypes import BITS, bytes_of, torch_type
from eleven.files.writer import entry_of
from eleven.tensors import Tensor

LISTED = len('"":{"dtype":"F8_E5M2","shape":[],"data_offsets":[,]},') + 60
"""Upper bound of what a header says of one tensor beside its name."""


class GrowingFile:
    """Tensors are appended and can be read back; `metadata` may change until the block is left without an error."""

    def __init__(self, path: str | Path, *, names: int, size: int, force: bool = False) -> None:
        """`names`: bytes of all names and metadata to come, `size`: of all data. OutputError as `AtomicFile`."""
        self.metadata: dict[str, str] = {}
        self.entries: dict[str, Entry] = {}
        self._start = 8 + names
        self._starts: dict[str, int] = {}
        self._end = 0
        self._file = AtomicFile(path, size=size + self._start, force=force)

    def append(self, key: str, tensor: Tensor) -> None:
        """Adds one tensor. TensorError for a name used before, or data that would not be aligned."""
        import torch

        entry = entry_of(tensor)
        if key in self.entries or self._end % (BITS[entry.dtype] // 8):
            raise TensorError(f"{key} cannot be appended as {entry.dtype} {list(entry.shape)}.")
        flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        self._file.write(self._start + self._end, flat.numpy().data)
        self.entries[key], self._starts[key] = entry, self._end
        self._end += bytes_of(entry)

    def read(self, key: str) -> Tensor:
        """A tensor as the file holds it."""
        import torch

        entry = self.entries[key]
        dtype = torch_type(entry.dtype)
        if dtype is None:
            raise TensorError(f"{key} cannot be read back as {entry.dtype}.")
        data = torch.empty(bytes_of(entry), dtype=torch.uint8)
        self._file.read_into(self._start + self._starts[key], data.numpy().data)
        return data.view(dtype).reshape(entry.shape)

    def close(self) -> None:
        """Writes the header and puts the file in place. OutputError where the header needs more room than was kept."""
        listed: dict[str, object] = {"__metadata__": dict(sorted(self.metadata.items()))} if self.metadata else {}
        for key, entry in self.entries.items():
            start = self._starts[key]
            offsets = [start, start + bytes_of(entry)]
            listed[key] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": offsets}
        text = json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()
        room = self._start - 8
        if len(text) > room:
            raise OutputError(f"the header takes {len(text)} bytes where {room} were kept: this is a bug in Eleven.")
        self._file.write(0, memoryview(room.to_bytes(8, "little") + text.ljust(room)))
        self._file.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()
        self._file.discard()


def room_for(names: list[str], metadata: int) -> int:
    """Bytes of a header for these tensors and so much metadata, a multiple of 8."""
    listed = sum(len(name.encode()) + LISTED for name in names)
    return -(-(listed + metadata + 64) // 8) * 8
