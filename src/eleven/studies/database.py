"""The SQLite file of a study: opened by one writer and any number of readers, its schema checked, its errors ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, final

from eleven.errors import ElevenError, FileError, OutputError
from eleven.files.atomic import lock

APPLICATION = 0x454C564E
"""What SQLite keeps in a file's header to tell whose it is (https://www.sqlite.org/fileformat.html, offset 68)."""
SCHEMA = 1
SPACE = "Check the folder and the disk's free space."
OTHER = "Choose another folder."
UNREADABLE = {"SQLITE_NOTADB", "SQLITE_CORRUPT"}
UNSHARED = {"SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_READONLY_CANTINIT", "SQLITE_READONLY_DIRECTORY"}
"""What a read-only folder answers, where SQLite can put no shared memory."""

TABLES = """
CREATE TABLE plan (study TEXT NOT NULL, content TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE mixes (digest TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE shots (digest TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE pictures (
    number INTEGER PRIMARY KEY,
    mix TEXT NOT NULL REFERENCES mixes, shot TEXT NOT NULL REFERENCES shots,
    file TEXT NOT NULL, pixels TEXT NOT NULL,
    UNIQUE (mix, shot)
);
CREATE TABLE scores (
    mix TEXT NOT NULL, shot TEXT NOT NULL, scorer TEXT NOT NULL,
    overall REAL, detail REAL, prompt REAL, fault TEXT NOT NULL,
    PRIMARY KEY (mix, shot, scorer), FOREIGN KEY (mix, shot) REFERENCES pictures (mix, shot)
) WITHOUT ROWID;
CREATE TABLE notes (at REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);
"""


@final
class Database:
    """A connection and, for the writer, the lock that keeps others from writing; close it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, held: BinaryIO | None = None) -> None:
        self.path, self.connection, self._held = path, connection, held

    @contextmanager
    def told(self) -> Generator[sqlite3.Connection]:
        """The connection; what SQLite refuses in the block is an OutputError, a broken file a FileError."""
        try:
            yield self.connection
        except sqlite3.Error as error:
            raise failure(self.path, error, "read" if self._held is None else "written") from error

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """The connection; all that is written in the block is kept, or nothing is."""
        with self.told() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Lets the file and the lock go."""
        self.connection.close()
        if self._held is not None:
            self._held.close()


def open_to_write(path: Path) -> Database:
    """The database, made where there is none. OutputError where another process writes it, or it cannot be written.

    FileError where the file is no ledger, or one of a newer Eleven.
    """
    held = _held(path.with_suffix(".lock"))
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        held.close()
        raise failure(path, error) from error
    database = Database(path, connection, held)
    try:
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def open_to_read(path: Path) -> Database:
    """The database as it is, while another process may write it. FileError where it is no ledger of ours."""
    if not path.is_file():
        raise FileError(f"{path}: there is no study here.", hint="Check the path.")
    try:
        return _reader(path, "mode=rw")
    except sqlite3.Error as error:
        if error.sqlite_errorname not in UNSHARED:
            raise failure(path, error, "read") from error
    try:
        return _reader(path, "mode=ro&immutable=1")
    except sqlite3.Error as error:
        raise failure(path, error, "read") from error


def failure(path: Path, error: sqlite3.Error, verb: Literal["read", "written"] = "written") -> ElevenError:
    """The error as one of ours."""
    name: str = getattr(error, "sqlite_errorname", "")
    if name in UNREADABLE or name.startswith("SQLITE_CORRUPT"):
        return FileError(f"{path}: is no ledger of a study: {error}.", hint=OTHER)
    kind = FileError if verb == "read" else OutputError
    return kind(f"{path}: cannot be {verb}: {error}.", hint=SPACE)


def _held(path: Path) -> BinaryIO:
    """The lock file, locked by this process; its folder is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}.", hint=SPACE) from error
    if not lock(file):
        file.close()
        told = f"{path.parent}: another process is working on this study."
        raise OutputError(told, hint="Wait until it ends, or choose another folder.")
    return file


def _prepare(database: Database) -> None:
    with database.told() as connection:
        is_new = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not is_new:
            _check(database.path, connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
    if is_new:
        with database.transaction() as connection:
            for statement in TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _reader(path: Path, how: str) -> Database:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        _check(path, connection)
    except BaseException:
        connection.close()
        raise
    return Database(path, connection)


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """FileError where the schema is not ours, or one that this version does not know."""
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    schema = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION:
        raise FileError(f"{path}: is no ledger of a study: another program made it.", hint=OTHER)
    if schema > SCHEMA:
        told = f"{path}: was written by a newer Eleven (schema {schema}, this one knows {SCHEMA})."
        raise FileError(told, hint="Update Eleven, or choose another folder.")
