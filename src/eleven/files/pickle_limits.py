"""What a pickle file may ask of memory, checked from its directory and instructions before torch sees it."""

from __future__ import annotations

import io
import zipfile

from typing_extensions import override

from eleven.errors import FileError
from eleven.files.pickle_scan import MOST_JUDGED, Scan, refuse_broken, refuse_unsafe, scan, together
from eleven.files.source import Source
from eleven.files.strict_json import DAMAGED

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""The first number of a file from before the zip format (torch/serialization.py, MAGIC_NUMBER)."""
LARGEST_DIRECTORY = 30_000_000
LARGEST_PICKLE = 50_000_000
END, END64 = b"PK\x05\x06", b"PK\x06\x06"


def check_pickle(source: Source) -> bool:
    """Whether the file is a zip, as torch writes since 1.6. UnsafePickle or FileError where it must not be loaded."""
    if source.read(0, min(4, source.size)) == b"PK\x03\x04":
        _check_zip(source)
        return True
    _check_legacy(source)
    return False


def _check_zip(source: Source) -> None:
    _check_directory(source)
    try:
        with source.path.open("rb") as file, zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
            pickle = _the_pickle(source, listed)
            raw = archive.read(pickle)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, KeyError) as error:
        raise FileError(f"{source.path}: is a broken zip archive ({error}).", hint=DAMAGED) from None
    found = scan(io.BytesIO(raw))
    refuse_unsafe(source.path, found, raw)
    refuse_broken(source.path, found)


def _the_pickle(source: Source, listed: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    names = [entry.filename for entry in listed]
    found = [entry for entry in listed if entry.filename.rsplit("/", 1)[-1] == "data.pkl"]
    if len(found) != 1 or len({name.split("/")[0] for name in names}) > 1 or len(set(names)) < len(names):
        raise FileError(f"{source.path}: is a zip archive, but not one that torch.save wrote.")
    if any(name.endswith("constants.pkl") for name in names):
        raise FileError(f"{source.path}: is a TorchScript program, not a file of tensors.")
    if any(entry.compress_type or entry.flag_bits & 1 for entry in listed):
        raise FileError(f"{source.path}: is compressed or encrypted, which torch.save never does.", hint="Unpack it.")
    if sum(entry.file_size for entry in listed) > source.size or found[0].file_size > LARGEST_PICKLE:
        raise FileError(f"{source.path}: claims more data than its {source.size} bytes hold.", hint=DAMAGED)
    return found[0]


def _check_directory(source: Source) -> None:
    """FileError where the archive's directory is missing, or so large that listing it would fill the memory."""
    length = min(source.size, 66_000)
    tail = source.read(source.size - length, length)
    end, end64 = tail.rfind(END), tail.rfind(END64)
    if end < 0 or len(tail) < end + 22:
        raise FileError(f"{source.path}: is a zip archive without its end.", hint=DAMAGED)
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    if size == 0xFFFFFFFF and end64 >= 0:
        size = int.from_bytes(tail[end64 + 40 : end64 + 48], "little")
    if size > min(LARGEST_DIRECTORY, source.size):
        raise FileError(f"{source.path}: its zip directory of {size} bytes is too large.", hint=DAMAGED)


class Bounded(io.BufferedReader):
    """A file that sets no memory aside for more than a pickle may hold, whatever length an instruction claims."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(LARGEST_PICKLE if size is None or size < 0 else min(size, LARGEST_PICKLE))


def _check_legacy(source: Source) -> None:
    """Five pickles, then the numbers: magic, version, system, the object, the order of its storages."""
    with Bounded(io.FileIO(source.path)) as file:
        scans = [scan(file) for _ in range(5)]
    found = together(scans)
    refuse_unsafe(source.path, found, source.read(0, min(source.size, MOST_JUDGED)))
    if TORCH_MAGIC not in found.machine.numbers:
        raise FileError(f"{source.path}: is a pickle, but not one that torch.save wrote.")
    refuse_broken(source.path, found)
    _check_storages(source, scans)


def _check_storages(source: Source, scans: list[Scan]) -> None:
    sizes = [size for found in scans for size in found.machine.storages]
    known = [size for size in sizes if size is not None and 0 <= size <= source.size]
    if len(known) < len(sizes):
        raise FileError(f"{source.path}: claims storages larger than its {source.size} bytes.", hint=DAMAGED)
