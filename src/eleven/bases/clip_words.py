"""CLIP's tokenizer from the file that OpenAI publishes (tokenizer/README.md), as checkpoints bring none."""

from __future__ import annotations

import gzip
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

MERGES = Path(__file__).parent / "tokenizer" / "bpe_simple_vocab_16e6.txt.gz"
COUNT = 48_894
SHOWN = (*range(33, 127), *range(161, 173), *range(174, 256))
"""Bytes that stand for themselves; the others are written as the letters from 256 on."""

START, END = "<|startoftext|>", "<|endoftext|>"


@cache
def merges() -> tuple[tuple[str, str], ...]:
    """Pairs of word pieces in the order in which they are joined (openai/CLIP clip/simple_tokenizer.py)."""
    with gzip.open(MERGES, "rt", encoding="utf-8") as lines:
        pairs = (line.split() for line in islice(lines, 1, 1 + COUNT))
        return tuple((first, second) for first, second in pairs)


@cache
def vocabulary() -> dict[str, int]:
    """Every token and its number: bytes, bytes that end a word, what the merges make, start and end."""
    letters = [chr(code) for code in chain(SHOWN, range(256, 256 + 256 - len(SHOWN)))]
    joined = (first + second for first, second in merges())
    tokens = chain(letters, (f"{letter}</w>" for letter in letters), joined, (START, END))
    return {token: number for number, token in enumerate(tokens)}


def clip_tokenizer(*, length: int, padding: str) -> CLIPTokenizer:
    """A new tokenizer of at most `length` tokens, filled up with the token `padding`."""
    from transformers import CLIPTokenizer

    pairs = cast("list[str]", list(merges()))  # its annotation is narrower than what it takes
    return CLIPTokenizer(vocab=dict(vocabulary()), merges=pairs, pad_token=padding, model_max_length=length)
