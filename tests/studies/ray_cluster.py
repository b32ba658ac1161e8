"""A Ray cluster of two processors for tests, which ends with its tests and after a time in any case."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from threading import Timer
from typing import IO

LIMIT = 240.0
"""Seconds after which a cluster ends whoever waits for it."""
BEGINNING = 90.0
"""Seconds that a cluster may take to begin."""

KEY = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
"""Ray listens to the whole network, so a cluster asks who is there, where Ray can."""


def environment(**more: str) -> Mapping[str, str]:
    """What processes of a cluster see: what this one can import, and no lower priority than this one's."""
    paths = os.pathsep.join(str(Path(path).resolve()) for path in sys.path)
    own = {"PYTHONPATH": paths, "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own, **KEY, **more}


@contextmanager
def cluster(folder: Path, **more: str):
    """The address of a cluster whose processes began in a folder."""
    address = f"127.0.0.1:{free_port()}"
    with TemporaryDirectory(prefix="ray", dir="/tmp") as own:
        words = ["start", "--head", "--block", "--num-cpus", "2", "--node-ip-address", "127.0.0.1"]
        words += ["--port", address.rpartition(":")[2], "--temp-dir", own, "--include-dashboard=false"]
        words += ["--object-store-memory", "80000000"]
        command = [sys.executable, "-W", "ignore", "-m", "ray.scripts.scripts", *words]
        with (Path(own) / "told").open("w", encoding="utf-8") as told:
            process = subprocess.Popen(
                command, env=environment(**more), cwd=folder, stdout=told, stderr=told, start_new_session=True
            )
            ender = Timer(LIMIT, end, [process])
            ender.start()
            try:
                wait_until_it_runs(process, told)
                yield address
            finally:
                ender.cancel()
                end(process)


def free_port() -> int:
    """Nobody listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_runs(process: subprocess.Popen[bytes], told: IO[str]):
    """RuntimeError, with what the cluster told, where it does not in its time."""
    until = time.monotonic() + BEGINNING
    text = ""
    while time.monotonic() < until and process.poll() is None and "Ray runtime started" not in text:
        time.sleep(0.2)
        text = Path(told.name).read_text("utf-8")
    if "Ray runtime started" not in text:
        raise RuntimeError(f"no Ray cluster began:\n{text}")


def actors(address: str) -> list[int]:
    """The processes of a cluster's actors, on Linux."""
    port = address.rpartition(":")[2]
    parents = {int(path.parent.name): path for path in Path("/proc").glob("[0-9]*/status")}
    found: list[int] = []
    for number, status in parents.items():
        with suppress(OSError):
            parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:")).split()[1]
            begun_by = Path("/proc", parent, "cmdline").read_bytes().replace(b"\0", b" ")
            mine = b"raylet" in begun_by and f":{port} ".encode() in begun_by
            if mine and (status.parent / "cmdline").read_bytes().startswith(b"ray::Serving"):
                found.append(number)
    return found


def end(process: subprocess.Popen[bytes]):
    """The cluster and all of its processes end, by themselves or not."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
