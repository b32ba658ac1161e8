"""Reading at a position in an open file, from any thread; short files end in an error, never in garbage."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from eleven.errors import FileError

STEP = 1 << 30


class Source:
    """A file held open for positional reads; can be deleted once closed."""

    def __init__(self, path: Path) -> None:
        """FileError where the file cannot be opened, or is a pipe or a device, which would be waited for for ever."""
        self.path = path
        self._lock = Lock()
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise FileError(f"{path}: is no regular file.", hint="Save what comes from it in a file first.")
            self._file: BinaryIO = path.open("rb", buffering=0)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise FileError(f"{path}: cannot be opened: {reason}.", hint="Check the path.") from error
        self.size = os.fstat(self._file.fileno()).st_size

    def read_into(self, position: int, view: memoryview) -> None:
        """Fills `view` with the bytes from `position` on. FileError where the file ends before, or is closed."""
        done = 0
        while done < len(view):
            got = self._some(position + done, view[done : done + STEP])
            if not got:
                raise FileError(
                    f"{self.path}: ends at byte {position + done}, {len(view) - done} bytes too early.",
                    hint="The file is truncated; fetch it again.",
                )
            done += got

    def read(self, position: int, size: int) -> bytes:
        """These bytes."""
        buffer = bytearray(size)
        self.read_into(position, memoryview(buffer))
        return bytes(buffer)

    def _some(self, position: int, view: memoryview) -> int:
        if self._file.closed:
            raise FileError(f"{self.path}: was closed before this read.", hint="Read inside the with block.")
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self._file.fileno(), [view], position)
            with self._lock:
                self._file.seek(position)
                return self._file.readinto(view) or 0  # pyright: ignore[reportAttributeAccessIssue]
        except OSError as error:
            raise FileError(f"{self.path}: cannot be read: {error.strerror}.", hint="Check the disk.") from error

    def close(self) -> None:
        """Lets the file go; closing twice is harmless."""
        self._file.close()
