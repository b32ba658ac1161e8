"""The text under which A1111 knows a picture ("infotext"), written and read; what the words mean is not its business.

Grammar: A1111 modules/infotext_utils.py, `parse_generation_parameters` and `quote`: lines of the prompt, lines from
`Negative prompt:` on, and a last line of `Key: value` pairs, of which at least three make it one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, final

from eleven.engines.engine import Shot
from eleven.engines.samplers import SCHEDULES
from eleven.errors import FileError
from eleven.mix_text import TAG, Tag, read_tags, spell

Number = TypeVar("Number", int, float)

PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
NEGATIVE = "Negative prompt:"
FEWEST = 3
SIZE = re.compile(r"(\d+)x(\d+)")
JOINED = tuple(row.name for row in SCHEDULES)
"""Schedules that older versions wrote behind the sampler's name, as in "DPM++ 2M Karras"."""


@final
@dataclass(frozen=True)
class Infotext:
    """A prompt without its `<lora:…>` tags, the tags, and the parameters by A1111's names, in order."""

    prompt: str
    negative: str = ""
    tags: tuple[Tag, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        """The text for the PNG key `parameters`; it reads back the same where the prompts are `settled`."""
        words = " ".join([settled(self.prompt), *map(str, self.tags)]).strip()
        negative = settled(self.negative)
        told = ", ".join(f"{key}: {quoted(value)}" for key, value in self.parameters.items() if value)
        return "\n".join([words, *([f"{NEGATIVE} {negative}"] if negative else []), told])


def settled(prompt: str) -> str:
    """The prompt as the grammar can hold it: no space around lines, none of which starts like the negative prompt.

    Text encoders see no difference: CLIP's tokenizer joins white space and ignores case.
    """
    lines = (line.strip() for line in prompt.split("\n"))
    kept = (line.replace(NEGATIVE, NEGATIVE.lower(), 1) if line.startswith(NEGATIVE) else line for line in lines)
    return "\n".join(kept).strip()


def quoted(value: str) -> str:
    """The value as it stands, or as a JSON string where the grammar would cut it."""
    plain = value == value.strip() and not value.startswith('"') and not set(value) & set(",:\n")
    return value if plain else json.dumps(value, ensure_ascii=False)


def read_infotext(text: str) -> Infotext:
    """The parts of an infotext; a last line with fewer than three pairs belongs to the prompt.

    UsageError for tags that cannot be mixed.
    """
    *lines, last = text.strip().split("\n")
    pairs = PAIR.findall(last)
    if len(pairs) < FEWEST:
        lines, pairs = [*lines, last], []
    lines = [line.strip() for line in lines]
    start = next((at for at, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines))
    negative = [line.removeprefix(NEGATIVE).strip() for line in lines[start:]]
    words = "\n".join(lines[:start])
    return Infotext(
        prompt=settled(TAG.sub("", words)),
        negative="\n".join(negative).strip(),
        tags=tuple(read_tags(words)),
        parameters={key: _unquoted(value) for key, value in pairs},
    )


def shot_of(text: Infotext) -> Shot:
    """The shot behind an infotext; what it does not tell is a shot's default. FileError for a value that is none."""
    told = text.parameters
    shot = Shot(text.prompt, 0, negative=text.negative, schedule=told.get("Schedule type", ""))
    sampler = told.get("Sampler", "")
    joined = next((name for name in JOINED if sampler.endswith(f" {name}")), "")
    size = SIZE.fullmatch(told.get("Size", "0x0"))
    if size is None:
        raise FileError(f"the infotext tells of Size {told['Size']!r}.", hint="It is WIDTHxHEIGHT.")
    return replace(
        shot,
        sampler=sampler.removesuffix(f" {joined}"),
        schedule=shot.schedule or joined,
        seed=_number(told, "Seed", shot.seed, int),
        steps=_number(told, "Steps", shot.steps, int),
        guidance=_number(told, "CFG scale", shot.guidance, float),
        clip_skip=_number(told, "Clip skip", shot.clip_skip, int),
        width=int(size[1]),
        height=int(size[2]),
    )


def parameters_of(shot: Shot, width: int, height: int) -> dict[str, str]:
    """A shot as A1111's pairs, for a picture of this size; noise made on the CPU is said to be (`RNG: CPU`)."""
    found = {"Steps": str(shot.steps), "Sampler": shot.sampler, "Schedule type": shot.schedule}
    found |= {"CFG scale": spell(float(shot.guidance)), "Seed": str(shot.seed), "Size": f"{width}x{height}"}
    found |= {"Clip skip": str(shot.clip_skip)} if shot.clip_skip > 1 else {}
    return {key: value for key, value in (found | {"RNG": "CPU"}).items() if value}


def hashes_of(text: Infotext, key: str = "Lora hashes") -> dict[str, str]:
    """The short hashes by name under `Lora hashes` or `TI hashes`."""
    pairs = (one.partition(": ") for one in text.parameters.get(key, "").split(", ") if one)
    return {name: digest for name, _, digest in pairs}


def _unquoted(value: str) -> str:
    if len(value) < 2 or not (value.startswith('"') and value.endswith('"')):
        return value
    try:
        read = json.loads(value)
    except json.JSONDecodeError:
        return value
    return read if isinstance(read, str) else value


def _number(told: Mapping[str, str], key: str, default: Number, read: Callable[[str], Number]) -> Number:
    try:
        return read(told[key]) if key in told else default
    except ValueError as error:
        raise FileError(f"the infotext tells of {key} {told[key]!r}.", hint="It is a number.") from error
