"""The hashes by which other programs name a file, all from one pass over it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from eleven.errors import FileError
from eleven.files.looks import is_safetensors
from eleven.files.safetensors import SafetensorsFile
from eleven.files.single import beginning
from eleven.files.source import Source

CHUNK = 1 << 20
MODELS = (".safetensors", ".bin", ".pt", ".ckpt")
STORED = ("sshs_model_hash", "modelspec.hash_sha256")


class Hash(Protocol):
    """What hashlib and blake3 give alike."""

    def update(self, data: memoryview, /) -> object:
        """Takes more bytes in."""
        ...

    def hexdigest(self) -> str:
        """The result as text."""
        ...


def hashes(path: str | Path) -> dict[str, str]:
    """Hexadecimal hashes by name; those that the file has none of, and `blake3` without that package, are left out.

    `sha256` of the whole file; `autov2`, its first 10 digits (Civitai, A1111's "Model hash"); for safetensors `addnet`,
    SHA256 of what follows the header (kohya sd-scripts library/train_util.py, addnet_hash_safetensors), and `tensors`,
    the same as ModelSpec and SwarmUI write it; `autov3`, 12 digits of the hash that the header stores (Civitai).
    """
    place = Path(path)
    if place.is_dir():
        raise FileError(f"{place}: is a folder, and hashes are of files.")
    start, metadata = _after_header(place)
    whole, data = hashlib.sha256(), hashlib.sha256()
    others: dict[str, Hash] = {"blake3": import_module("blake3").blake3()} if find_spec("blake3") else {}
    _feed(place, [(0, whole), *((0, one) for one in others.values()), *([(start, data)] if start else [])])
    digests = {"sha256": whole.hexdigest(), "autov2": whole.hexdigest()[:10]}
    if start:
        digests |= {"addnet": data.hexdigest(), "tensors": f"0x{data.hexdigest()}"}
    return digests | _autov3(metadata) | {name: one.hexdigest() for name, one in others.items()}


def identity(path: str | Path) -> str:
    """What a model is known by wherever it lies: its SHA-256; of a folder, that of its files' names and hashes."""
    place = Path(path)
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.suffix in MODELS and file.is_file())
        told = "".join(f"{file.relative_to(place).as_posix()} {identity(file)}\n" for file in files)
        return hashlib.sha256(told.encode()).hexdigest()
    whole = hashlib.sha256()
    _feed(place, [(0, whole)])
    return whole.hexdigest()


def _after_header(path: Path) -> tuple[int, Mapping[str, str]]:
    """Where a safetensors file's data begin, or 0, and its metadata."""
    if not is_safetensors(*beginning(path)):
        return 0, {}
    with SafetensorsFile(path) as file:
        return file.data_start, file.metadata


def _autov3(metadata: Mapping[str, str]) -> dict[str, str]:
    stored = next((metadata[key] for key in STORED if metadata.get(key)), "")
    digits = stored.removeprefix("0x").lower()[:12]
    return {"autov3": digits} if len(digits) == 12 and not set(digits) - set("0123456789abcdef") else {}


def _feed(path: Path, parts: list[tuple[int, Hash]]) -> None:
    """Gives each hash the bytes from its first one on."""
    view = memoryview(bytearray(CHUNK))
    source = Source(path)
    try:
        for position in range(0, source.size, CHUNK):
            piece = view[: min(CHUNK, source.size - position)]
            source.read_into(position, piece)
            for start, one in parts:
                one.update(piece[max(0, start - position) :])
    finally:
        source.close()
