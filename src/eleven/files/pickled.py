"""Torch's own files (.pt .bin .ckpt .pth): scanned first, then read with weights_only; nothing in them is ever run."""

from __future__ import annotations

import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Self

from eleven.errors import FileError
from eleven.files.container import Entry
from eleven.files.dtypes import NAMES
from eleven.files.flatten import flatten
from eleven.files.pickle_limits import check_pickle
from eleven.files.source import Source
from eleven.files.strict_json import shorten
from eleven.tensors import Tensor

SPARE = 100_000_000
"""Bytes that one tensor may hold beyond the file's size, as those spread from one number do."""
FAULTS = (
    *(RuntimeError, UnpicklingError, EOFError, LookupError, ValueError, TypeError, AttributeError, AssertionError),
    *(OverflowError, OSError, MemoryError),
)
"""What torch.load raises on damaged files (found by fuzzing)."""


class PickledFile:
    """Implements `Container`; zip files stay on the disk (mapped) until `close`, older ones are loaded whole."""

    kind = "pickle"

    def __init__(self, path: str | Path) -> None:
        """UnsafePickle for a pickle that would run code; FileError for a damaged one, or one without plain tensors."""
        self.path = Path(path)
        source = Source(self.path)
        try:
            self._size = source.size
            mapped = check_pickle(source)
        finally:
            source.close()
        try:
            self._tensors, self.metadata = flatten(_load(self.path, mapped))
            self.entries = {key: self._entry(key, tensor) for key, tensor in self._tensors.items()}
        except FileError as error:
            raise (error if str(self.path) in error.cause else error.at(self.path)) from error.__cause__
        if not self.entries:
            raise FileError(f"{self.path}: holds no tensors.")
        self._last: tuple[str, Tensor] | None = None

    def _entry(self, key: str, tensor: Tensor) -> Entry:
        name = NAMES.get(str(tensor.dtype))
        layout = str(tensor.layout)
        if name is None or layout != "torch.strided" or tensor.device.type != "cpu":
            raise FileError(f"{shorten(key)}: is a {layout} tensor of {tensor.dtype}, which no technique uses.")
        if tensor.numel() * tensor.element_size() > self._size + SPARE:
            raise FileError(f"{shorten(key)}: {list(tensor.shape)} is more than a file of {self._size} bytes holds.")
        return Entry(name, tuple(tensor.shape))

    def read(self, key: str) -> Tensor:
        """One tensor in its own type, plain and contiguous, in memory of its own."""
        import torch

        return self._tensor(key).detach().clone(memory_format=torch.contiguous_format)

    def read_into(self, key: str, view: memoryview, start: int = 0) -> int:
        """Fills `view` with a tensor's bytes from its byte `start` on, and gives how many there were."""
        import torch

        last = self._last
        if last is None or last[0] != key:
            self._last = last = key, self._tensor(key).detach().contiguous().reshape(-1).view(torch.uint8)
        piece = last[1][start : start + len(view)].numpy()
        view[: len(piece)] = piece.data
        return len(piece)

    def _tensor(self, key: str) -> Tensor:
        if key not in self._tensors:
            closed = "was closed before this read" if not self._tensors else f"holds no tensor {shorten(key)}"
            raise FileError(f"{self.path}: {closed}.")
        return self._tensors[key]

    def close(self) -> None:
        """Lets the file go."""
        self._tensors, self._last = {}, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _load(path: Path, mapped: bool) -> object:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):
            if path.suffix != ".safetensors":
                return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
            # torch.load goes by the name here, so it must not see it
            with path.open("rb") as file:
                return torch.load(file, map_location="cpu", weights_only=True)
    except FAULTS as error:
        reason = shorten((str(error).splitlines() or [type(error).__name__])[0])
        raise FileError(f"torch cannot read it: {reason}.", hint="The file is damaged; fetch it again.") from None
