"""`results.json`: a study's data and verdict for programs, read back as they were written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, final

from pydantic import TypeAdapter, ValidationError

from eleven.errors import FileError, UsageError
from eleven.reports.study import StudyView
from eleven.reports.study_measures import Plain
from eleven.reports.verdict import Outcome, verdict_of

SCHEMA = 1


@final
@dataclass(frozen=True)
class Results(Plain):
    """What the file holds."""

    schema_version: Literal[1]
    """1; another number for anything that an older reader would misread."""
    outcome: Outcome
    """The verdict in a word."""
    verdict: str
    """The verdict in a sentence."""
    study: StudyView
    """What it is made of."""


def to_json(study: StudyView) -> str:
    """The study and its verdict as JSON. UsageError where a number is infinite or NaN."""
    verdict = verdict_of(study)
    results = Results(SCHEMA, verdict.outcome, verdict.sentence, study)
    try:
        return json.dumps(asdict(results), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    except ValueError as error:
        raise UsageError("the study holds a number that is infinite or not one.", hint="Please report it.") from error


def from_json(text: str) -> StudyView:
    """The study in a JSON text. FileError where it does not fit."""
    try:
        return TypeAdapter(Results).validate_json(text).study
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the text"
        told = f"results.json: {place}: {first['msg'][:200]} ({error.error_count()} in all)."
        raise FileError(told, hint="See docs/reference/results.md; another version may have written it.") from error
