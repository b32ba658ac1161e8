"""Opening whatever a path holds, told apart by content; a name's ending decides nothing."""

from __future__ import annotations

from pathlib import Path

from eleven.files.container import Container
from eleven.files.safetensors import SafetensorsFile


def open_container(path: str | Path) -> Container:
    """The tensors of a file or folder. FileError saying what the file is instead."""
    return SafetensorsFile(path)
