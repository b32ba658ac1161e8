"""A file that appears whole under its name, or not at all: written under a temporary name beside it, then renamed."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Self

from eleven.errors import OutputError


class AtomicFile:
    """Open for reading and writing at any position; leaving the block by an error removes it."""

    def __init__(self, path: str | Path, *, size: int, force: bool = False) -> None:
        """OutputError where the target exists (unless `force`), the disk has no `size` bytes, or cannot be written."""
        self.path, self._force = Path(path), force
        self._refuse_existing()
        self._refuse_full_disk(size)
        self._temporary = self.path.parent / f".eleven-{secrets.token_hex(6)}.part"
        try:
            self.file = self._temporary.open("x+b", buffering=0)
        except OSError as error:
            raise self.failure(error) from error

    def write(self, position: int, data: memoryview) -> None:
        """Puts bytes at a position. OutputError on a full disk."""
        try:
            self.file.seek(position)
            while len(data):
                data = data[self.file.write(data) :]
        except OSError as error:
            raise self.failure(error) from error

    def read_into(self, position: int, view: memoryview) -> None:
        """Reads back what was written."""
        try:
            self.file.seek(position)
            while len(view):
                view = view[self.file.readinto(view) or len(view) :]
        except OSError as error:
            raise self.failure(error) from error

    def commit(self) -> None:
        """Puts the file in place, on the disk for good. OutputError where the target appeared meanwhile."""
        try:
            os.fsync(self.file.fileno())
            self.file.close()
            self._refuse_existing()
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise self.failure(error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Removes what was not put in place."""
        self.file.close()
        self._temporary.unlink(missing_ok=True)

    def failure(self, error: OSError) -> OutputError:
        """The error as one of ours."""
        hint = "Check the folder and the disk's free space."
        return OutputError(f"{self.path}: cannot be written: {error.strerror}.", hint=hint)

    def _refuse_existing(self) -> None:
        if self.path.is_dir() or (self.path.exists() and not self._force):
            raise OutputError(f"{self.path}: exists already.", hint="Choose another name, or use --force.")

    def _refuse_full_disk(self, size: int) -> None:
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise self.failure(error) from error
        if free < size:
            told = f"{self.path}: needs {size:,} bytes where the disk has {free:,} left."
            raise OutputError(told, hint="Free some space, or write to another disk.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.discard()
