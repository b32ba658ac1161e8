"""`Ledger`: the record of a study (plan, mixes, shots, pictures, scores) in one SQLite file; it makes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import RLock
from typing import Self, final

from eleven.engines.engine import Shot
from eleven.errors import FileError
from eleven.mix import Mix
from eleven.scorers.scorer import Score
from eleven.sheets.recipe import SHOT
from eleven.studies.database import Database, open_to_read, open_to_write
from eleven.studies.plan import Plan, plan_from_json, refuse_another
from eleven.studies.shots import digest_of_shot

FILE = "study.sqlite"
SCORES = "overall, detail, prompt, fault"


@final
@dataclass(frozen=True)
class Taken:
    """A picture that was made and scored: its file in the study's folder, and the SHA-256 of its pixels."""

    mix: Mix | None
    shot: Shot
    file: str
    pixels: str
    score: Score


@final
@dataclass(frozen=True)
class Note:
    """Something that happened: when (seconds since 1970), of which kind, in words."""

    at: float
    kind: str
    text: str


@final
class Ledger:
    """One study's record in its folder; may be asked from several threads; close it, or leave its `with` block."""

    def __init__(self, folder: Path, database: Database, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self._database = database
        self._turn = RLock()

    def put(self, scorer: str, taken: Sequence[Taken]) -> None:
        """Keeps pictures and their scores, all or none; their files must be there. OutputError on a full disk."""
        mixes = {digest_of_mix(one.mix): json.dumps(one.mix and one.mix.model_dump(mode="json")) for one in taken}
        shots = {digest_of_shot(one.shot): json.dumps(asdict(one.shot)) for one in taken}
        rows = [(digest_of_mix(one.mix), digest_of_shot(one.shot), one) for one in taken]
        pictures = [(mix, shot, one.file, one.pixels) for mix, shot, one in rows]
        scores = [
            (mix, shot, scorer, one.score.overall, one.score.detail, one.score.prompt, one.score.fault)
            for mix, shot, one in rows
        ]
        with self._turn, self._database.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO mixes VALUES (?, ?)", mixes.items())
            connection.executemany("INSERT OR IGNORE INTO shots VALUES (?, ?)", shots.items())
            connection.executemany(
                "INSERT OR IGNORE INTO pictures (mix, shot, file, pixels) VALUES (?, ?, ?, ?)", pictures
            )
            connection.executemany("INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?)", scores)

    def scores_of(self, mix: Mix | None, shots: Sequence[Shot], scorer: str) -> list[Score | None]:
        """The score of each shot's picture; None where there is none yet."""
        found = self._rows(
            f"SELECT shot, {SCORES} FROM scores WHERE mix = ? AND scorer = ?", digest_of_mix(mix), scorer
        )
        known = {shot: Score(*values) for shot, *values in found}
        return [known.get(digest_of_shot(shot)) for shot in shots]

    def picture_of(self, mix: Mix | None, shot: Shot) -> tuple[str, str] | None:
        """The file and the SHA-256 of the pixels of a picture that was made; None where it was not."""
        found = self._rows(
            "SELECT file, pixels FROM pictures WHERE mix = ? AND shot = ?", digest_of_mix(mix), digest_of_shot(shot)
        )
        return found[0] if found else None

    def taken(self, scorer: str) -> Iterator[Taken]:
        """Every picture with its score by this scorer, in the order in which they were made."""
        mixes = {digest: json.loads(content) for digest, content in self._rows("SELECT * FROM mixes")}
        known = {digest: content and Mix.from_data(content) for digest, content in mixes.items()}
        shots = {digest: SHOT.validate_json(content) for digest, content in self._rows("SELECT * FROM shots")}
        query = f"SELECT mix, shot, file, pixels, {SCORES} FROM pictures JOIN scores USING (mix, shot)"
        for mix, shot, file, pixels, *values in self._rows(f"{query} WHERE scorer = ? ORDER BY number", scorer):
            yield Taken(known[mix], shots[shot], file, pixels, Score(*values))

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return self._rows("SELECT count(*) FROM pictures")[0][0]

    def note(self, kind: str, text: str) -> None:
        """Keeps what happened, with the time."""
        with self._turn, self._database.transaction() as connection:
            connection.execute("INSERT INTO notes VALUES (?, ?, ?)", (time.time(), kind, text))

    def notes(self) -> list[Note]:
        """What happened, the earliest first."""
        return [Note(*row) for row in self._rows("SELECT at, kind, text FROM notes ORDER BY rowid")]

    def close(self) -> None:
        """Lets the file go."""
        self._database.close()

    def _rows(self, query: str, *values: str) -> list[tuple]:  # pyright: ignore[reportMissingTypeArgument, reportUnknownParameterType]
        with self._turn, self._database.told() as connection:
            return connection.execute(query, values).fetchall()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_ledger(folder: Path, plan: Plan) -> Ledger:
    """The study's ledger, begun or gone on with; a plan with another budget extends it.

    UsageError for the plan of another study; OutputError where another process writes it, or it cannot be written.
    """
    database = open_to_write(folder / FILE)
    try:
        known = _plan_in(database)
        if known is not None:
            refuse_another(plan, known)
        if plan != known:
            with database.transaction() as connection:
                connection.execute("INSERT INTO plan VALUES (?, ?, ?)", (plan.digest, plan.to_json(), time.time()))
    except BaseException:
        database.close()
        raise
    return Ledger(folder, database, plan)


def read_ledger(folder: Path) -> Ledger:
    """The ledger of the study in a folder, to be read only, while another process may write it. FileError for none."""
    database = open_to_read(folder / FILE)
    try:
        plan = _plan_in(database)
        if plan is None:
            raise FileError(f"{folder / FILE}: no study was begun in it.", hint="Begin it first.")
    except BaseException:
        database.close()
        raise
    return Ledger(folder, database, plan)


def digest_of_mix(mix: Mix | None) -> str:
    """What names a mix; "" is the base alone."""
    return "" if mix is None else mix.digest


def _plan_in(database: Database) -> Plan | None:
    """The latest plan."""
    with database.told() as connection:
        row = connection.execute("SELECT content FROM plan ORDER BY rowid DESC LIMIT 1").fetchone()
    return None if row is None else plan_from_json(row[0])
