"""Runs a command in its own process on so many cores, and tells what it took; loads nothing large itself."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PIECE = 2**24
UNIT = 1 if sys.platform == "darwin" else 1024
"""What `ru_maxrss` counts in."""


class RunFailed(Exception):
    """A measured command ended with an error; its last lines."""


@dataclass(frozen=True)
class Spent:
    """CPU seconds (user and system, imports included) and wall seconds; the largest resident size in bytes."""

    cpu: float
    wall: float
    peak: float


def measure(command: Sequence[str], *, cores: int) -> tuple[Spent, str]:
    """What one run took, and what it printed on stdout. RunFailed with the last lines of stderr."""
    environment = dict(os.environ)
    if cores == 1:
        environment |= dict.fromkeys(THREADS, "1")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, pinned(cores):
        started = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=ROOT)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        printed, complaint = out.read().decode(), err.read().decode().strip().splitlines()
    if child.returncode != 0:
        raise RunFailed(f"exit code {child.returncode}: {' | '.join(complaint[-4:])}")
    return Spent(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * UNIT), printed


@contextmanager
def pinned(cores: int) -> Generator[None]:
    """Holds this process, and those it starts, to so many cores where the system can; all of them come back."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-cores:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def settle(inputs: Iterable[Path]) -> None:
    """Every input in the page cache, and nothing still waiting to be written."""
    os.sync()
    buffer = bytearray(PIECE)
    for path in inputs:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def median(runs: Iterable[Spent]) -> Spent:
    """Each number's median."""
    return Spent(*(statistics.median(several) for several in zip(*map(astuple, runs), strict=True)))
