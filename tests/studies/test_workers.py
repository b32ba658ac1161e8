"""Workers make the pictures that one alone would make; one that dies is replaced, and nothing is lost or repeated."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tiny_study
from tiny_study import BEST, PLAN, content, run

from eleven.engines.mock import MockEngine
from eleven.errors import FileError, OutOfMemory, WorkerLost
from eleven.studies.making import Alone
from eleven.studies.shots import search_shots
from eleven.studies.taking import Taking
from eleven.studies.workers import Crew, open_crew

SHOTS = search_shots(PLAN)
MIX = PLAN.mix((0.7, 0.6))
JOBS = [tuple((MIX, shot) for shot in SHOTS.take(range(start, start + 2))) for start in range(0, 12, 2)]


class DyingEngine:
    """Ends its process over the first picture, once; or each time, where the mark can never be left."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def take(self, mix, shots):
        if not self.mark.exists():
            if self.mark.parent.exists():
                self.mark.touch()
            os._exit(9)
        return MockEngine(BEST).take(mix, shots)


@contextmanager
def open_dying(mark):
    yield DyingEngine(mark)


class SmallEngine:
    def take(self, mix, shots):
        raise OutOfMemory("memory is too small.", hint="Use a smaller batch.")


@contextmanager
def open_small():
    yield SmallEngine()


@contextmanager
def open_missing():
    raise FileError("base: cannot be opened.", hint="Check the path.")
    yield


def test_two_workers_end_with_the_ledger_of_one_though_one_is_killed(tmp_path):
    run(tmp_path / "alone")
    killed: list[int] = []
    with open_crew([tiny_study.open_mock] * 2) as crew:

        def kill(done, _):
            if done >= 20 and not killed:
                killed.append(crew.workers[0].pid)
                os.kill(killed[0], signal.SIGTERM)

        run(tmp_path / "crew", maker=crew, taking=Taking(5, progress=kill))
        assert crew.workers[0].pid != killed[0]
    assert content(tmp_path / "crew") == content(tmp_path / "alone")


def test_a_job_whose_worker_dies_is_done_again(tmp_path):
    with open_crew([partial(open_dying, tmp_path / "died")] * 2) as crew:
        made = list(crew.map(JOBS))
    for images, expected in zip(made, Alone(MockEngine(BEST)).map(JOBS), strict=True):
        assert np.array_equal(images, expected)


def test_a_job_that_ends_every_worker_is_named(tmp_path):
    with (
        open_crew([partial(open_dying, tmp_path / "nowhere" / "died")]) as crew,
        pytest.raises(WorkerLost, match=r"a\.safetensors:0\.7 \+ b\.safetensors:0\.6: 3 workers died over 2 pictures"),
    ):
        list(crew.map(JOBS[:1]))


def test_what_an_engine_refuses_is_told_as_ever():
    with open_crew([open_small, open_missing]) as crew:
        small, missing = crew.workers
        for _ in range(2):
            with pytest.raises(OutOfMemory, match=r"a\.safetensors:0\.7 .* memory is too small\. Use a smaller batch"):
                small.make(JOBS[0])
            with pytest.raises(FileError, match=r"base: cannot be opened\. Check the path"):
                missing.make(JOBS[0])


class FailingWorker:
    """Dies over every job, and there is no place for another."""

    def __init__(self) -> None:
        self.asked = 0

    def make(self, job):
        self.asked += 1
        raise WorkerLost("it died.")

    def replace(self):
        raise WorkerLost("there is no room.")

    def close(self):
        pass


class SteadyWorker(FailingWorker):
    def make(self, job):
        return next(Alone(MockEngine(BEST)).map([job]))


def test_the_others_go_on_without_a_worker_that_cannot_be_replaced():
    failing = FailingWorker()
    made = list(Crew([failing, SteadyWorker(), failing]).map(JOBS))
    assert np.array_equal(made, list(Alone(MockEngine(BEST)).map(JOBS)))
    assert failing.asked == 2


def test_without_any_worker_that_can_be_replaced_the_reason_is_told():
    with pytest.raises(WorkerLost, match="there is no room"):
        list(Crew([FailingWorker(), FailingWorker()]).map(JOBS))
