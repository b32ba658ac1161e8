"""A scorer in another process, which may use what cannot be installed beside Eleven (docs/guides/own_scorers.md)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, final
from weakref import finalize

import numpy as np
from PIL import Image

from eleven.engines.engine import Picture
from eleven.errors import ElevenError, UsageError
from eleven.scorers.lines import Lines
from eleven.scorers.scorer import Pixels, References, Score

VERSION = 1
STARTING, SCORING = 120.0, 60.0
"""Seconds that the process may take to start and see the references, and for each picture."""


@final
class ProcessScorer:
    """Asks a process for scores; pictures go as PNG files in a folder that is deleted with the scorer."""

    def __init__(
        self, command: Sequence[str], references: References, *, starting: float = STARTING, scoring: float = SCORING
    ) -> None:
        if not references.photos:
            raise UsageError("there are no reference photos.", hint="Give ten to thirty photos of the concept.")
        self.references, self.scoring = references, scoring
        self.lines = Lines(command)
        self.folder = Path(mkdtemp(prefix="eleven-scorer-"))
        self.tidy = finalize(self, rmtree, self.folder, ignore_errors=True)
        photos = [self.written(photo, f"reference-{number}") for number, photo in enumerate(references.photos.values())]
        opening = {"eleven": VERSION, "do": "open", "references": photos}
        told = self.lines.ask(opening, starting)
        if told.get("eleven") != VERSION or not isinstance(told.get("name"), str) or not told["name"]:
            hint = f'It must answer {{"eleven": {VERSION}, "name": …}}; see docs/guides/own_scorers.md.'
            raise self.lines.failed(f"answered {told} to the opening", hint=hint)
        self.name = f"process:{told['name']}"

    def score(self, pictures: Sequence[Picture]) -> list[Score]:
        """A score of each picture against all references."""
        return [self.asked(picture.pixels, prompt=picture.shot.prompt) for picture in pictures]

    def leave_one_out(self, shown: Sequence[Pixels] | None = None) -> list[Score]:
        """What each reference, or what is shown in its place, scores against the others. UsageError for one alone."""
        photos = list(self.references.photos.values()) if shown is None else list(shown)
        count = len(self.references.photos)
        if count < 2:
            told = f"there is only {count} reference photo, and likeness among photos needs two."
            raise UsageError(told, hint="Give ten to thirty photos of the concept.")
        if len(photos) != count:
            raise UsageError(f"{len(photos)} pictures are shown in the places of {count} references.")
        return [self.asked(photo, without=number) for number, photo in enumerate(photos)]

    def score_impostors(self) -> list[Score]:
        """What each impostor scores against all references."""
        return [self.asked(photo) for photo in self.references.impostors.values()]

    def close(self) -> None:
        """Ends the process and deletes its pictures."""
        self.lines.close()
        self.tidy()

    def asked(self, pixels: Pixels, *, prompt: str = "", without: int | None = None) -> Score:
        """The process's score of one picture, without one of the references if so said."""
        self.lines.require_alive()
        request = {"do": "score", "picture": self.written(pixels, "picture"), "prompt": prompt, "without": without}
        told = self.lines.ask(request, self.scoring)
        try:
            return score_of(told)
        except ElevenError as error:
            raise self.lines.failed(f"answered {told}: {error.cause}") from None

    def written(self, pixels: Pixels, name: str) -> str:
        """The path of a PNG file of the pixels."""
        path = self.folder / f"{name}.png"
        Image.fromarray(np.ascontiguousarray(pixels)).save(path, compress_level=1)
        return str(path)


def score_of(told: dict[str, Any]) -> Score:
    """A score from an answer. ElevenError for anything that is none: what cannot be told is null or left out."""
    unknown = told.keys() - {"overall", "detail", "prompt", "fault"}
    if unknown:
        raise ElevenError(f"it holds {', '.join(sorted(unknown))}, which no score has.")
    numbers = [number_of(name, told.get(name)) for name in ("overall", "detail", "prompt")]
    fault = told.get("fault") or ""
    if not isinstance(fault, str):
        raise ElevenError(f"fault is {fault!r}, not a text.")
    if numbers[2] is not None and not 0 <= numbers[2] <= 1:
        raise ElevenError(f"prompt is {numbers[2]}, not a share from 0 to 1.")
    return Score(*numbers, fault=fault)


def number_of(name: str, value: object) -> float | None:
    """A finite number or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ElevenError(f"{name} is {value!r}, not a number.")
    return float(value)


def open_process(references: References, argument: str = "") -> ProcessScorer:
    """The scorer that this command line runs."""
    command = shlex.split(argument)
    if not command:
        raise UsageError("the scorer 'process' needs a command.", hint="For example: process:python my_scorer.py")
    return ProcessScorer(command, references)
