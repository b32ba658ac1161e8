"""Every error that Eleven raises on purpose; each says what was wrong with which value, and what to do about it.

ElevenError
├── UsageError           the request makes no sense: a malformed part, an option that contradicts another
├── FileError            a file cannot be read: missing, truncated, corrupt, of no known kind
│   └── UnsafePickle     a pickle that would run code
├── TensorError          tensors that contradict their technique: a shape, a partner missing, NaN
├── BaseNeeded           a technique that changes the base multiplicatively, and no base was given
├── UnknownKeys          keys that no dialect and no technique explains
├── FamilyMismatch       files that belong to different base architectures
├── OutOfMemory          the device's memory is too small for what was asked
├── OutputError          a result cannot be written: it exists, the disk is full, the folder is read-only
├── WorkerLost           a process that made pictures died
├── ProofFailed          a written file is further from the asked mix than the tolerance
└── MissingPackage       an optional package that this step needs
"""

from pathlib import Path
from typing import ClassVar, Self


class ElevenError(Exception):
    """A cause in one sentence and, as `hint`, the way out."""

    exit_code: ClassVar[int] = 1

    def __init__(self, cause: str, *, hint: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.hint = hint

    def at(self, place: str | Path) -> Self:
        """The same error with the file or the key where it happened in front."""
        return type(self)(f"{place}: {self.cause}", hint=self.hint)

    def __str__(self) -> str:
        return f"{self.cause} {self.hint}".strip()


class UsageError(ElevenError):
    """The request makes no sense as written."""

    exit_code = 2


class FileError(ElevenError):
    """A file cannot be read."""

    exit_code = 2


class UnsafePickle(FileError):
    """A pickle that would run code when loaded."""


class TensorError(ElevenError):
    """Tensors that contradict the technique they are named for."""

    exit_code = 2


class BaseNeeded(ElevenError):
    """The change depends on the base weight, and no base was given."""

    exit_code = 2


class UnknownKeys(ElevenError):
    """Keys that no dialect and no technique explains."""

    exit_code = 2


class FamilyMismatch(ElevenError):
    """Files of different base architectures."""

    exit_code = 2


class OutOfMemory(ElevenError):
    """The device's memory is too small for what was asked."""


class OutputError(ElevenError):
    """A result cannot be written."""


class WorkerLost(ElevenError):
    """A process that made pictures died."""


class ProofFailed(ElevenError):
    """A written file is further from the asked mix than allowed."""


class MissingPackage(ElevenError):
    """An optional package that this step needs is not installed."""
