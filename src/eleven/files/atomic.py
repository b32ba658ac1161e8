"""A file that appears whole under its name, or not at all: written under a temporary name beside it, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Self

from eleven.errors import OutputError

PAGE = 4096
"""What is moved past the cache begins at a multiple of this many bytes, and is as long."""


class AtomicFile:
    """Open for reading and writing at any position, from several threads; leaving the block by an error removes it.

    The temporary name is that of the target, so that what a killed process left behind is taken over by the next one.
    """

    def __init__(self, path: str | Path, *, size: int, force: bool = False) -> None:
        """OutputError where the target exists (unless `force`), the disk has no `size` bytes, or cannot be written."""
        self.path, self._force = Path(path), force
        self._refuse_existing()
        self._temporary = self.path.parent / f".{self.path.name}.part"
        self._turn = Lock()
        self._direct: int | None = None
        try:
            self._temporary.touch()
            self._file = self._temporary.open("r+b", buffering=0)
        except OSError as error:
            raise self.failure(error) from error
        if not (lock(self._file) and self._is_mine()):
            self._file.close()
            raise OutputError(
                f"{self.path}: another process is writing it.", hint="Wait for it, or choose another name."
            )
        try:
            self._file.truncate(0)
            self._refuse_full_disk(size)
        except BaseException:
            self.discard()
            raise

    def bypass_cache(self) -> None:
        """From now on whole pages are written to the disk and read from it, not to and from the system's cache.

        Only where the system, the file's place and the memory's alignment allow it; else nothing changes.
        """
        flag: int = getattr(os, "O_DIRECT", 0)
        with suppress(OSError):
            self._direct = os.open(self._temporary, os.O_RDWR | flag) if flag else None

    def write(self, position: int, data: memoryview) -> None:
        """Puts bytes at a position. OutputError on a full disk."""
        try:
            while len(data):
                done = self._write_some(position, data)
                position, data = position + done, data[done:]
        except OSError as error:
            raise self.failure(error) from error

    def read_into(self, position: int, view: memoryview) -> None:
        """Reads back what was written."""
        try:
            while len(view):
                done = self._read_some(position, view)
                position, view = position + done, view[done:]
        except OSError as error:
            raise self.failure(error) from error

    def commit(self) -> None:
        """Puts the file in place, on the disk for good. OutputError where the target appeared meanwhile."""
        try:
            self._close_direct()
            os.fsync(self._file.fileno())
            self._refuse_existing()
            if sys.platform == "win32":
                self._file.close()
            os.replace(self._temporary, self.path)
            self._file.close()
        except OSError as error:
            raise self.failure(error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Removes what was not put in place; while it is still locked, where an open file can be removed."""
        self._close_direct()
        if not self._file.closed:
            if sys.platform == "win32":
                self._file.close()
            self._temporary.unlink(missing_ok=True)
            self._file.close()

    def _is_mine(self) -> bool:
        """Whether the locked file still has the temporary name: another process may have put it in place meanwhile."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._temporary.stat())
        except FileNotFoundError:
            return False

    def failure(self, error: OSError) -> OutputError:
        """The error as one of ours."""
        hint = "Check the folder and the disk's free space."
        return OutputError(f"{self.path}: cannot be written: {error.strerror}.", hint=hint)

    def _write_some(self, position: int, data: memoryview) -> int:
        if hasattr(os, "pwrite"):
            return self._at_once(position, data, os.pwrite)
        with self._turn:
            self._file.seek(position)
            return self._file.write(data)

    def _read_some(self, position: int, view: memoryview) -> int:
        if hasattr(os, "preadv"):
            done = self._at_once(position, view, lambda number, some, at: os.preadv(number, [some], at))
        else:
            with self._turn:
                self._file.seek(position)
                done = self._file.readinto(view) or 0  # pyright: ignore[reportAttributeAccessIssue]
        if not done:
            raise OSError(0, f"it ends at byte {position}")
        return done

    def _at_once(self, position: int, view: memoryview, move: Callable[[int, memoryview, int], int]) -> int:
        """Moves some bytes: whole pages past the cache while that is allowed, up to the next page those before."""
        number = self._file.fileno()
        if self._direct is None:
            return move(number, view, position)
        if position % PAGE or len(view) < PAGE:
            return move(number, view[: PAGE - position % PAGE], position)
        try:
            return move(self._direct, view[: len(view) // PAGE * PAGE], position)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._close_direct()
            return move(number, view, position)

    def _close_direct(self) -> None:
        if self._direct is not None:
            os.close(self._direct)
            self._direct = None

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


def lock(file: BinaryIO) -> bool:
    """Whether this process now holds the file alone; the system lets go when the process ends, however it does."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
