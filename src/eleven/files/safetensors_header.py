"""The header of a safetensors file, parsed with every claim checked before any memory is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import cast

from eleven.errors import FileError
from eleven.files.container import Entry
from eleven.files.dtypes import BITS
from eleven.files.source import Source

LARGEST = 100_000_000
"""The longest header, in bytes, that safetensors itself accepts (safetensors/src/tensor.rs, MAX_HEADER_SIZE)."""
LARGEST_WIDE = 25_000_000
"""The longest header whose text Python would hold in four bytes a letter."""
MOST_MARKS = 2_000_000
"""Brackets and commas outside texts: some 200,000 tensors."""
MOST_DIMENSIONS = 64
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
DAMAGED = "The file is damaged; fetch it again."


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
    listed = _listing(source.read(8, length))
    metadata = _metadata(listed.pop("__metadata__", None))
    found = {key: _entry(key, value) for key, value in listed.items()}
    order = sorted(found, key=lambda key: found[key][1])
    _check_cover([(key, found[key][1]) for key in order], source.size - 8 - length)
    spans = {key: (8 + length + found[key][1][0], 8 + length + found[key][1][1]) for key in order}
    return Header({key: found[key][0] for key in order}, spans, metadata, 8 + length)


def _listing(raw: bytes) -> dict[str, object]:
    """The header's object, with duplicate keys, depth and sheer number of parts bounded."""
    if len(raw) > LARGEST_WIDE and not (raw.isascii() and b"\\u" not in raw):
        raise FileError(f"a header of {len(raw)} bytes is too large.", hint=DAMAGED)
    if _marks(raw) > MOST_MARKS and _marks(TEXT.sub(b'""', raw)) > MOST_MARKS:
        raise FileError("the header lists more tensors than any model has.", hint=DAMAGED)
    try:
        listed: object = json.loads(raw.decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise FileError("the header is nested too deeply.", hint=DAMAGED) from None
    except ValueError as error:
        raise FileError(f"the header is not JSON: {error}.", hint=DAMAGED) from None
    if not isinstance(listed, dict):
        raise FileError("the header is not a JSON object.", hint=DAMAGED)
    return cast(dict[str, object], listed)


def _marks(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{") + raw.count(b",")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    listed = dict(pairs)
    if len(listed) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise FileError(f"{shorten(twice)}: stands twice in the header.", hint=DAMAGED)
    return listed


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


def shorten(text: str) -> str:
    """A text fit for one line of a message, whatever a damaged file holds."""
    plain = text if len(text) <= 120 else f"{text[:100]}… ({len(text)} letters)"
    return plain if plain.isprintable() else ascii(plain)
