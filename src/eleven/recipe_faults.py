"""What is wrong with a recipe's fields, in this project's words: one message for each mistake."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import NamedTuple

PHRASES = {
    "missing": "is missing",
    "too_short": "needs at least one part",
    "tuple_type": "is no list of parts",
    "model_type": "is no table of fields",
    "mapping_type": "is no table of fields",
    "literal_error": "is no version that this Eleven reads (it reads 1)",
    "finite_number": "is no finite number",
    "less_than_equal": "is above 100",
    "greater_than_equal": "is below -100",
    "string_type": "is no text",
}


class Fault(NamedTuple):
    """Where a field stands, and pydantic's name and sentence for what is wrong with it."""

    place: tuple[int | str, ...]
    kind: str
    message: str


def phrases(faults: Sequence[Fault], fields: Collection[str]) -> list[str]:
    """One phrase for each mistake, each with its place; `fields` are what a misspelled name could have meant."""
    meant = {fault.place: _meant(fault, fields) for fault in faults if fault.kind == "extra_forbidden"}
    respelled = {(*place[:-1], name) for place, name in meant.items()}
    told: dict[str, None] = {}
    for fault in faults:
        inside = any(len(other.place) > 1 and other.place[0] == "parts" for other in faults)
        followed = (fault.kind == "missing" and fault.place in respelled) or (fault.kind == "too_short" and inside)
        if not followed:
            told[f"{_place(fault.place)} {_phrase(fault, meant.get(fault.place, ''))}"] = None
    return list(told)


def _meant(fault: Fault, fields: Collection[str]) -> str:
    return next(iter(get_close_matches(str(fault.place[-1]), fields, 1)), "")


def _phrase(fault: Fault, meant: str) -> str:
    if fault.place[:1] == ("options",) and len(fault.place) > 1:
        return "is no text, number or truth value"
    if fault.kind == "extra_forbidden":
        return "is an unknown field" + (f" (did you mean {meant}?)" if meant else "")
    if fault.place[-1:] == ("rise",) and fault.kind in ("less_than_equal", "greater_than_equal"):
        return "is not between -1 and 1"
    if fault.place[-1:] == ("negative",) and fault.kind in ("less_than_equal", "greater_than_equal"):
        return "is not between -2 and 2"
    if fault.kind.startswith("float_"):
        return "is no number"
    if fault.kind.startswith("int_"):
        return "is no whole number"
    return PHRASES.get(fault.kind, f"is refused ({fault.message})")


def _place(place: tuple[int | str, ...]) -> str:
    """Parts are counted from 1; what follows an option's name is pydantic's, not the file's."""
    shown = place[:2] if place[:1] == ("options",) else place
    if len(shown) > 1 and shown[0] == "parts" and isinstance(shown[1], int):
        return ": ".join([f"part {shown[1] + 1}", *[".".join(map(str, shown[2:]))] * (len(shown) > 2)])
    return ".".join(map(str, shown)) or "it"
