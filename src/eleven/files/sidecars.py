"""Trigger words, from the files that other programs lay beside a model and from what trainers write into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from eleven.errors import FileError
from eleven.files.source import Source
from eleven.files.strict_json import json_object

ENDINGS = (".json", ".civitai.info", ".metadata.json", ".swarm.json", ".cm-info.json")
"""A1111, Civitai helpers, LoRA Manager, SwarmUI, Stability Matrix."""
FIELDS = (
    *("activation text", "trainedWords", "TrainedWords", "trigger_phrase", "modelspec.trigger_phrase"),
    *("trigger_words", "triggerWords"),
)
INSIDE = ("civitai", "metadata", "modelspec")
"""Objects inside a sidecar that hold the same fields."""
LARGEST = 20_000_000
LONGEST = 200
MOST_TAGS = 5


@dataclass(frozen=True, slots=True)
class Trigger:
    """A word or phrase for the prompt, and who says so."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Triggers:
    """What was found, the surest first, and what could not be read."""

    words: tuple[Trigger, ...]
    warnings: tuple[str, ...]


def trigger_words(path: str | Path, metadata: Mapping[str, str]) -> Triggers:
    """Words from sidecars, then from the metadata: the trigger phrase, frequent training tags, the output's name.

    Each word once, under its first source; malformed sidecars become warnings.
    """
    warnings: list[str] = []
    found = [*_from_sidecars(Path(path), warnings), *_from_metadata(metadata, warnings)]
    first: dict[str, Trigger] = {}
    for one in found:
        first.setdefault(one.text.casefold(), one)
    return Triggers(tuple(first.values()), tuple(warnings))


def _from_sidecars(path: Path, warnings: list[str]) -> Iterator[Trigger]:
    for place in (path.with_name(f"{path.stem}{ending}") for ending in ENDINGS):
        if place == path or not place.is_file():
            continue
        try:
            fields = _read(place)
        except FileError as error:
            warnings.append(str(error))
            continue
        for part in (fields, *(inner for name in INSIDE if isinstance(inner := fields.get(name), dict))):
            yield from _from_fields(cast(Mapping[str, object], part), place.name)


def _read(place: Path) -> dict[str, object]:
    source = Source(place)
    try:
        if source.size > LARGEST:
            raise FileError(f"{place}: {source.size} bytes are too many for a sidecar.")
        return json_object(source.read(0, source.size).removeprefix(b"\xef\xbb\xbf"), "the sidecar")
    except FileError as error:
        raise (error if str(place) in error.cause else error.at(place)) from None
    finally:
        source.close()


def _from_fields(fields: Mapping[str, object], source: str) -> Iterator[Trigger]:
    for name in FIELDS:
        value = fields.get(name)
        texts = cast(list[object], value) if isinstance(value, list) else [value]
        for text in texts:
            yield from _phrases(text, source)


def _phrases(text: object, source: str) -> Iterator[Trigger]:
    """The parts between commas, without those too long to be words."""
    if isinstance(text, str):
        for part in (" ".join(one.split()) for one in text.split(",")):
            if part and len(part) <= LONGEST and part.isprintable():
                yield Trigger(part, source)


def _from_metadata(metadata: Mapping[str, str], warnings: list[str]) -> Iterator[Trigger]:
    for name in ("modelspec.trigger_phrase", "trigger_phrase", "trigger_word"):
        yield from _phrases(metadata.get(name), name)
    try:
        tags = _tags(metadata.get("ss_tag_frequency", "{}"))
    except FileError as error:
        warnings.append(str(error))
        tags = []
    for tag in tags:
        yield from _phrases(tag, "ss_tag_frequency")
    yield from _phrases(metadata.get("ss_output_name"), "ss_output_name")


def _tags(text: str) -> list[str]:
    """The tags that at least half as many training captions hold as the most frequent one, five at most."""
    counts: Counter[str] = Counter()
    for tags in json_object(text.encode(errors="replace"), "ss_tag_frequency").values():
        for tag, count in cast(dict[str, object], tags).items() if isinstance(tags, dict) else ():
            counts[tag.strip()] += count if isinstance(count, int) else 0
    top = counts.most_common(MOST_TAGS)
    return [tag for tag, count in top if count > 0 and 2 * count >= top[0][1]]
