"""`Crew`: several workers that make pictures side by side; one that dies is replaced, and its job is done again.

Where there can be no new one, the others go on.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Lock
from typing import Protocol, Self, final

from eleven.engines.engine import Engine
from eleven.errors import ElevenError, WorkerLost
from eleven.scorers.scorer import Pixels
from eleven.studies.making import Job, make, told_of

Opener = Callable[[], AbstractContextManager[Engine]]
"""Opens an engine where it is called; must be picklable, so a function of a module, or a `partial` of one."""
TRIES = 3
PATIENCE = 2.0
"""Seconds that a process may take to end by itself."""
AHEAD = 2
"""Jobs that each worker may be ahead of what is asked for."""


class Worker(Protocol):
    """Makes one job at a time somewhere else."""

    def make(self, job: Job) -> list[Pixels]:
        """The pictures of a job. WorkerLost where the worker dies; the engine's ElevenErrors."""
        ...

    def replace(self) -> None:
        """A new worker stands in the place of the one that died. WorkerLost where there can be none."""
        ...

    def close(self) -> None:
        """The worker ends."""
        ...


@final
class ProcessWorker:
    """Implements `Worker` by a process of its own, which ends when this one does, however it ends."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._start()

    def make(self, job: Job) -> list[Pixels]:
        """The pictures of a job. WorkerLost where the process dies; the engine's ElevenErrors."""
        try:
            self._connection.send(job)
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerLost("a worker's process died.", hint="Look for what ended it: memory, most often.") from error
        return pictures_in(answer)

    def replace(self) -> None:
        """A new process with a new engine."""
        self.close()
        self._start()

    def close(self) -> None:
        """The process ends by itself, which leaves nothing behind; one that is busy for longer is ended."""
        self._connection.close()
        self._process.join(PATIENCE)
        self._process.kill()
        self._process.join()
        self._process.close()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid or 0

    def _start(self) -> None:
        spawning = get_context("spawn")
        self._connection, theirs = spawning.Pipe()
        self._process = spawning.Process(target=serve, args=(theirs, self._opener), daemon=True)
        self._process.start()
        theirs.close()


def serve(connection: Connection, opener: Opener) -> None:
    """Answers jobs with pictures until nobody asks any more; an ElevenError is an answer too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ExitStack() as stack:
        engine = opened(stack, opener)
        for job in _asked(connection):
            answer = answer_of(engine, job)
            with suppress(BrokenPipeError):
                connection.send(answer)


def opened(stack: ExitStack, opener: Opener) -> Engine | ElevenError:
    """The engine, closed with the stack, or why there is none."""
    try:
        return stack.enter_context(opener())
    except ElevenError as error:
        return error


def answer_of(engine: Engine | ElevenError, job: Job) -> list[Pixels] | ElevenError:
    """The pictures of a job, or why there are none."""
    try:
        return engine if isinstance(engine, ElevenError) else make(engine, job)
    except ElevenError as error:
        return error


def pictures_in(answer: list[Pixels] | ElevenError) -> list[Pixels]:
    """The pictures in an answer; the ElevenError that it is instead."""
    if isinstance(answer, ElevenError):
        raise answer
    return answer


def _asked(connection: Connection) -> Generator[Job]:
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        yield job


@final
class Crew:
    """Implements `Maker` by workers; pictures are those of one worker alone. Close it, or leave its `with` block."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = tuple(workers)
        self._left, self._counting = len(self.workers), Lock()
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in self.workers:
            self._free.put(worker)

    def map(self, jobs: Sequence[Job]) -> Generator[list[Pixels]]:
        """The pictures of each job, in the order of jobs. WorkerLost where a job ends three workers."""
        waiting = iter(jobs)
        threads = ThreadPoolExecutor(len(self.workers))
        pending: deque[Future[list[Pixels]]] = deque()
        try:
            pending.extend(threads.submit(self._make, job) for job in islice(waiting, AHEAD * len(self.workers)))
            while pending:
                made = pending.popleft().result()
                pending.extend(threads.submit(self._make, job) for job in islice(waiting, 1))
                yield made
        finally:
            threads.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Every worker ends."""
        with ExitStack() as stack:
            for worker in self.workers:
                stack.callback(worker.close)

    def _make(self, job: Job) -> list[Pixels]:
        for _ in range(TRIES):
            worker: Worker | None = self._free.get()
            try:
                return worker.make(job)
            except WorkerLost:
                worker = self._replaced(worker)
            finally:
                if worker is not None:
                    self._free.put(worker)
        told = f"{told_of(job)}: {TRIES} workers died over {len(job)} pictures."
        raise WorkerLost(told, hint="Try a smaller batch or fewer workers: memory is the likeliest cause.")

    def _replaced(self, worker: Worker) -> Worker | None:
        """The worker, new; none where that cannot be and others go on without it. WorkerLost where it was the last."""
        try:
            worker.replace()
        except WorkerLost:
            with self._counting:
                if self._left == 1:
                    raise
                self._left -= 1
            return None
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_crew(openers: Sequence[Opener]) -> Crew:
    """A process for each opener, such as one for each GPU; engines open side by side."""
    return Crew([ProcessWorker(opener) for opener in openers])
