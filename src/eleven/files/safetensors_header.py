"""The header of a safetensors file, parsed with every claim checked before any memory is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import cast

from eleven.errors import FileError
from eleven.files.container import Entry
from eleven.files.dtypes import BITS
from eleven.files.source import Source
from eleven.files.strict_json import DAMAGED, LARGEST, json_object, shorten

MOST_DIMENSIONS = 64


@dataclass(frozen=True, slots=True)
class Header:
    """Entries in the order of their data, where each begins and ends in the file, and the metadata."""

    entries: dict[str, Entry]
    spans: dict[str, tuple[int, int]]
    metadata: dict[str, str]
    data_start: int


def read_header(source: Source) -> Header:
    """The header of an open file. FileError naming the file, the key and the reason."""
    try:
        return _read(source)
    except FileError as error:
        raise (error if str(source.path) in error.cause else error.at(source.path)) from None


def _read(source: Source) -> Header:
    if source.size < 8:
        raise FileError(f"{source.size} bytes cannot hold a safetensors header.", hint=DAMAGED)
    length = int.from_bytes(source.read(0, 8), "little")
    if not 2 <= length <= min(LARGEST, source.size - 8):
        raise FileError(f"claims a header of {length} bytes in a file of {source.size}.", hint=DAMAGED)
    listed = json_object(source.read(8, length), "the header")
    metadata = _metadata(listed.pop("__metadata__", None))
    found = {key: _entry(key, value) for key, value in listed.items()}
    order = sorted(found, key=lambda key: found[key][1])
    _check_cover([(key, found[key][1]) for key in order], source.size - 8 - length)
    spans = {key: (8 + length + found[key][1][0], 8 + length + found[key][1][1]) for key in order}
    return Header({key: found[key][0] for key in order}, spans, metadata, 8 + length)


def _metadata(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FileError("__metadata__ is not an object.", hint=DAMAGED)
    for key, text in cast(dict[str, object], value).items():
        if not isinstance(text, str):
            raise FileError(f"__metadata__ {shorten(key)}: is not text.", hint=DAMAGED)
        _check_text(key + text, key)
    return cast(dict[str, str], value)


def _entry(key: str, value: object) -> tuple[Entry, tuple[int, int]]:
    _check_text(key, key)
    if not isinstance(value, dict):
        raise FileError(f"{shorten(key)}: is not described by an object.", hint=DAMAGED)
    told = cast(dict[str, object], value)
    dtype, shape, offsets = told.get("dtype"), _counts(told.get("shape")), _counts(told.get("data_offsets"))
    if not isinstance(dtype, str) or dtype not in BITS:
        raise FileError(f"{shorten(key)}: has the unknown type {shorten(str(dtype))}.", hint=DAMAGED)
    if shape is None or len(shape) > MOST_DIMENSIONS:
        raise FileError(f"{shorten(key)}: the shape {shorten(str(told.get('shape')))} is no shape.", hint=DAMAGED)
    if offsets is None or len(offsets) != 2:
        raise FileError(f"{shorten(key)}: the place of its data is no pair of positions.", hint=DAMAGED)
    if prod(shape) * BITS[dtype] != (offsets[1] - offsets[0]) * 8:
        size = offsets[1] - offsets[0]
        raise FileError(f"{shorten(key)}: {size} bytes cannot hold {dtype} {shorten(str(list(shape)))}.", hint=DAMAGED)
    return Entry(dtype, shape), (offsets[0], offsets[1])


def _counts(value: object) -> tuple[int, ...] | None:
    """A list of whole numbers that fit into 64 bits, or None."""
    if not isinstance(value, list):
        return None
    numbers = tuple(number for number in cast(list[object], value) if type(number) is int and 0 <= number < 1 << 63)
    return numbers if len(numbers) == len(cast(list[object], value)) else None


def _check_cover(spans: Sequence[tuple[str, tuple[int, int]]], size: int) -> None:
    """The data lies end to end from the first byte to the last."""
    ends = [("", (0, 0)), *spans]
    for (_, before), (key, span) in pairwise(ends):
        if span[0] != before[1]:
            fault = "overlaps the tensor before it" if span[0] < before[1] else "leaves a hole before it"
            raise FileError(f"{shorten(key)}: its data {fault} (byte {span[0]}, not {before[1]}).", hint=DAMAGED)
    if ends[-1][1][1] != size:
        raise FileError(f"holds {size} bytes of data where the header tells of {ends[-1][1][1]}.", hint=DAMAGED)


def _check_text(text: str, key: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FileError(f"{shorten(key)}: holds half a character.", hint=DAMAGED) from None
