"""Writing safetensors whose shapes and metadata are known only at the end: the header goes into room kept for it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Self

from eleven.errors import OutputError, TensorError
from eleven.files.atomic import AtomicFile
from eleven.files.container import Entry
from eleven.files.dtypes import BITS, bytes_of, torch_type
from eleven.files.strict_json import LARGEST
from eleven.files.writer import entry_of
from eleven.tensors import Tensor

LISTED = len('"":{"dtype":"F8_E5M2","shape":[],"data_offsets":[,]},') + 60
"""Upper bound of what a header says of one tensor beside its name."""


class GrowingFile:
    """Tensors are appended and can be read back; `metadata` may change until the block is left without an error."""

    def __init__(self, path: str | Path, *, room: int, size: int, force: bool = False) -> None:
        """`room`: bytes of the header to come, from `room_for`; `size`: of all data. OutputError as `AtomicFile`."""
        self.metadata: dict[str, str] = {}
        self.entries: dict[str, Entry] = {}
        self._room = -(-room // 8) * 8
        if self._room > LARGEST:
            told = f"{path}: a header of {self._room:,} bytes is more than safetensors allows ({LARGEST:,})."
            raise OutputError(told, hint="Leave out the training tags with --strip-private.")
        self._starts: dict[str, int] = {}
        self._end = 0
        self._hash = sha256()
        self._file = AtomicFile(path, size=size + self._room, force=force)

    def bypass_cache(self) -> None:
        """From now on whole pages go to the disk and come from there, where the system can."""
        self._file.bypass_cache()

    def reserve(self, key: str, entry: Entry) -> int:
        """The position in the file of a tensor that `write` will fill, behind all others.

        TensorError for a name used before, or data that would not be aligned.
        """
        if key in self.entries or self._end % max(1, BITS[entry.dtype] // 8):
            raise TensorError(f"{key} cannot be appended as {entry.dtype} {list(entry.shape)}.")
        self.entries[key], self._starts[key] = entry, self._end
        self._end += bytes_of(entry)
        return 8 + self._room + self._starts[key]

    def write(self, position: int, data: memoryview) -> None:
        """Puts bytes at a position that `reserve` gave. OutputError on a full disk."""
        self._file.write(position, data)

    def append(self, key: str, tensor: Tensor) -> None:
        """Adds one tensor. TensorError as `reserve`."""
        import torch

        flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        self.append_bytes(key, entry_of(tensor), flat.numpy().data)

    def append_bytes(self, key: str, entry: Entry, data: memoryview) -> None:
        """Adds one tensor by its bytes. TensorError as `reserve`."""
        self._hash.update(data)
        self.write(self.reserve(key, entry), data)

    def read(self, key: str) -> Tensor:
        """A tensor as the file holds it."""
        import torch

        entry = self.entries[key]
        dtype = torch_type(entry.dtype)
        if dtype is None:
            raise TensorError(f"{key} cannot be read back as {entry.dtype}.")
        data = torch.empty(bytes_of(entry), dtype=torch.uint8)
        self.read_bytes(key, data.numpy().data)
        return data.view(dtype).reshape(entry.shape)

    def read_bytes(self, key: str, view: memoryview) -> None:
        """Fills `view` with a tensor's bytes as the file holds them."""
        self.read_into(8 + self._room + self._starts[key], view)

    def read_into(self, position: int, view: memoryview) -> None:
        """Fills `view` with the bytes at a position."""
        self._file.read_into(position, view)

    @property
    def digest(self) -> str:
        """SHA-256 of the appended data, without the header: what kohya calls sshs_model_hash."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Writes the header and puts the file in place. OutputError where the header needs more room than was kept."""
        listed: dict[str, object] = {"__metadata__": dict(sorted(self.metadata.items()))} if self.metadata else {}
        for key, entry in self.entries.items():
            start = self._starts[key]
            offsets = [start, start + bytes_of(entry)]
            listed[key] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": offsets}
        text = json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > self._room:
            raise OutputError(f"a header of {len(text)} bytes where {self._room} were kept: this is a bug in Eleven.")
        self._file.write(0, memoryview(self._room.to_bytes(8, "little") + text.ljust(self._room)))
        self._file.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._file.discard()


def room_for(names: list[str], metadata: dict[str, str]) -> int:
    """Bytes of a header for these tensors and this metadata, with 4 KiB to spare for what is told at the end."""
    listed = sum(len(json.dumps(name, ensure_ascii=False).encode()) + LISTED for name in names)
    return listed + len(json.dumps(metadata, ensure_ascii=False).encode()) + 4096
