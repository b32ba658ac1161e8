"""JSON objects from files that nobody vouches for: no duplicate keys, bounded depth, bounded memory."""

from __future__ import annotations

import json
import re
from typing import cast

from eleven.errors import FileError

LARGEST = 100_000_000
"""The longest header, in bytes, that safetensors itself accepts (safetensors/src/tensor.rs, MAX_HEADER_SIZE)."""
LARGEST_WIDE = 25_000_000
"""The longest text that Python may have to hold in four bytes a letter."""
MOST_MARKS = 2_000_000
"""Brackets and commas outside texts: some 200,000 tensors."""
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
DAMAGED = "The file is damaged; fetch it again."


def json_object(raw: bytes, what: str) -> dict[str, object]:
    """The object that the bytes hold. FileError saying what is wrong with `what`."""
    if len(raw) > LARGEST or (len(raw) > LARGEST_WIDE and not (raw.isascii() and b"\\u" not in raw)):
        raise FileError(f"{what} of {len(raw)} bytes is too large.", hint=DAMAGED)
    if _marks(raw) > MOST_MARKS and _marks(TEXT.sub(b'""', raw)) > MOST_MARKS:
        raise FileError(f"{what} lists more than any model has.", hint=DAMAGED)
    try:
        listed: object = json.loads(raw.decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise FileError(f"{what} is nested too deeply.", hint=DAMAGED) from None
    except ValueError as error:
        raise FileError(f"{what} is not JSON: {shorten(str(error))}.", hint=DAMAGED) from None
    if not isinstance(listed, dict):
        raise FileError(f"{what} is not a JSON object.", hint=DAMAGED)
    return cast(dict[str, object], listed)


def _marks(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{") + raw.count(b",")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    listed = dict(pairs)
    if len(listed) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise FileError(f"{shorten(twice)}: stands twice.", hint=DAMAGED)
    return listed


def shorten(text: str) -> str:
    """A text fit for one line of a message, whatever a damaged file holds."""
    plain = text if len(text) <= 120 else f"{text[:100]}… ({len(text)} letters)"
    return plain if plain.isprintable() else ascii(plain)
