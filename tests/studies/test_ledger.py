"""The record keeps what it is given, refuses what is not its own, and has one writer."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from tiny_study import PLAN, plan_with

from eleven.errors import ElevenError, FileError, OutputError, UsageError
from eleven.scorers.scorer import Score
from eleven.studies.ledger import FILE, Taken, open_ledger, read_ledger
from eleven.studies.shots import search_shots

MIX = PLAN.mix((0.7, 0.6))
SHOTS = search_shots(PLAN).take(range(3))
SCORES = [Score(0.5, None, 1.0), Score(None, None, None, "no face"), Score(-0.25, 0.75)]
TAKEN = [
    Taken(MIX, shot, f"pictures/{number}.png", "e" * 64, score)
    for number, (shot, score) in enumerate(zip(SHOTS, SCORES, strict=True))
]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and users")


def refused_to_nobody(work):
    """What an ordinary user is told in a fork of this process; "" for nothing."""
    reads, writes = os.pipe()
    if os.fork() == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            work()
        except ElevenError as error:
            os.write(writes, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writes)
    with open(reads, encoding="utf-8") as told:
        return told.read()


def test_what_was_put_is_there_again(tmp_path):
    with open_ledger(tmp_path, PLAN) as ledger:
        ledger.put("eye", TAKEN[:1])
        ledger.put("eye", [*TAKEN[1:], Taken(None, SHOTS[0], "base.png", "d" * 64, Score())])
        ledger.note("began", "a search")
    with read_ledger(tmp_path) as ledger:
        assert ledger.plan == PLAN
        assert ledger.count == 4
        assert ledger.scores_of(MIX, SHOTS[::-1], "eye") == SCORES[::-1]
        assert ledger.scores_of(None, SHOTS, "eye") == [Score(), None, None]
        assert ledger.scores_of(MIX, SHOTS, "other") == [None] * 3
        assert list(ledger.taken("eye"))[:3] == TAKEN
        assert ledger.picture_of(MIX, SHOTS[1]) == ("pictures/1.png", "e" * 64)
        assert ledger.picture_of(None, SHOTS[1]) is None
        assert [(note.kind, note.text) for note in ledger.notes()] == [("began", "a search")]


def test_pictures_are_put_all_or_none(tmp_path):
    with open_ledger(tmp_path, PLAN) as ledger:
        ledger.put("eye", TAKEN[:1])
        with pytest.raises(OutputError, match="UNIQUE"):
            ledger.put("eye", [TAKEN[1], TAKEN[0]])
        assert ledger.count == 1
        assert ledger.scores_of(MIX, SHOTS, "eye") == [SCORES[0], None, None]


def test_a_larger_budget_extends_and_another_plan_is_refused(tmp_path):
    open_ledger(tmp_path, PLAN).close()
    open_ledger(tmp_path, plan_with(search=500)).close()
    with read_ledger(tmp_path) as ledger:
        assert ledger.plan.search == 500
    with pytest.raises(UsageError, match="seed differs"):
        open_ledger(tmp_path, plan_with(seed=1))
    open_ledger(tmp_path, PLAN).close()


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path):
    with open_ledger(tmp_path, PLAN) as ledger:
        code = (
            "import sys, pathlib, tiny_study as t\n"
            "from eleven.errors import OutputError\n"
            "folder = pathlib.Path(sys.argv[1])\n"
            "try: t.open_ledger(folder, t.PLAN)\n"
            "except OutputError as error: print(error)\n"
            "print(t.read_ledger(folder).count)"
        )
        ledger.put("eye", TAKEN)
        told = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True, env=environment()
        )
        assert "another process is working on this study" in told.stdout
        assert told.stdout.splitlines()[-1] == "3"
        ledger.note("still", "writing")
    open_ledger(tmp_path, PLAN).close()


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}


def test_a_reader_sees_what_is_put_later(tmp_path):
    with open_ledger(tmp_path, PLAN) as ledger, read_ledger(tmp_path) as reader:
        assert reader.count == 0
        ledger.put("eye", TAKEN)
        assert reader.count == 3
        with pytest.raises(FileError, match="readonly"):
            reader.note("no", "writing")


@pytest.mark.parametrize("open_it", [lambda folder: open_ledger(folder, PLAN), read_ledger])
def test_what_is_no_ledger_is_refused(tmp_path, open_it):
    (tmp_path / FILE).write_bytes(b"a text that is no database, and long enough to look at" * 99)
    with pytest.raises(FileError, match="is no ledger of a study"):
        open_it(tmp_path)
    (tmp_path / FILE).unlink()
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("CREATE TABLE trials (a)")
    with pytest.raises(FileError, match="another program made it"):
        open_it(tmp_path)


@pytest.mark.parametrize("open_it", [lambda folder: open_ledger(folder, PLAN), read_ledger])
def test_a_newer_schema_is_refused(tmp_path, open_it):
    open_ledger(tmp_path, PLAN).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as newer:
        newer.execute("PRAGMA user_version = 2")
    with pytest.raises(FileError, match=r"newer Eleven \(schema 2, this one knows 1\).*Update"):
        open_it(tmp_path)


def test_a_broken_ledger_is_said_to_be_none(tmp_path):
    with open_ledger(tmp_path, PLAN) as ledger:
        ledger.put("eye", TAKEN)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(FileError, match="malformed"):
        read_ledger(tmp_path)


def test_there_may_be_no_study(tmp_path):
    with pytest.raises(FileError, match="there is no study here"):
        read_ledger(tmp_path)


def test_a_full_disk_keeps_what_was_there(tmp_path):
    with open_ledger(tmp_path, PLAN) as ledger:
        ledger.put("eye", TAKEN[:1])
        ledger._database.connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(OutputError, match="cannot be written: database or disk is full.*free space"):
            ledger.note("long", "x" * 100_000)
    with open_ledger(tmp_path, PLAN) as ledger:
        assert (ledger.count, ledger.notes()) == (1, [])
        ledger.put("eye", TAKEN[1:])


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        open_ledger(tmp_path / "file" / "study", PLAN)


@POSIX
def test_a_read_only_folder_is_read_and_not_written():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_ledger(folder, PLAN) as ledger:
            ledger.put("eye", TAKEN)
        folder.chmod(0o555)
        assert "OutputError" in refused_to_nobody(lambda: open_ledger(folder, PLAN))

        def read():
            with read_ledger(folder) as ledger:
                assert len(list(ledger.taken("eye"))) == 3
            raise UsageError("read to its end")

        assert refused_to_nobody(read) == "UsageError: read to its end"
        folder.chmod(0o755)
