"""A folder that appears whole under its name, or not at all: made beside it under a temporary name, then renamed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from eleven.errors import OutputError
from eleven.files.atomic import lock
from eleven.files.folder import is_model


@contextmanager
def making(to: Path, *, force: bool = False) -> Generator[Path]:
    """The path to make the folder at, in place once the block is left without an error.

    OutputError where another process is making it, where it exists (unless `force`, and only a model's folder is
    replaced), or where it cannot be written.
    """
    made = _beside(to, "part")
    try:
        with _alone(to):
            _recover(to)
            _refuse(to, force=force)
            shutil.rmtree(made, ignore_errors=True)
            try:
                yield made
                _refuse(to, force=force)
                _put_in_place(made, to)
            finally:
                shutil.rmtree(made, ignore_errors=True)
    except OutputError as error:
        raise OutputError(error.cause.replace(str(made), str(to)), hint=error.hint) from error
    except OSError as error:
        told = str(error).replace(str(made), str(to))
        raise OutputError(f"{to}: cannot be written: {told}.", hint="Check the folder and the disk.") from error


def _beside(to: Path, ending: str) -> Path:
    return to.parent / f".{to.name}.{ending}"


@contextmanager
def _alone(to: Path) -> Generator[None]:
    """Holds the folder's lock file, which goes with the block; one that a killed process left is taken over."""
    place = _beside(to, "lock")
    with place.open("ab", buffering=0) as file:
        if not (lock(file) and _is(place, file.fileno())):
            told = f"{to}: another process is writing it."
            raise OutputError(told, hint="Wait for it, or choose another name.")
        try:
            yield
        finally:
            if sys.platform != "win32":
                place.unlink(missing_ok=True)
    if sys.platform == "win32":
        place.unlink(missing_ok=True)


def _is(place: Path, number: int) -> bool:
    """Whether the locked file still has the name: the process that held it before may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(number), place.stat())
    except FileNotFoundError:
        return False


def _recover(to: Path) -> None:
    """Gives the name back to a folder that a process killed while replacing it had put aside."""
    old = _beside(to, "old")
    if old.exists() and not to.exists():
        old.rename(to)


def _refuse(to: Path, *, force: bool) -> None:
    if to.exists() and not force:
        raise OutputError(f"{to}: exists already.", hint="Choose another name, or use --force.")
    if to.exists() and not (to.is_dir() and is_model(to)):
        raise OutputError(f"{to}: exists and is no model's folder.", hint="Choose another name.")


def _put_in_place(made: Path, to: Path) -> None:
    """Renames, the old folder aside and removed last; after a failure it has its name again."""
    old = _beside(to, "old")
    if to.exists():
        shutil.rmtree(old, ignore_errors=True)
        to.rename(old)
    try:
        made.rename(to)
    except OSError:
        _recover(to)
        raise
    shutil.rmtree(old, ignore_errors=True)
