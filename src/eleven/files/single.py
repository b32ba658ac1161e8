"""One file of tensors, told apart by its content; a name's ending only decides where the content tells nothing."""

from __future__ import annotations

from pathlib import Path

from eleven.errors import FileError
from eleven.files.container import Container
from eleven.files.looks import is_pickle, is_safetensors, is_zip, looks_like
from eleven.files.safetensors import SafetensorsFile
from eleven.files.source import Source

PICKLES = frozenset({".pt", ".bin", ".ckpt", ".pth", ".pkl"})
START = 512


def open_file(path: Path) -> Container:
    """A safetensors file or a pickle. FileError saying what the file is instead."""
    start, size = beginning(path)
    if is_safetensors(start, size):
        return SafetensorsFile(path)
    if is_zip(start) or is_pickle(start):
        return _pickled(path)
    told = looks_like(start)
    if told is not None:
        raise FileError(f"{path}: is {told}.", hint="Fetch the model again, as .safetensors if there is one.")
    if path.suffix.lower() == ".safetensors":
        return SafetensorsFile(path)
    if path.suffix.lower() in PICKLES:
        return _pickled(path)
    raise FileError(f"{path}: is no model file.", hint="Eleven reads .safetensors, .pt, .bin, .ckpt and .pth.")


def beginning(path: Path) -> tuple[bytes, int]:
    """The first bytes and the size of a file."""
    source = Source(path)
    try:
        return source.read(0, min(START, source.size)), source.size
    finally:
        source.close()


def _pickled(path: Path) -> Container:
    from eleven.files.pickled import PickledFile

    return PickledFile(path)
