"""Bytes written by a thread of their own, so that writing overlaps arithmetic; each piece is read back and compared."""

from __future__ import annotations

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
BUFFERS = 6

Piece = tuple[int, Tensor, Tensor]


class Stream:
    """Lends buffers, takes them back filled, and writes them in the background."""

    def __init__(self, file: GrowingFile) -> None:
        self._file = file
        self._free: Queue[Tensor] = Queue()
        self._full: Queue[Piece | None] = Queue()
        self._failed: list[BaseException] = []
        for _ in range(BUFFERS):
            self._free.put(torch.empty(BUFFER, dtype=torch.uint8))
        self._thread = Thread(target=self._run, daemon=True)

    def lend(self) -> Tensor:
        """A buffer of BUFFER bytes, as soon as one is free. Raises what went wrong with earlier pieces."""
        self._raise()
        return self._free.get()

    def send(self, position: int, buffer: Tensor, size: int) -> None:
        """Gives a buffer back, of which the first `size` bytes go to a position of the file."""
        self._full.put((position, buffer, buffer[:size]))

    def _run(self) -> None:
        back = np.empty(BUFFER, np.uint8)
        while (piece := self._full.get()) is not None:
            position, buffer, filled = piece
            try:
                if not self._failed:
                    self._write(position, filled.numpy(), back)
            except BaseException as error:  # noqa: BLE001 - raised again in the other thread, which waits for buffers
                self._failed.append(error)
            finally:
                self._free.put(buffer)

    def _write(self, position: int, filled: np.ndarray, back: np.ndarray) -> None:
        self._file.write(position, filled.data)
        found = back[: len(filled)]
        self._file.read_into(position, found.data)
        if not np.array_equal(found, filled):
            raise OutputError(f"what was written at byte {position} reads back differently.", hint="Check the disk.")

    def _raise(self) -> None:
        if self._failed:
            raise self._failed[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._full.put(None)
        self._thread.join()
        if kind is None:
            self._raise()
