"""Writing safetensors tensor by tensor, into a temporary file beside the target, which appears whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from eleven.errors import OutputError, TensorError
from eleven.files.container import Entry
from eleven.files.dtypes import BITS, NAMES, bytes_of
from eleven.files.strict_json import LARGEST
from eleven.tensors import Tensor

ORDER = {name: rank for rank, name in enumerate(BITS)}


class SafetensorsWriter:
    """A file whose layout is known first; `write` takes the tensors in any order, leaving the block puts it in place.

    The same layout, metadata and tensors give the same bytes, those that safetensors itself writes
    (safetensors/src/tensor.rs, prepare). An error inside the block removes the temporary file.
    """

    def __init__(
        self,
        path: str | Path,
        layout: Mapping[str, Entry],
        *,
        metadata: Mapping[str, str] | None = None,
        force: bool = False,
    ) -> None:
        """OutputError where the target exists (unless `force`), the disk is too full or the folder is not writable."""
        self.path, self._layout, self._force = Path(path), dict(layout), force
        header, self._starts = _header(self._layout, dict(metadata or {}))
        self.size = len(header) + sum(map(bytes_of, self._layout.values()))
        self._refuse_existing()
        self._refuse_full_disk()
        self._missing = set(self._layout)
        self._temporary = self.path.parent / f".eleven-{secrets.token_hex(6)}.part"
        try:
            self._file = self._temporary.open("xb")
            self._file.write(header)
        except OSError as error:
            self._discard()
            raise self._failure(error) from error

    def write(self, key: str, tensor: Tensor) -> None:
        """Puts one tensor in its place. TensorError where it is not as the layout says; OutputError on a full disk."""
        import torch

        told, entry = self._layout.get(key), entry_of(tensor)
        if entry != told or key not in self._missing:
            raise TensorError(f"{key}: {entry} was given where the layout has {told} to be written once.")
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        try:
            self._file.seek(self._starts[key])
            self._file.write(flat.numpy().data)
        except OSError as error:
            raise self._failure(error) from error
        self._missing.discard(key)

    def close(self) -> None:
        """Puts the file in place, on the disk for good. TensorError where tensors of the layout were never written."""
        if self._missing:
            self._discard()
            raise TensorError(f"{min(self._missing)} and {len(self._missing) - 1} more were never written.")
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._refuse_existing()
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._discard()

    def _discard(self) -> None:
        if hasattr(self, "_file"):
            try:
                self._file.close()
            except OSError:  # the bytes that it could not flush go away with the file
                self._file.raw.close()
        self._temporary.unlink(missing_ok=True)

    def _refuse_existing(self) -> None:
        if self.path.is_dir() or (self.path.exists() and not self._force):
            raise OutputError(f"{self.path}: exists already.", hint="Choose another name, or allow overwriting.")

    def _refuse_full_disk(self) -> None:
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise self._failure(error) from error
        if free < self.size:
            raise OutputError(
                f"{self.path}: needs {self.size} bytes where the disk has {free} left.",
                hint="Free some space, or write to another disk.",
            )

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"{self.path}: cannot be written: {error.strerror}.", hint="Check the folder and the disk.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()
        else:
            self._discard()


def write_safetensors(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    *,
    metadata: Mapping[str, str] | None = None,
    force: bool = False,
) -> None:
    """Writes tensors that are all at hand. Errors as `SafetensorsWriter`."""
    layout = {key: entry_of(tensor) for key, tensor in tensors.items()}
    with SafetensorsWriter(path, layout, metadata=metadata, force=force) as writer:
        for key in in_file_order(layout):
            writer.write(key, tensors[key])


def entry_of(tensor: Tensor) -> Entry:
    """Type and shape as a header tells them. TensorError for a type that safetensors has no name for."""
    name = NAMES.get(str(tensor.dtype))
    if name is None:
        raise TensorError(f"{tensor.dtype} cannot be stored in safetensors.", hint="Convert it first.")
    return Entry(name, tuple(tensor.shape))


def in_file_order(layout: Mapping[str, Entry]) -> list[str]:
    """The keys as their data follow each other: wide types first, then by the bytes of the name."""
    return sorted(layout, key=lambda key: (-ORDER[layout[key].dtype], key.encode()))


def _header(layout: Mapping[str, Entry], metadata: Mapping[str, str]) -> tuple[bytes, dict[str, int]]:
    """The header with its length in front, and where each tensor's data begin."""
    _refuse_bad_text([*layout, *metadata, *metadata.values()])
    if "__metadata__" in layout:
        raise OutputError("a tensor cannot be called __metadata__.")
    listed: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    starts: dict[str, int] = {}
    end = 0
    for key in in_file_order(layout):
        entry, starts[key] = layout[key], end
        end += bytes_of(entry)
        listed[key] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": [starts[key], end]}
    text = json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LARGEST:
        raise OutputError(f"a header of {len(text)} bytes is more than safetensors allows ({LARGEST}).")
    return len(text).to_bytes(8, "little") + text, {key: 8 + len(text) + start for key, start in starts.items()}


def _refuse_bad_text(texts: Iterable[object]) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise OutputError(f"names and metadata are text, not {type(text).__name__}.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise OutputError(f"{ascii(text)[:100]} holds half a character.") from None
