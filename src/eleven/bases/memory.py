"""Too little memory, told as such with the way out."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

from eleven.errors import OutOfMemory

NO_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


def lacks_memory(error: Exception) -> bool:
    """Whether the machine had too little memory; torch says so in words on the CPU and on MPS."""
    return isinstance(error, MemoryError) or NO_MEMORY.search(str(error)) is not None


@contextmanager
def memory_told(told: str, hint: str) -> Generator[None]:
    """OutOfMemory with this sentence and this way out where memory is full."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        raise OutOfMemory(told, hint=hint) from None
