"""`Plan`: what a study is asked to find, as pure data with a digest; nothing that scores decide is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from eleven.engines.engine import Shot
from eleven.errors import FileError, UsageError
from eleven.mix import PLAIN, Mix, Options, Part, Table
from eleven.scorers.scorer import References
from eleven.sheets.recipe import Origin
from eleven.studies.space import Knob

SCHEMA = 1
BUDGETS = ("search", "confirmation")
"""What may change without making it another study."""
DIGITS = 4
"""Decimals of a strength; less than that shows in no picture."""

Weight = Annotated[float, Field(allow_inf_nan=False)]
Weights = Annotated[Mapping[str, Weight], AfterValidator(Table[float]), PlainSerializer(dict[str, float])]


class Plan(BaseModel):
    """One base, the models to mix, the prompts and how pictures are taken, what scores them, and the budgets.

    `models` are parts at strength 1, in the order of a search's strengths; `shot` is a template whose prompt and seed
    are not used; `references` is the digest of the photos that the scorer knows; `options` are further settings of a
    search by name; `knobs` follow the strengths in a row of a search; budgets are in pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")

    base: Origin
    models: tuple[Part, ...] = Field(min_length=1)
    prompts: tuple[str, ...] = Field(min_length=1)
    seed: int = 0
    shot: Shot = Shot("", 0)
    scorer: str
    references: str = ""
    objective: Weights = Field(default_factory=Table[float])
    options: Options = Field(default_factory=Table)
    knobs: tuple[Knob, ...] = ()
    search: int = Field(default=0, ge=0)
    confirmation: int = Field(default=0, ge=0)
    schema_version: Literal[1] = SCHEMA

    @property
    def digest(self) -> str:
        """SHA-256 over everything but the budgets, files by hash: the same for a study and its extension."""
        return sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()

    def identity(self) -> dict[str, Any]:
        """What makes it this study, by field: names of files take no part where their hashes are known."""
        content = self.model_dump(mode="json", exclude={*BUDGETS})
        for part in content["models"]:
            if part["sha256"]:
                del part["file"]
        base = content["base"]
        content["base"] = [base["sha256"] or base["name"], base["dtype"]]
        return content

    def mix(self, row: Sequence[float]) -> Mix | None:
        """The models at these strengths, without those at 0; None where all are. Behind the strengths stand knobs.

        A knob at its neutral value leaves no trace, so that pictures are shared with a mix without knobs.
        """
        active = tuple(part for part in self.parts(row) if part.is_active)
        return Mix(parts=active) if active else None

    def parts(self, row: Sequence[float]) -> tuple[Part, ...]:
        """Every model at the strengths of a row, those at 0 too."""
        strengths, values = row[: len(self.models)], row[len(self.models) :]
        turned = {
            address: round(value, DIGITS)
            for knob, value in zip(self.knobs, values, strict=len(values) > 0)
            for address in (knob.addresses if round(value, DIGITS) != knob.neutral else ())
        }
        return tuple(
            _scaled(part, round(strength, DIGITS), turned)
            for part, strength in zip(self.models, strengths, strict=True)
        )

    def to_json(self) -> str:
        """The plan as JSON that `plan_from_json` reads back as an equal plan."""
        return json.dumps(self.model_dump(mode="json"))


def plan_from_json(text: str) -> Plan:
    """The plan in a JSON text. FileError where it is none."""
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        raise FileError("the plan inside is not one of Eleven's.", hint="Choose another folder.") from error


def refuse_another(plan: Plan, known: Plan) -> None:
    """UsageError naming what differs between a plan and the one that a study was begun with, but for budgets."""
    mine, theirs = plan.identity(), known.identity()
    fields = [name for name, value in mine.items() if value != theirs[name]]
    if fields:
        verb = "differs" if len(fields) == 1 else "differ"
        told = f"the folder holds another study: {', '.join(fields)} {verb} ({_differences(mine, theirs, fields)})."
        raise UsageError(told, hint="Ask for the same again with another budget, or choose another folder with --to.")


def digest_of_references(references: References) -> str:
    """SHA-256 over the pixels of all photos, in any order and by any name."""
    found = [
        f"{kind} {photo.shape} {sha256(photo.tobytes()).hexdigest()}"
        for kind, photos in (("photo", references.photos), ("impostor", references.impostors))
        for photo in photos.values()
    ]
    return sha256("\n".join(sorted(found)).encode()).hexdigest()


def _scaled(part: Part, strength: float, turned: Mapping[str, float]) -> Part:
    at = {address: value * strength for address, value in part.at.items()}
    live = {name: value for name, value in turned.items() if name in PLAIN}
    placed = {address: value for address, value in turned.items() if address not in live}
    at |= {address: round(part.strength * strength * value, DIGITS) for address, value in placed.items()}
    return part.model_copy(update={"strength": part.strength * strength, "at": Table(at), **live})


def _differences(mine: Mapping[str, object], theirs: Mapping[str, object], fields: Sequence[str]) -> str:
    pairs = [f"{_short(theirs[name])} there, {_short(mine[name])} asked" for name in fields]
    return "; ".join(pairs)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
