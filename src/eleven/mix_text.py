"""Mixes as people type them: `FILE:0.7`, `FILE:unet=0.7,te=0.4`, a recipe file, A1111's `<lora:name:0.7>`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from eleven.effects import KEY, Effect, effects_from_data
from eleven.errors import UsageError
from eleven.mix import HIGHEST_SHARE, Mix, Part

Read = TypeVar("Read")
RECIPES = {".toml": Mix.from_toml, ".json": Mix.from_json}
INDEX = ".index.json"
MODELS = (".safetensors", ".pt", ".bin", ".ckpt", ".pth")
TAG = re.compile(r"<(?:lora|lyco):([^<>]*)>")
HINT = "Write FILE, FILE:0.7, or FILE:unet=0.7,te=0.4."
RISE, NEGATIVE = "rise", "negative"


class Tag(NamedTuple):
    """A1111's `<lora:name:…>`: a model by its name, and its strengths for text encoders and denoiser."""

    name: str
    te: float
    unet: float

    def __str__(self) -> str:
        """One number, or both by name: by position SwarmUI takes the denoiser's first, A1111 the encoders'."""
        if self.te == self.unet:
            return f"<lora:{self.name}:{spell(self.unet)}>"
        return f"<lora:{self.name}:te={spell(self.te)}:unet={spell(self.unet)}>"


def parse_mix(texts: Sequence[str], *, folders: Iterable[Path] = ()) -> Mix:
    """One mix from parts: files with strengths, one recipe, or text with A1111 tags (looked up in `folders`).

    UsageError where a text is none of these or a name is not found.
    """
    if len(texts) == 1 and is_recipe(texts[0]):
        return read_recipe(Path(texts[0]))
    parts: list[Part] = []
    for text in texts:
        parts.extend(parse_tags(text, folders=folders) if TAG.search(text) else [parse_part(text)])
    recipe = next((part.file for part in parts if is_recipe(part.file)), None)
    if recipe is not None:
        raise UsageError(f"{recipe}: a recipe stands alone and takes no strength.", hint="Add parts in the recipe.")
    if not parts:
        raise UsageError("a mix needs at least one part.", hint=HINT)
    return Mix(parts=tuple(parts))


def is_recipe(file: str) -> bool:
    """Whether the name is a recipe's; the index of a sharded model is none."""
    return Path(file).suffix.lower() in RECIPES and not file.lower().endswith(INDEX)


def read_recipe(path: Path) -> Mix:
    """The mix in a .toml or .json recipe; relative files are looked up beside the recipe."""
    mix = _read(path, RECIPES[path.suffix.lower()])
    parts = [part.model_copy(update={"file": str(path.parent / part.file)}) for part in mix.parts]
    return mix.model_copy(update={"parts": tuple(parts)})


def read_effects(path: Path) -> tuple[Effect, ...]:
    """What a study measured of a recipe's models, from the recipe; none where no study wrote it."""
    parse = tomllib.loads if path.suffix.lower() == ".toml" else json.loads

    def effects(text: str) -> tuple[Effect, ...]:
        data = parse(text)
        return effects_from_data(data.get(KEY, ()) if isinstance(data, dict) else ())

    return _read(path, effects)


def _read(path: Path, parse: Callable[[str], Read]) -> Read:
    """What a recipe's text is parsed to. UsageError naming the file."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path}: cannot be read as a recipe: {reason}.", hint="Check the path.") from error
    except UsageError as error:
        raise error.at(path) from error


def parse_part(text: str) -> Part:
    """One part from FILE, FILE:STRENGTH or FILE:ADDRESS=STRENGTH,…; a Windows drive's colon belongs to the file.

    `rise` among the addresses is how much the strength grows over the steps, `negative` the share of it that holds for
    the negative prompt.

    Only the text is looked at, but for one question: a text that names an existing file as it stands is that file.
    """
    if _exists(text):
        return Part(file=text)
    head, colon, tail = text.rpartition(":")
    drive = len(head) == 1 and head.isalpha()
    if not colon or drive:
        return Part(file=_file(text, text))
    strength, at = _strengths(tail, text)
    rise = at.pop(RISE, 0.0)
    if abs(rise) > 1:
        raise UsageError(f"{text!r}: a rise of {rise:g} is not between -1 and 1.", hint="Write FILE:0.7,rise=0.5.")
    negative = at.pop(NEGATIVE, 1.0)
    if abs(negative) > HIGHEST_SHARE:
        told = f"{text!r}: a share of {negative:g} for the negative prompt is not between -2 and 2."
        raise UsageError(told, hint="Write FILE:0.7,negative=0.5.")
    return Part(file=_file(head, text), strength=strength, at=at, rise=rise, negative=negative)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def parse_tags(text: str, *, folders: Iterable[Path]) -> list[Part]:
    """The parts in A1111's prompt text: `<lora:name:te:unet>`, or `te=`, `unet=` by name; one number is both."""
    places = list(folders)
    return [_tagged(tag, places) for tag in read_tags(text)]


def read_tags(text: str) -> list[Tag]:
    """Every tag in a prompt, by position (`:te:unet`) or by name. UsageError for fields that cannot be mixed."""
    return [_tag(body.split(":")) for body in TAG.findall(text)]


def spell(strength: float) -> str:
    """A number as short as it reads back exactly."""
    return repr(float(strength)).removesuffix(".0")


def _tag(fields: list[str]) -> Tag:
    name, *rest = (field.strip() for field in fields)
    placed = [field for field in rest if "=" not in field]
    named = dict(field.split("=", 1) for field in rest if "=" in field)
    if len(placed) > 2 or set(named) - {"te", "unet"}:
        raise UsageError(f"<lora:{':'.join(fields)}> has fields that cannot be mixed.", hint="Use te= and unet= only.")
    encoder = _number(named.get("te", placed[0] if placed else "1"), name)
    denoiser = _number(named.get("unet", placed[1] if len(placed) > 1 else str(encoder)), name)
    return Tag(name, encoder, denoiser)


def _tagged(tag: Tag, folders: list[Path]) -> Part:
    at = {} if tag.te == tag.unet else {"te": tag.te}
    return Part(file=str(_find(tag.name, folders)), strength=tag.unet, at=at)


def _find(name: str, folders: list[Path]) -> Path:
    """The model file of this name, also below a folder, as A1111 looks it up."""
    for folder in folders:
        for suffix in MODELS:
            found = sorted(path for path in folder.rglob(f"*{suffix}") if path.name == name + suffix)
            if found:
                return found[0]
    told = ", ".join(map(str, folders)) or "no folder given"
    raise UsageError(f"no model named {name!r} was found in {told}.", hint="Name its folder with --models DIR.")


def _strengths(tail: str, text: str) -> tuple[float, dict[str, float]]:
    """The strength that stands first without an address, or 1, and those with one."""
    first, *rest = tail.split(",")
    strength, addressed = (1.0, [first, *rest]) if "=" in first else (_number(first, text), rest)
    at = dict[str, float]()
    for field in addressed:
        address, equals, value = field.partition("=")
        if not (equals and address.strip()):
            raise UsageError(f"{text!r}: {field!r} has no address in front of it.", hint=HINT)
        at[address.strip()] = _number(value, text)
    return strength, at


def _number(value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not abs(number) <= 100:
        raise UsageError(f"{text!r}: {value!r} is not a strength between -100 and 100.", hint=HINT)
    return number


def _file(name: str, text: str) -> str:
    if not name.strip():
        raise UsageError(f"{text!r} names no file.", hint=HINT)
    return name
