"""Opening whatever a path holds, told apart by its content."""

from __future__ import annotations

from pathlib import Path

from eleven.errors import FileError
from eleven.files.container import Container
from eleven.files.folder import open_folder
from eleven.files.sharded import open_sharded
from eleven.files.single import beginning, open_file


def open_container(path: str | Path) -> Container:
    """The tensors of a file or folder, none of them read yet. FileError saying what is wrong, or what the file is."""
    place = Path(path)
    try:
        if place.is_dir():
            return open_folder(place)
    except (OSError, ValueError) as error:
        raise FileError(f"{place}: cannot be opened: {error}.", hint="Check the path.") from None
    if beginning(place)[0].lstrip()[:1] == b"{":
        return open_sharded(place)
    return open_file(place)
