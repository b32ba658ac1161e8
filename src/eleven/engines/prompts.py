"""A1111's prompt syntax: `(more)`, `[less]`, `(exactly:1.3)`, `\\(`, BREAK; read into pieces with a weight each.

Rules as users know them from A1111's wiki (Features, Attention/emphasis): each round bracket multiplies by 1.1, each
square one divides by it; a bracket that is never closed reaches to the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

MARKS = re.compile(r"\\[()\[\]\\]|[()\[\]]|[^()\[\]\\]+|\\")
NUMBER = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$")
BREAK = re.compile(r"\s*\bBREAK\b\s*")
MORE = 1.1
FACTORS = {"(": MORE, "[": 1 / MORE}
CLOSED = {")": "(", "]": "["}
SCHEDULED = re.compile(r"(?<!\\)\[[^\[\]]*(?::[^\[\]]*:\s*[\d.]+\s*|\|[^\[\]]*)\]")
TAG = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>")


class Piece(NamedTuple):
    """Words that are weighted alike."""

    text: str
    weight: float


@dataclass
class Growing:
    """A piece while its brackets are still open."""

    text: str
    weight: float = 1.0
    plain: bool = True


def read_prompt(prompt: str) -> tuple[tuple[Piece, ...], ...]:
    """The pieces of each section between BREAKs; always at least one section, which may hold nothing."""
    sections: list[list[Piece]] = [[]]
    for piece in weighted(prompt):
        first, *others = BREAK.split(piece.text)
        sections[-1] += [Piece(first, piece.weight)] if first else []
        sections += [[Piece(text, piece.weight)] if text else [] for text in others]
    return tuple(map(tuple, sections))


def plain_text(prompt: str) -> str:
    """The words alone, for encoders that know no weights."""
    return BREAK.sub(" ", "".join(piece.text for piece in weighted(prompt)))


def is_weighted(prompt: str) -> bool:
    """Whether any words have a weight other than 1."""
    return any(piece.weight != 1 for piece in weighted(prompt))


def weighted(prompt: str) -> list[Piece]:
    """The prompt in pieces, neighbours of one weight together."""
    found: list[Growing] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}
    for mark in MARKS.findall(prompt):
        if mark in opened:
            opened[mark].append(len(found))
        elif mark in CLOSED and opened[CLOSED[mark]]:
            close(found, opened[CLOSED[mark]].pop(), CLOSED[mark])
        else:
            escaped = len(mark) == 2 and mark[0] == "\\" and mark[1] in "()[]\\"
            found.append(Growing(mark[1:] if escaped else mark, plain=not escaped))
    for bracket, starts in opened.items():
        for start in starts:
            scale(found, start, FACTORS[bracket])
    return joined(found)


def close(found: list[Growing], start: int, bracket: str) -> None:
    """Weights what stands in a bracket: by the number at its end, or by the bracket's own factor."""
    told = NUMBER.search(found[-1].text) if bracket == "(" and len(found) > start and found[-1].plain else None
    if told is None:
        scale(found, start, FACTORS[bracket])
    else:
        found[-1].text = found[-1].text[: told.start()]
        scale(found, start, float(told.group(1)))


def scale(found: list[Growing], start: int, factor: float) -> None:
    """Multiplies the weights of all pieces from one on."""
    for piece in found[start:]:
        piece.weight *= factor


def joined(found: list[Growing]) -> list[Piece]:
    """Neighbours of one weight as one piece, empty ones left out."""
    out: list[Piece] = []
    for piece in (piece for piece in found if piece.text):
        if out and out[-1].weight == piece.weight:
            out[-1] = Piece(out[-1].text + piece.text, piece.weight)
        else:
            out.append(Piece(piece.text, piece.weight))
    return out


def unread(prompt: str) -> list[str]:
    """Parts of a prompt that A1111 would act on and that are taken as plain words here."""
    scheduled = [
        f"{found} is read as plain words: prompts do not change between steps" for found in SCHEDULED.findall(prompt)
    ]
    tags = [f"{found} is read as plain words: name models in the mix" for found in TAG.findall(prompt)]
    return scheduled + tags
