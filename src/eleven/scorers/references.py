"""Reads the reference photos of a concept, and of others like it, from folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eleven.errors import UsageError
from eleven.files.pictures import read_each, read_picture
from eleven.scorers.scorer import Pixels, References


def read_references(folder: Path, impostors: Path | None = None) -> References:
    """The photos of both folders, upright in RGB, by file name.

    FileError naming each file that cannot be read; UsageError for a folder without photos.
    """
    return References(photos_of(folder), {} if impostors is None else photos_of(impostors))


def photos_of(folder: Path) -> dict[str, Pixels]:
    """Every photo of one folder."""
    photos = dict(read_each(folder, read_photo, purpose="references"))
    if not photos:
        raise UsageError(f"{folder} holds no photos.", hint="Ten to thirty photos do well.")
    return photos


def read_photo(path: Path) -> tuple[str, Pixels]:
    """The name of a file and its pixels."""
    return path.name, np.asarray(read_picture(path))
