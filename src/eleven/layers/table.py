"""Reads the tables of layers in tables/, which tools/list_layers.py writes; nothing is edited there by hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from eleven.layers.layer import Ranges
from eleven.tensors import Shape

TABLES = Path(__file__).parent / "tables"


class Row(NamedTuple):
    """One parameter in diffusers' spelling, and the rows of the original tensor that hold it (None for all)."""

    name: str
    shape: Shape
    block: str
    original: str
    ranges: Ranges | None
    transposed: bool


@cache
def rows(table: str) -> tuple[Row, ...]:
    """Every parameter of a component, numbered blocks written out."""
    text = (TABLES / f"{table}.tsv").read_text(encoding="utf-8")
    return tuple(row for line in text.splitlines()[1:] for row in expand(line))


def heads(table: str) -> tuple[str, ...]:
    """The first words of every name in a table, both spellings, read without writing its blocks out."""
    lines = (TABLES / f"{table}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    columns = (column for line in lines for column in line.split("\t")[:4:3])
    return tuple({column.partition(".")[0] for column in columns if column})


def expand(line: str) -> Iterator[Row]:
    """The rows of one line: `blocks.{0:3}.proj` stands for three, with `{}` for the number in the other columns."""
    name, shape, block, original, spans = (*line.split("\t"), "", "", "", "")[:5]
    size = tuple(map(int, shape.split("x"))) if shape else ()
    ranges = parse_ranges(spans) if spans not in ("", "T") else None
    before, brace, after = name.partition("{")
    if not brace:
        yield Row(name, size, block, original or name, ranges, spans == "T")
        return
    numbers, _, after = after.partition("}")
    start, _, stop = numbers.partition(":")
    for number in range(int(start), int(stop)):
        full = f"{before}{number}{after}"
        yield Row(full, size, block.format(number), original.format(number) or full, ranges, spans == "T")


def parse_ranges(text: str) -> Ranges:
    """Row ranges such as `3072:6144,0:3072`."""
    pairs = (span.split(":") for span in text.split(","))
    return tuple((int(start), int(stop)) for start, stop in pairs)
