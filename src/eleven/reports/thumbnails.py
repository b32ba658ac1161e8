"""Small WebP pictures as base64: the more there are, the smaller, and what has no room on a page is left out."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import final

from PIL import Image

from eleven.sheets.png import open_png

LIMIT = 12_000_000
"""Base64 letters of all thumbnails of a page together."""
LADDER = ((160, 72), (128, 65), (96, 58), (72, 48))
"""Pixels of the longer side and WebP quality, from what looks best to what is smallest."""
SAMPLE = 24
"""So many pictures, evenly spread, tell how large all will be."""
THREADS = 4
"""Decoding and encoding leave Python's lock."""

Size = tuple[int, int]


@final
class Thumbnails:
    """The thumbnails of many pictures, the first of them first where there is no room for all."""

    def __init__(self, files: Sequence[Path], *, limit: int = LIMIT) -> None:
        """FileError where a picture is missing or cannot be read."""
        self.size = fitting(files, limit)
        self._encoded: dict[Path, str] = {}
        left = limit
        for path, encoded in _all(files, self.size):
            left -= len(encoded)
            if left < 0:
                break
            self._encoded[path] = encoded

    def of(self, path: Path) -> str:
        """The base64 of a picture's thumbnail; empty where there was no room."""
        return self._encoded.get(path, "")


def fitting(files: Sequence[Path], limit: int) -> Size:
    """The best step of the ladder with which all pictures stay below a limit, judged by a sample; else the smallest."""
    sample = files[:: max(1, len(files) // SAMPLE)]
    for size in LADDER[:-1]:
        letters = sum(len(thumbnail(path, size)) for path in sample)
        if letters * len(files) <= 0.95 * limit * len(sample):
            return size
    return LADDER[-1]


def thumbnail(path: Path, size: Size) -> str:
    """One picture as base64 of WebP. FileError where it cannot be read."""
    longest, quality = size
    with open_png(path) as image:
        small = image.convert("RGB")
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=quality, method=4)
    return b64encode(buffer.getvalue()).decode()


def _all(files: Sequence[Path], size: Size) -> Iterator[tuple[Path, str]]:
    """Every file with its thumbnail, in order, a few hundred at a time."""
    encode = partial(thumbnail, size=size)
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(files), 256):
            some = files[start : start + 256]
            yield from zip(some, pool.map(encode, some), strict=True)
