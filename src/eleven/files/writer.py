"""Writing safetensors tensor by tensor, into a temporary file beside the target, which appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from eleven.errors import OutputError, TensorError
from eleven.files.atomic import AtomicFile
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
        self._layout = dict(layout)
        header, self._starts = _header(self._layout, dict(metadata or {}))
        self.size = len(header) + sum(map(bytes_of, self._layout.values()))
        self._missing = set(self._layout)
        self._file = AtomicFile(path, size=self.size, force=force)
        try:
            self._file.write(0, memoryview(header))
        except BaseException:
            self._file.discard()
            raise

    def write(self, key: str, tensor: Tensor) -> None:
        """Puts one tensor in its place. TensorError where it is not as the layout says; OutputError on a full disk."""
        import torch

        told, entry = self._layout.get(key), entry_of(tensor)
        if entry != told or key not in self._missing:
            raise TensorError(f"{key}: {entry} was given where the layout has {told} to be written once.")
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        self._file.write(self._starts[key], flat.numpy().data)
        self._missing.discard(key)

    def close(self) -> None:
        """Puts the file in place, on the disk for good. TensorError where tensors of the layout were never written."""
        if self._missing:
            self._file.discard()
            raise TensorError(f"{min(self._missing)} and {len(self._missing) - 1} more were never written.")
        self._file.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()
        else:
            self._file.discard()


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
