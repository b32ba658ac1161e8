"""`Mix`: which fine-tunes at which strengths, as pure data with a digest; it never opens a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from statistics import median
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from eleven.effects import KEY, effects_from_data
from eleven.errors import UsageError
from eleven.recipe_faults import Fault, phrases

SCHEMA = 1
TEXT_ENCODERS = {"text_encoder": "te1", "text_encoder_2": "te2", "text_encoder_3": "te3"}
PRESETS = {1: 1.0, 2: 0.7}

OUTSIDE_STEPS = {"te", "TE", "TE2", "TE3", "vae", "VAE", *TEXT_ENCODERS, *TEXT_ENCODERS.values()}
"""Addresses that take no part in the steps of the denoiser."""

Strength = Annotated[float, Field(allow_inf_nan=False, ge=-100, le=100)]
Rise = Annotated[float, Field(allow_inf_nan=False, ge=-1, le=1)]
HIGHEST_SHARE = 2
Share = Annotated[float, Field(allow_inf_nan=False, ge=-HIGHEST_SHARE, le=HIGHEST_SHARE)]
PLAIN = {"rise": 0.0, "negative": 1.0}
"""Fields of a part that are not written where they are so: recipes and digests know nothing of them then."""
Value = TypeVar("Value")


class Table(Mapping[str, Value], Generic[Value]):
    """A mapping that cannot be changed, sorted by key."""

    def __init__(self, content: Mapping[str, Value] | None = None) -> None:
        self._content = dict(sorted((content or {}).items()))

    def __getitem__(self, key: str) -> Value:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __repr__(self) -> str:
        return repr(self._content)


Strengths = Annotated[Mapping[str, Strength], AfterValidator(Table[float]), PlainSerializer(dict[str, float])]
Option = str | int | float | bool
Options = Annotated[Mapping[str, Option], AfterValidator(Table[Option]), PlainSerializer(dict[str, Option])]


class Part(BaseModel):
    """One fine-tune in a mix: its file (a hint), the file's SHA-256 (its identity) and its strengths.

    `strength` holds everywhere except at the addresses in `at`: a block (IN04, MID, D07 …), `te1` … `te3` for one text
    encoder, `te` for all of them, `unet` for the denoiser of any family; the narrowest wins.
    With a `rise`, from -1 to 1, the denoiser's strengths grow over the steps and keep their mean: at a share t of the
    steps they are multiplied with 1 + rise·(2t - 1). `negative` is the share of the denoiser's strengths that holds
    where guidance predicts for the negative prompt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str = ""
    strength: Strength = 1.0
    at: Strengths = Field(default_factory=Table[float])
    rise: Rise = 0.0
    negative: Share = 1.0

    @model_serializer(mode="wrap")
    def _plain(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is plain."""
        content: dict[str, Any] = whole(self)
        return {key: value for key, value in content.items() if key not in PLAIN or value != PLAIN[key]}

    @property
    def is_active(self) -> bool:
        """Whether there is a strength other than 0 anywhere."""
        return any(strength != 0 for strength in (self.strength, *self.at.values()))

    @property
    def live(self) -> tuple[str, ...]:
        """The fields that are not plain: only an engine can follow them, no file can hold them."""
        return tuple(name for name, plain in PLAIN.items() if getattr(self, name) != plain)

    def strength_at(self, component: str, block: str) -> float:
        """The strength at a layer of this component and block."""
        encoder = TEXT_ENCODERS.get(component)
        addresses = (block, encoder, "te") if encoder else (block, component, "unet")
        return next((self.at[name] for name in addresses if name in self.at), self.strength)

    def at_share(self, share: float) -> Part:
        """The part as it is at a share of the steps, from 0 to 1: without a rise, its text encoders as they were."""
        return self._denoising(1 + self.rise * (2 * share - 1), "rise") if self.rise else self

    @property
    def for_negative(self) -> Part:
        """The part as it is where the negative prompt's prediction is made."""
        return self._denoising(self.negative, "negative") if self.negative != 1 else self

    def _denoising(self, factor: float, field: str) -> Part:
        """The denoiser's strengths times a factor, which the field then no longer tells."""
        plain = {"te": self.strength, "vae": self.at.get("unet", self.strength)}
        at = {name: value if name in OUTSIDE_STEPS else value * factor for name, value in self.at.items()}
        changed = {"strength": self.strength * factor, "at": Table(plain | at), field: PLAIN[field]}
        return self.model_copy(update=changed)


class Mix(BaseModel):
    """Parts, the method that combines them, and the seed of methods that draw; equal digests mean equal results."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[Part, ...] = Field(min_length=1)
    method: str = "sum"
    options: Options = Field(default_factory=Table[Option])
    seed: int = 0
    schema_version: Literal[1] = SCHEMA

    @property
    def rises(self) -> bool:
        """Whether any strength depends on the step."""
        return any(part.rise for part in self.parts)

    @property
    def is_live(self) -> bool:
        """Whether only an engine can follow it, since no file can hold it."""
        return any(part.live for part in self.parts)

    @property
    def differs_for_negative(self) -> bool:
        """Whether the negative prompt's prediction is made with other strengths."""
        return any(part.negative != 1 for part in self.parts)

    def guided(self, share: float) -> Mix:
        """The mix with this share of every part's strengths for the negative prompt."""
        return self.model_copy(
            update={"parts": tuple(one.model_copy(update={"negative": share}) for one in self.parts)}
        )

    @property
    def filed(self) -> tuple[Mix, float] | None:
        """The mix that a file can hold, and the share of that file's strength for the negative prompt.

        None where no file can: with strengths that rise, or parts that have other shares than the rest.
        """
        shares = {part.negative for part in self.parts}
        if self.rises or len(shares) > 1:
            return None
        return self.guided(1.0), shares.pop()

    @property
    def digest(self) -> str:
        """SHA-256 over the content: parts in any order, files by hash; by name only where the hash is not known."""
        content = _unsigned_zeros(self.model_dump(mode="json"))
        for part in content["parts"]:
            if part["sha256"]:
                del part["file"]
        content["parts"] = sorted(json.dumps(part, sort_keys=True) for part in content["parts"])
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The mix as JSON that `from_json` reads back as an equal mix."""
        return json.dumps(self.model_dump(mode="json"), indent=2)

    def to_toml(self) -> str:
        """The mix as TOML that `from_toml` reads back as an equal mix."""
        content = self.model_dump(mode="json")
        tables = [("", {key: value for key, value in content.items() if key not in ("parts", "options")})]
        tables += [("[options]", content["options"])] if content["options"] else []
        for part in content["parts"]:
            at = part.pop("at")
            tables += [("[[parts]]", part)] + ([("[parts.at]", at)] if at else [])
        return "\n\n".join(_table(head, body) for head, body in tables) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Mix:
        """The mix in a JSON text. UsageError where it is not one."""
        try:
            return cls.from_data(json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            raise UsageError(f"the recipe is not JSON: {error}.") from error

    @classmethod
    def from_toml(cls, text: str) -> Mix:
        """The mix in a TOML text. UsageError where it is not one."""
        import tomllib

        try:
            return cls.from_data(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"the recipe is not TOML: {error}.") from error

    @classmethod
    def from_data(cls, data: object) -> Mix:
        """The mix in parsed data; effects beside it are checked and left out. UsageError naming what does not fit."""
        if isinstance(data, dict) and KEY in data:
            effects_from_data(data[KEY])
            data = {key: value for key, value in cast("dict[str, object]", data).items() if key != KEY}
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            faults = [Fault(item["loc"], item["type"], item["msg"]) for item in error.errors()]
            told = "; ".join(phrases(faults, {*cls.model_fields, *Part.model_fields}))
            raise UsageError(f"the recipe does not fit: {told}.", hint="See docs/reference/recipe.md.") from error


def preset(count: int, norms: Sequence[float] = ()) -> tuple[float, ...]:
    """Strengths to start from: 1; 0.7 + 0.7; min(1/√N, 1.45/N) for N; times median norm / norm where norms are given.

    The signal grows with the sum of strengths and the noise with its root; past a total of 1.45 likeness collapses.
    """
    strength = PRESETS.get(count) or min(count**-0.5, 1.45 / count)
    middle = median(norms) if norms else 1.0
    scales = [middle / norm if norm > 0 else 1.0 for norm in norms] if norms else [1.0] * count
    return tuple(round(strength * scale, 4) for scale in scales)


def _table(head: str, body: Mapping[str, object]) -> str:
    rows = [f"{_key(key)} = {_value(value)}" for key, value in body.items() if value != ""]
    return "\n".join([head, *rows] if head else rows)


def _value(value: object) -> str:
    """TOML takes no bare DEL and no surrogate pairs, where JSON does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _unsigned_zeros(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON with 0.0 for -0.0, which is equal to it but spelled otherwise."""
    if isinstance(value, dict):
        return {key: _unsigned_zeros(entry) for key, entry in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_unsigned_zeros(entry) for entry in cast("list[Any]", value)]
    return value + 0.0 if isinstance(value, float) else value
