"""Text on sheets: a font that can draw it, and lines that fit a width."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import ceil

from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from eleven.errors import MissingPackage

ELLIPSIS = "…"
OTHERS = (
    *("NotoSansCJK-Regular.ttc", "msyh.ttc", "Hiragino Sans GB.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf"),
    *("arial.ttf", "Arial.ttf", "Helvetica.ttc", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf"),
)
"""Fonts of Linux, Windows and macOS, for text that Pillow's own has no letters for."""


def font_for(text: str, size: int) -> FreeTypeFont:
    """Pillow's own font at this size, or one of the system's where it lacks letters of the text."""
    own = _own(size)
    if all(_draws(own, char) for char in set(text)):
        return own
    return _of_the_system(size) or own


def width_of(text: str, size: int) -> int:
    """The width of one line in pixels."""
    return ceil(font_for(text, size).getlength(text))


def line_height(size: int) -> int:
    """The distance from line to line."""
    return round(size * 1.35)


def wrapped(text: str, size: int, width: int, lines: int) -> list[str]:
    """The text in lines that fit the width: broken at spaces, words too long anywhere; "…" ends what has no room."""
    found = list(_lines(text, size, width))
    if len(found) <= lines:
        return found
    last = found[lines - 1]
    while last and width_of(last + ELLIPSIS, size) > width:
        last = last[:-1]
    return [*found[: lines - 1], last.rstrip() + ELLIPSIS]


def _lines(text: str, size: int, width: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if width_of(longer, size) <= width:
            line = longer
            continue
        if line:
            yield line
        *whole, line = _pieces(word, size, width)
        yield from whole
    if line:
        yield line


def _pieces(word: str, size: int, width: int) -> Iterator[str]:
    """A word cut where it gets too wide; whole where it fits."""
    piece = ""
    for char in word:
        if piece and width_of(piece + char, size) > width:
            yield piece
            piece = ""
        piece += char
    yield piece


@cache
def _own(size: int) -> FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, FreeTypeFont):
        raise MissingPackage("this Pillow was built without FreeType.", hint="pip install --force-reinstall pillow")
    return font


@cache
def _of_the_system(size: int) -> FreeTypeFont | None:
    for name in OTHERS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


@cache
def _draws(font: FreeTypeFont, char: str) -> bool:
    """Whether the font has this letter: what it has none for, all look alike."""
    return char.isspace() or _shape(font, char) != _shape(font, "\uffff")


def _shape(font: FreeTypeFont, char: str) -> bytes:
    image = Image.new("L", (ceil(2 * font.size), ceil(2 * font.size)))
    ImageDraw.Draw(image).text((0, 0), char, fill=255, font=font)
    return image.tobytes()
