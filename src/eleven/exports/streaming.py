"""Bytes written by a thread of their own, so that writing overlaps arithmetic; each piece is read back and compared."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from queue import Queue
from threading import Thread
from typing import Self

import numpy as np
import torch

from eleven.errors import OutputError
from eleven.files.growing import GrowingFile
from eleven.tensors import Tensor

BUFFER = 1 << 23
"""Bytes of a piece, which begins at a multiple of them in the file."""
BUFFERS = 4


class Stream:
    """Gives room for bytes in the order of the file, and writes it in the background once it is filled.

    A new file of this size need not stay in memory: it is written past the system's cache where that can be, and what
    is read back then comes from the disk.
    """

    def __init__(self, file: GrowingFile) -> None:
        self._file = file
        self._file.bypass_cache()
        self._free: Queue[Tensor] = Queue()
        self._jobs: Queue[Callable[[], None] | None] = Queue()
        self._failed: list[BaseException] = []
        for _ in range(BUFFERS):
            self._free.put(_pages())
        self._back = _pages().numpy()
        self._piece: Tensor | None = None
        self._begin = self._end = 0
        self._thread = Thread(target=self._run, daemon=True)

    def room(self, position: int, size: int) -> Iterator[Tensor]:
        """Views of one byte an element that make up these bytes of the file, to be filled before the next is asked for.

        Raises what went wrong with earlier pieces.
        """
        stop = position + size
        while position < stop:
            if self._piece is None or position != self._end or not position % BUFFER:
                self._send()
                self._begin, self._piece = position, self._lend()
            first = position % BUFFER
            view = self._piece[first : first + stop - position]
            position += len(view)
            self._end = position
            yield view

    def _lend(self) -> Tensor:
        self._raise()
        return self._free.get()

    def _send(self) -> None:
        """Has the present piece written and its buffer given back."""
        if self._piece is None:
            return
        buffer, position, size = self._piece, self._begin, self._end - self._begin
        self._piece = None

        def write() -> None:
            try:
                if not self._failed:
                    self._write(position, buffer[position % BUFFER :][:size].numpy())
            finally:
                self._free.put(buffer)

        self._jobs.put(write)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - raised again in the other thread, which waits for buffers
                self._failed.append(error)

    def _write(self, position: int, piece: np.ndarray) -> None:
        self._file.write(position, piece.data)
        found = self._back[position % BUFFER :][: len(piece)]
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
        self._send()
        self._jobs.put(None)
        self._thread.join()
        if kind is None:
            self._raise()


def _pages() -> Tensor:
    """A buffer that begins with a page of memory, as writing past the cache wants it."""
    return torch.frombuffer(mmap.mmap(-1, BUFFER), dtype=torch.uint8)
