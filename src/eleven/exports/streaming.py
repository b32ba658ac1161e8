"""Bytes written by a thread of their own, so that writing overlaps arithmetic; each piece is read back and compared."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue
from threading import Thread
from typing import Self

import numpy as np
import torch

from eleven.errors import OutputError
from eleven.files.growing import GrowingFile
from eleven.tensors import Tensor

BUFFER = 1 << 21
"""Bytes of a piece."""
BUFFERS = 8

Read = Callable[[memoryview, int], int]
"""Fills a buffer from this byte of a tensor on, and gives how many bytes there were."""


class Stream:
    """Lends buffers, takes them back filled, and writes them in the background; or copies a whole tensor there."""

    def __init__(self, file: GrowingFile) -> None:
        self._file = file
        self._free: Queue[Tensor] = Queue()
        self._jobs: Queue[Callable[[], None] | None] = Queue()
        self._failed: list[BaseException] = []
        for _ in range(BUFFERS):
            self._free.put(torch.empty(BUFFER, dtype=torch.uint8))
        self._back = np.empty(BUFFER, np.uint8)
        self._spare = np.empty(BUFFER, np.uint8)
        self._thread = Thread(target=self._run, daemon=True)

    def lend(self) -> Tensor:
        """A buffer of BUFFER bytes, as soon as one is free. Raises what went wrong with earlier pieces."""
        self._raise()
        return self._free.get()

    def send(self, position: int, buffer: Tensor, size: int) -> None:
        """Gives a buffer back, of which the first `size` bytes go to a position of the file."""

        def write() -> None:
            try:
                if not self._failed:
                    self._write(position, buffer[:size].numpy())
            finally:
                self._free.put(buffer)

        self._jobs.put(write)

    def copy(self, position: int, size: int, read: Read) -> None:
        """Has `size` bytes read and written to a position, all in the background."""

        def move() -> None:
            for start in range(0, 0 if self._failed else size, BUFFER):
                piece = self._spare[: size - start]
                read(piece.data, start)
                self._write(position + start, piece)

        self._raise()
        self._jobs.put(move)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - raised again in the other thread, which waits for buffers
                self._failed.append(error)

    def _write(self, position: int, piece: np.ndarray) -> None:
        self._file.write(position, piece.data)
        found = self._back[: len(piece)]
        self._file.read_into(position, found.data)
        whole = len(piece) // 8 * 8
        alike = np.array_equal(found[:whole].view(np.uint64), piece[:whole].view(np.uint64))
        if not alike or not np.array_equal(found[whole:], piece[whole:]):
            raise OutputError(f"what was written at byte {position} reads back differently.", hint="Check the disk.")

    def _raise(self) -> None:
        if self._failed:
            raise self._failed[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._failed.append(error)
        self._jobs.put(None)
        self._thread.join()
        if kind is None:
            self._raise()
