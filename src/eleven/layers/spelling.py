"""The module names of a component in each layout, without any prefix, and the places that each name stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from math import prod
from typing import Literal, NamedTuple

from eleven.layers.family import Component
from eleven.layers.layer import Place
from eleven.layers.table import Row

Spelling = Literal["diffusers", "original", "rootless", "processors", "xlabs", "split"]
Matrix = tuple[int | None, int | None]
Given = Matrix | int
"""What a file tells of a shape: (out, in·kh·kw), None where it does not tell; or one size, of rows or of channels."""


class Spelled(NamedTuple):
    """A module as a file may name it: the shape of its change, and where that lands."""

    name: str
    matrix: Matrix
    places: tuple[Place, ...]
    channels: int | None = None

    def fits(self, given: Given) -> bool:
        """Whether the module can have such a shape, as far as both are known."""
        if isinstance(given, int):
            return None in self.matrix or given in (self.matrix[0], self.channels)
        return all(size in (None, other) or other is None for size, other in zip(given, self.matrix, strict=True))


class Tail(NamedTuple):
    """An end of a name that a layout writes differently, for some of the parts of a fused module."""

    end: str
    spelled: str
    first: int = 0
    last: int = 1


PROCESSORS = (
    *(Tail(f".to_{part}", f".processor.to_{part}_lora") for part in "qkv"),
    Tail(".to_out.0", ".processor.to_out_lora"),
    *(Tail(f".self_attn.{part}_proj", f".self_attn.to_{part}_lora") for part in "qkv"),
    Tail(".self_attn.out_proj", ".self_attn.to_out_lora"),
)
"""diffusers ≤ 0.21: attention processors that hold the LoRA (diffusers loaders, LoraLoaderMixin)."""

XLABS = (
    *(Tail(f".{side}_attn.qkv", f".processor.qkv_lora{number}", 0, 3) for number, side in ((1, "img"), (2, "txt"))),
    *(Tail(f".{side}_attn.proj", f".processor.proj_lora{number}") for number, side in ((1, "img"), (2, "txt"))),
    Tail(".linear1", ".processor.qkv_lora", 0, 3),
    Tail(".linear2", ".processor.proj_lora"),
)
"""x-flux: processors over the original blocks (diffusers loaders/lora_conversion_utils.py, the xlabs converter)."""

SPLIT = tuple(Tail(end, f"{end}.{part}", part, part + 1) for end in (".qkv", ".linear1") for part in range(4))
"""OneTrainer: original names, with a number for each part of a fused module (OneTrainer modules/util/convert)."""

TAILS: Mapping[Spelling, tuple[Tail, ...]] = {"processors": PROCESSORS, "xlabs": XLABS, "split": SPLIT}


@cache
def spelled(component: Component, spelling: Spelling) -> tuple[Spelled, ...]:
    """Every module of the component that this layout can name; adapters name text encoders as transformers does."""
    if spelling == "diffusers" or (spelling == "original" and component.role == "text"):
        return tuple(one(component, row) for row in weights(component))
    if spelling == "original":
        return tuple(fused(component))
    if spelling == "rootless":
        cut = (at for at in spelled(component, "diffusers") if at.name.startswith("text_model."))
        return tuple(at._replace(name=at.name.removeprefix("text_model.")) for at in cut)
    base = spelled(component, "diffusers" if spelling == "processors" else "original")
    tailed = with_tails(base, TAILS[spelling])
    rest = base if spelling == "split" else ()
    return (*tailed, *rest)


@cache
def lookup(component: Component, spelling: Spelling, *, flat: bool) -> Mapping[str, Spelled]:
    """The same by name, with underscores for dots where `flat`."""
    return {at.name.replace(".", "_") if flat else at.name: at for at in spelled(component, spelling)}


def weights(component: Component) -> Iterator[Row]:
    """The rows that are a module's weight."""
    return (row for row in component.rows if row.name.endswith(".weight"))


def one(component: Component, row: Row) -> Spelled:
    """A module under diffusers' name."""
    name = row.name.removesuffix(".weight")
    return Spelled(name, matrix(component, row), (Place(f"{component.folder}.{name}"),), channels(row))


def matrix(component: Component, row: Row) -> Matrix:
    """The weight's shape as (out, in·kh·kw), as far as the table knows it and variants of the family agree on it."""
    if not row.shape:
        return None, None
    varies = row.name.removesuffix(".weight") in component.inputs
    return row.shape[0], None if varies else prod(row.shape[1:])


def channels(row: Row) -> int | None:
    """How many channels a layer takes; None of a norm, or where the table tells nothing."""
    return row.shape[1] if len(row.shape) > 1 else None


def fused(component: Component) -> Iterator[Spelled]:
    """Modules under their original names; one that is fused has a place for each of its parts."""
    grouped: dict[str, list[Row]] = {}
    for row in weights(component):
        grouped.setdefault(row.original.rpartition(".")[0], []).append(row)
    for name, parts in grouped.items():
        parts.sort(key=lambda row: row.ranges or ())
        count, columns = matrix(component, parts[0])
        ends = [stop for row in parts for _, stop in row.ranges or ()]
        places = (Place(f"{component.folder}.{row.name.removesuffix('.weight')}", row.ranges) for row in parts)
        yield Spelled(name, (max(ends, default=count), columns), tuple(places), channels(parts[0]))


def with_tails(base: Iterable[Spelled], tails: tuple[Tail, ...]) -> Iterator[Spelled]:
    """The modules whose name has one of these ends, with the end exchanged."""
    for at in base:
        for tail in tails:
            if at.name.endswith(tail.end) and len(at.places) >= tail.last and (part := some(at, tail)):
                yield part


def some(at: Spelled, tail: Tail) -> Spelled | None:
    """Some parts of a fused module, with rows counted from the first of them; None for parts of a whole one."""
    name = at.name.removesuffix(tail.end) + tail.spelled
    places = at.places[tail.first : tail.last]
    starts = [start for place in places for start, _ in place.ranges or ()]
    if not starts:
        return None if tail.first else at._replace(name=name)
    stops = [stop for place in places for _, stop in place.ranges or ()]
    moved = tuple(Place(place.module, shift(place, min(starts), alone=len(places) == 1)) for place in places)
    return Spelled(name, (max(stops) - min(starts), at.matrix[1]), moved, at.channels)


def shift(place: Place, start: int, *, alone: bool) -> tuple[tuple[int, int], ...] | None:
    """A place's rows counted from `start`, or None where it takes them all."""
    if alone:
        return None
    return tuple((first - start, last - start) for first, last in place.ranges or ())
