"""`Effect`: what one model was measured to add to a mix, stored beside a recipe and no part of its digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from eleven.errors import UsageError

Number = Annotated[float, Field(allow_inf_nan=False)]
Spread = Annotated[float, Field(allow_inf_nan=False, ge=0)]
KEY = "effects"
"""The table of a recipe."""


class Effect(BaseModel):
    """How the mean scores change for each unit of one model's strength, near a mix, with standard errors.

    `sha256` is the model's file; scores are in the scorer's unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    overall: Number
    overall_error: Spread
    detail: Number
    detail_error: Spread


EFFECTS = TypeAdapter(tuple[Effect, ...])


def effects_from_data(data: object) -> tuple[Effect, ...]:
    """The effects in parsed data. UsageError for what does not fit."""
    try:
        return EFFECTS.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        told = f"the recipe's effects do not fit: {place or 'they'}: {first['msg']}."
        raise UsageError(told, hint="Take the table out, or run eleven tune again.") from error


def effects_to_toml(effects: Sequence[Effect]) -> str:
    """The effects as TOML that stands behind a mix."""
    tables = [
        "\n".join([f"[[{KEY}]]", *(f"{name} = {_value(value)}" for name, value in effect.model_dump().items())])
        for effect in effects
    ]
    return "\n\n".join(tables) + "\n" if tables else ""


def _value(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(float(value))
