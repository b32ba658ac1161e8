"""A folder of pictures that are made one by one: what is there already is kept, and `shots.json` lists everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import final

from PIL import Image

from eleven.engines.engine import Engine, Picture, Shot
from eleven.errors import FileError, OutputError
from eleven.mix import Mix
from eleven.sheets.credits import Model, infotext_of
from eleven.sheets.png import PARAMETERS, RECIPE, read_recipe, write_png
from eleven.sheets.recipe import Recipe
from eleven.sheets.record import Record, read_record, write_record
from eleven.sheets.series import Wanted, effective

NAMED = re.compile(r"\d{4,}_seed\d+_([0-9a-f]{8})\.png")
ELSEWHERE = "Choose another folder, or use --force."


@final
@dataclass
class Gallery:
    """The pictures of one series in their folder.

    `models` are the parts' files by SHA-256, None where pictures are to tell nothing of how they were made; with
    `force` all are made anew, over whatever is there.
    """

    folder: Path
    series: Sequence[Wanted]
    models: Mapping[str, Model] | None
    force: bool = False
    found: dict[str, Path] = field(default_factory=dict[str, Path], init=False)
    sheets: dict[str, str] = field(default_factory=dict[str, str], init=False)

    def open(self, sheet: str) -> None:
        """Makes the folder, finds what is there, and writes the record; `sheet` is what the sheet will be called.

        OutputError where the folder cannot be written, or holds what this series would replace.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            told = f"{self.folder}: cannot be made a folder: {error.strerror}."
            raise OutputError(told, hint="Choose another name.") from error
        record = None if self.force else read_record(self.folder)
        if record is not None:
            self._refuse_others(record)
            self.sheets = dict(record.sheets)
        path = self.folder / f"{sheet}.png"
        if path.exists() and not (self.force or self._is_ours(path)):
            raise OutputError(f"{path}: exists already.", hint=ELSEWHERE)
        self.found = {} if self.force else self._existing(record)
        self.note()

    @property
    def missing(self) -> list[Wanted]:
        """What is still to be made."""
        return [one for one in self.series if one.digest not in self.found]

    def path(self, mix: Mix | None, shot: Shot) -> Path:
        """Where the picture of a mix and a shot lies."""
        return self.found[Recipe(self.series[0].recipe.base, effective(mix), shot).digest]

    def fill(self, engine: Engine, progress: Callable[[], object]) -> None:
        """Makes what is missing and writes each picture as it comes; `progress` is called after each."""
        for _, group in groupby(self.missing, key=lambda one: one.recipe.mix and one.recipe.mix.digest):
            wanted = list(group)
            pictures = engine.take(wanted[0].recipe.mix, [one.recipe.shot for one in wanted])
            for one, picture in zip(wanted, pictures, strict=True):
                self.put(one, picture)
                progress()

    def put(self, wanted: Wanted, picture: Picture) -> None:
        """Writes one picture with what it tells of itself. OutputError where it cannot be written."""
        texts = dict[str, str]()
        if self.models is not None:
            height, width = picture.pixels.shape[:2]
            told = infotext_of(wanted.recipe, (width, height), self.models)
            texts = {PARAMETERS: str(told), RECIPE: wanted.recipe.to_json()}
        path = self.folder / wanted.name
        write_png(path, picture.pixels, texts, force=self.force)
        self.found[wanted.digest] = path

    def put_pages(self, sheet: str, pages: Iterable[Image.Image]) -> list[Path]:
        """Writes the pages of a sheet, over those that an earlier run of the series left, and notes them."""
        written: list[Path] = []
        for number, page in enumerate(pages, start=1):
            path = self.folder / (f"{sheet}.png" if number == 1 else f"{sheet}_{number}.png")
            write_png(path, page, force=self.force or self._is_ours(path))
            self.sheets[path.name] = _hash(path)
            written.append(path)
        self.note()
        return written

    def note(self) -> None:
        """Writes the record."""
        names = [self.found[one.digest].name if one.digest in self.found else one.name for one in self.series]
        write_record(self.folder, self.series, names, self.sheets)

    def _refuse_others(self, record: Record) -> None:
        """OutputError where the record has pictures that this series has not: its sheet would no longer show them."""
        mine = {one.digest for one in self.series}
        other = next((one for one in record.pictures if one.digest not in mine), None)
        if other is not None:
            told = f"{self.folder}: holds the pictures of another command (such as {other.file})."
            raise OutputError(told, hint=ELSEWHERE)

    def _existing(self, record: Record | None) -> dict[str, Path]:
        """Files of this series by digest: by what they tell of themselves, or else by what the record tells."""
        recorded = {one.file: one.digest for one in record.pictures} if record else {}
        wanted = {one.digest[:8]: one.digest for one in self.series}
        found: dict[str, Path] = {}
        for path in sorted(self.folder.iterdir()):
            match = NAMED.fullmatch(path.name)
            if match and match[1] in wanted:
                recipe = _recipe(path)
                digest = recipe.digest if recipe else recorded.get(path.name, "")
                found |= {digest: path} if digest == wanted[match[1]] else {}
        return found

    def _is_ours(self, path: Path) -> bool:
        return path.is_file() and self.sheets.get(path.name) == _hash(path)


def _recipe(path: Path) -> Recipe | None:
    try:
        return read_recipe(path)
    except FileError as error:
        raise FileError(error.cause, hint="Remove it, and it is made again.") from error


def _hash(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
