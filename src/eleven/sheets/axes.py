"""Axes of a grid as people type them, `a=0..1.2/0.2` or `total=0.5,1`, and a mix at a point on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from pathlib import PurePath
from string import ascii_lowercase
from typing import final

from eleven.errors import UsageError
from eleven.mix import HIGHEST_SHARE, Mix, Part
from eleven.mix_text import spell

TOTAL, NEGATIVE = "total", "negative"
MOST = 100
"""Values on one axis."""
STRONGEST, FINEST = 100, Decimal("1e-6")
WIDE = ("unet", "te", "te1", "te2", "te3")
"""Addresses that leave nothing for a part's one strength to decide, or little."""
GRAMMAR = (
    "Write NAME=VALUES: NAME is a part's letter (a, b … in order) or its file's name without suffix, maybe with .te,"
    " .unet or a block behind it, total, or negative; VALUES are LOW..HIGH/STEP or a list: a=0..1.2/0.2, total=1,1.4."
)


@final
@dataclass(frozen=True)
class Axis:
    """What varies along one side of a grid: a part by its place (None: all together), an address in it, and the values.

    Of all together it is the total that varies, or the share for the negative prompt.
    """

    label: str
    part: int | None
    address: str
    values: tuple[float, ...]

    def at(self, mix: Mix, value: float) -> Mix:
        """The mix with this axis at a value."""
        if self.address == NEGATIVE:
            parts = tuple(part.model_copy(update={NEGATIVE: value}) for part in mix.parts)
            return mix.model_copy(update={"parts": parts})
        if self.part is None:
            return _scaled(mix, value / total(mix))
        parts = list(mix.parts)
        part = parts[self.part]
        told = {"at": {**part.at, self.address: value}} if self.address else {"strength": value}
        parts[self.part] = Part.model_validate(part.model_dump() | told)
        return mix.model_copy(update={"parts": tuple(parts)})

    def heading(self, value: float) -> str:
        """What a row or a column at this value is called."""
        return f"{self.label} = {spell(value)}"


def letter(place: int) -> str:
    """The letter of the part at this place: a, b … z, aa, ab …"""
    rest, last = divmod(place, len(ascii_lowercase))
    return (letter(rest - 1) if rest else "") + ascii_lowercase[last]


def total(mix: Mix) -> float:
    """The sum of the strengths that the parts have in the denoiser."""
    return sum(part.at.get("unet", part.strength) for part in mix.parts)


def parse_axes(texts: Sequence[str], mix: Mix | None) -> tuple[Axis, ...]:
    """Up to two axes of this mix. UsageError for what is none, or for two that contradict each other."""
    if texts and mix is None:
        raise UsageError(f"--grid {texts[0]}: there is no part to vary.", hint="Name at least one fine-tune.")
    if len(texts) > 2:
        raise UsageError(f"--grid is given {len(texts)} times.", hint="A grid has one or two axes.")
    axes = tuple(parse_axis(text, mix) for text in texts if mix is not None)
    if len({(axis.part, axis.address) for axis in axes}) < len(axes):
        raise UsageError(f"both axes vary {axes[0].label}.", hint="Vary another part, or give one axis.")
    if len(axes) > 1 and any(axis.label == TOTAL and axis.part is None for axis in axes):
        told = "the total would change what the other axis sets."
        raise UsageError(told, hint="Give the total alone, or vary two parts.")
    return axes


def parse_axis(text: str, mix: Mix) -> Axis:
    """One axis of this mix. UsageError, with the grammar, for what is none."""
    name, equals, tail = (piece.strip() for piece in text.partition("="))
    if not (equals and name and tail):
        raise UsageError(f"--grid is {text!r}.", hint=GRAMMAR)
    values = tuple(_values(tail, text))
    if len(values) > MOST:
        raise UsageError(f"{text!r} has {len(values)} values.", hint=f"Up to {MOST} are drawn.")
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise UsageError(f"{text!r} has {spell(twice[0])} twice.", hint="Write each value once.")
    if name == TOTAL and TOTAL not in _stems(mix):
        return _total_axis(text, mix, values)
    if name == NEGATIVE and NEGATIVE not in _stems(mix):
        return _negative_axis(text, values)
    place, address = _found(name, mix)
    _refuse_hidden(mix.parts[place], address, name)
    return Axis(".".join([letter(place), *([address] if address else [])]), place, address, values)


def _total_axis(text: str, mix: Mix, values: tuple[float, ...]) -> Axis:
    if total(mix) == 0:
        raise UsageError(f"{text!r}: the strengths add up to 0, and cannot be scaled.", hint="Vary the parts instead.")
    factor = abs(max(values, key=abs) / total(mix))
    strongest = factor * max(abs(value) for part in mix.parts for value in (part.strength, *part.at.values()))
    if strongest > STRONGEST:
        raise UsageError(f"{text!r} takes a part to {strongest:.4g}.", hint=f"Strengths go up to {STRONGEST}.")
    return Axis(TOTAL, None, "", values)


def _negative_axis(text: str, values: tuple[float, ...]) -> Axis:
    if any(abs(value) > HIGHEST_SHARE for value in values):
        raise UsageError(f"{text!r} leaves the range of a share.", hint=f"Write -{HIGHEST_SHARE} to {HIGHEST_SHARE}.")
    return Axis(NEGATIVE, None, NEGATIVE, values)


def _refuse_hidden(part: Part, address: str, name: str) -> None:
    """UsageError where the part's own strengths at addresses would win over the axis."""
    hidden = [wide for wide in WIDE if wide in part.at]
    if hidden and not address:
        told = f"{part.file} has strengths of its own at {' and '.join(hidden)}, which {name} would not change."
        named = dict.fromkeys(["unet", *hidden])
        raise UsageError(told, hint=f"Vary {' or '.join(f'{name}.{wide}' for wide in named)}.")


def _found(name: str, mix: Mix) -> tuple[int, str]:
    """The place of the part that a name means, and the address behind the name."""
    head, dot, address = name.rpartition(".")
    readings = [(name, ""), *([(head, address)] if dot and head and address else [])]
    for known, rest in readings:
        places = _places(known, mix)
        if len(places) > 1:
            letters = ", ".join(map(letter, sorted(places)))
            raise UsageError(f"{known!r} can be the parts {letters}.", hint="Use a letter that is no file's name.")
        if places:
            return places.pop(), rest
    told = ", ".join(f"{letter(place)} ({stem})" for place, stem in enumerate(_stems(mix)))
    raise UsageError(f"no part is called {name!r}: there are {told}.", hint=GRAMMAR)


def _places(name: str, mix: Mix) -> set[int]:
    """The parts that have this letter or this file name."""
    return {place for place, stem in enumerate(_stems(mix)) if name in (letter(place), stem)}


def _stems(mix: Mix) -> list[str]:
    return [PurePath(part.file).stem for part in mix.parts]


def _scaled(mix: Mix, factor: float) -> Mix:
    """The mix with every strength times a factor, rounded so that no digits of the division show."""

    def scaled(value: float) -> float:
        return round(value * factor, 6)

    parts: list[Part] = []
    for part in mix.parts:
        told = {"strength": scaled(part.strength), "at": {key: scaled(value) for key, value in part.at.items()}}
        parts.append(Part.model_validate(part.model_dump() | told))
    return mix.model_copy(update={"parts": tuple(parts)})


def _values(tail: str, text: str) -> Iterator[float]:
    for piece in tail.split(","):
        low, dots, rest = piece.partition("..")
        if dots:
            high, _, step = rest.partition("/")
            yield from _range(_decimal(low, text), _decimal(high, text), _decimal(step, text), text)
        else:
            yield float(_decimal(piece, text))


def _range(low: Decimal, high: Decimal, step: Decimal, text: str) -> Iterator[float]:
    """The values from low to high, exact in decimals; high is one of them where the steps reach it."""
    if step <= 0 or high < low:
        raise UsageError(f"{text!r} goes from {low} to {high} in steps of {step}.", hint=GRAMMAR)
    if (high - low) / step >= MOST:
        raise UsageError(f"{text!r} has too many values.", hint=f"Up to {MOST} are drawn: take a larger step.")
    for count in range(int((high - low) / step) + 1):
        yield float(low + count * step)


def _decimal(word: str, text: str) -> Decimal:
    try:
        number = Decimal(word.strip())
    except DecimalException:
        number = Decimal("nan")
    if not number.is_finite() or abs(number) > STRONGEST or 0 < abs(number) < FINEST:
        told = f"{text!r}: {word.strip()!r} is not a strength between -{STRONGEST} and {STRONGEST}."
        raise UsageError(told, hint=GRAMMAR)
    return number + 0
