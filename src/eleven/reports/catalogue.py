"""The models of a folder, each with its report or the reason why it cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eleven.errors import ElevenError, FileError
from eleven.files.folder import is_model
from eleven.reports.inspection import Inspection, inspect_file

ENDINGS = frozenset({".safetensors", ".pt", ".bin", ".ckpt", ".pth"})


@dataclass(frozen=True)
class Problem:
    """Why a file cannot be read, and the way out."""

    cause: str
    hint: str


@dataclass(frozen=True)
class Unreadable:
    """A file that is no model, or a damaged one."""

    path: Path
    error: Problem


def is_catalogue(path: Path) -> bool:
    """Whether a path is a folder of models rather than one model."""
    return path.is_dir() and not is_model(path)


def catalogue(folder: Path, *, recursive: bool = False) -> Iterator[Inspection | Unreadable]:
    """A report on every model in a folder, by name; headers only, so that NaN and zeros are not searched for."""
    for path in models(folder, recursive=recursive):
        try:
            yield inspect_file(path, values=False)
        except ElevenError as error:
            yield Unreadable(path, Problem(error.cause, error.hint))


def models(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Files with a model's ending and folders that are one model; links to folders are not followed."""
    try:
        places = sorted(os.scandir(folder), key=lambda place: place.name)
    except OSError as error:
        raise FileError(f"{folder}: cannot be listed: {error.strerror}.", hint="Check the path.") from error
    for place in places:
        path = Path(place.path)
        if place.is_dir():
            if is_model(path):
                yield path
            elif recursive and not place.is_symlink():
                yield from models(path, recursive=True)
        elif path.suffix.lower() in ENDINGS:
            yield path
