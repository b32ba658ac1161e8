"""What can go wrong while a checkpoint is written: killed, disk full, bytes that change, errors in either thread."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
import torch
from checkpoints_for_tests import Tensors, bake_into, lora, normal, save

from eleven.errors import OutputError
from eleven.exports import checkpoint, streaming
from eleven.files.atomic import AtomicFile
from eleven.files.growing import GrowingFile

KILLS, PIECES = 20, 24
LEFTOVER = ".out.safetensors.part"
BAKE = """
import os, sys, time
from pathlib import Path
import torch
from eleven.exports import streaming
from eleven.exports.baking import Request, bake
from eleven.files.atomic import AtomicFile
from eleven.mix import Mix, Part
torch.set_num_threads(1)
streaming.BUFFER = 1 << 19
folder, slow = Path(sys.argv[1]), float(sys.argv[2])
whole = AtomicFile.write
def write(self, position, data):
    half = len(data) // 2
    whole(self, position, data[:half])
    time.sleep(slow)
    whole(self, position + half, data[half:])
AtomicFile.write = write
for line in sys.stdin:
    child = os.fork()
    if not child:
        mix = Mix(parts=(Part(file=str(folder / "part.safetensors")),))
        bake(mix, Request(folder / "out.safetensors", into=folder / "base.safetensors"))
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""Bakes in a process of its own for each line that it is sent, and tells that process's number and how it ended."""


def model(pieces: int = PIECES) -> Tensors:
    """Half a mebibyte to a tensor."""
    return {f"blocks.{number}.weight": normal(512, 512, seed=number).half() for number in range(pieces)}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many pieces as tensors, and one more, since the data do not begin where a piece does."""
    monkeypatch.setattr(streaming, "BUFFER", 1 << 19)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A part, a base and the file to write."""
    tensors: Tensors = {}
    for number in range(0, PIECES, 2):
        tensors |= lora(f"blocks.{number}", 512, 512, seed=number)[0]
    part = save(tmp_path / "part.safetensors", tensors)
    return part, save(tmp_path / "base.safetensors", model()), tmp_path / "out.safetensors"


def left(to: Path) -> list[str]:
    return sorted(
        path.name for path in to.parent.iterdir() if path.name not in ("part.safetensors", "base.safetensors")
    )


@contextmanager
def baker(folder: Path, slow: float) -> Iterator[tuple[IO[str], IO[str]]]:
    command = [sys.executable, "-c", BAKE, str(folder), str(slow)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdin, process.stdout


def start(baker: tuple[IO[str], IO[str]]) -> int:
    print(file=baker[0], flush=True)
    return int(baker[1].readline())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and signals")
def test_killed_at_any_moment_nothing_stands_under_the_final_name(files):
    part, base, to = files
    bake_into({part: 1.0}, base, to)
    whole = to.read_bytes()
    to.unlink()
    draw = random.Random(3)
    leftovers, finished = 0, 0
    with baker(to.parent, 0.02) as talk:
        for _ in range(KILLS):
            child = start(talk)
            time.sleep(draw.uniform(0.0, 0.6))
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            finished += int(talk[1].readline()) == 0
            assert not to.exists() or to.read_bytes() == whole
            assert set(left(to)) <= {LEFTOVER, to.name}
            leftovers += LEFTOVER in left(to)
            to.unlink(missing_ok=True)
    assert finished < KILLS / 2, "killed too late"
    assert leftovers > KILLS / 4, "killed too early"
    (to.parent / LEFTOVER).write_bytes(b"x" * 2 * len(whole))
    bake_into({part: 1.0}, base, to)
    assert to.read_bytes() == whole
    assert left(to) == [to.name]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and signals")
def test_a_second_process_is_refused(files):
    part, base, to = files
    with baker(to.parent, 0.2) as talk:
        child = start(talk)
        while not (to.parent / LEFTOVER).exists():
            time.sleep(0.01)
        time.sleep(0.1)
        with pytest.raises(OutputError, match="another process"):
            bake_into({part: 1.0}, base, to)
        os.kill(child, signal.SIGKILL)


def failing(monkeypatch, error: BaseException, *, after: int) -> list[str]:
    """Lets the write after so many fail, and gives the names of the threads that wrote."""
    threads: list[str] = []
    write = AtomicFile.write

    def fail(self, position, data):
        threads.append(threading.current_thread().name)
        if len(threads) > after:
            if isinstance(error, OSError):
                raise self.failure(error)
            raise error
        write(self, position, data)

    monkeypatch.setattr(AtomicFile, "write", fail)
    return threads


@pytest.mark.parametrize("after", [0, 3, 11, PIECES - 1, PIECES])
def test_a_full_disk_in_the_writing_thread_is_told_and_leaves_nothing(after, files, monkeypatch):
    part, base, to = files
    threads = failing(monkeypatch, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), after=after)
    with pytest.raises(OutputError, match=r"out\.safetensors: cannot be written: No space left"):
        bake_into({part: 1.0}, base, to)
    assert left(to) == []
    assert threads[0] != threading.current_thread().name


@pytest.mark.parametrize("error", [MemoryError(), ValueError("closed"), SystemExit()], ids=type)
def test_any_error_in_the_writing_thread_ends_the_bake(error, files, monkeypatch):
    part, base, to = files
    failing(monkeypatch, error, after=5)
    with pytest.raises(type(error)):
        bake_into({part: 1.0}, base, to)
    assert left(to) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("ours"), MemoryError()], ids=type)
def test_an_error_in_the_arithmetic_ends_the_writing_thread(error, files, monkeypatch):
    part, base, to = files
    calls = []

    def fail(delta):
        calls.append(delta)
        if len(calls) == 4:
            raise error
        return 1.0

    monkeypatch.setattr(checkpoint, "norm", fail)
    before = threading.active_count()
    with pytest.raises(type(error)):
        bake_into({part: 1.0}, base, to)
    assert threading.active_count() == before
    assert left(to) == []


@pytest.mark.parametrize("piece", [1, 9, PIECES])
def test_bytes_that_read_back_differently_are_found(piece, files, monkeypatch):
    part, base, to = files
    write, count = AtomicFile.write, []

    def damage(self, position, data):
        count.append(position)
        if len(count) == piece:
            data = memoryview(bytearray(data))
            data[len(data) // 3] ^= 4
        write(self, position, data)

    monkeypatch.setattr(AtomicFile, "write", damage)
    with pytest.raises(OutputError, match="reads back differently"):
        bake_into({part: 1.0}, base, to)
    assert left(to) == []


def test_too_little_space_is_told_before_anything_is_written(files, monkeypatch):
    part, base, to = files
    free = base.stat().st_size - 10_000
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": free}))
    writes = failing(monkeypatch, AssertionError(), after=0)
    with pytest.raises(OutputError, match=f"has {free:,} left"):
        bake_into({part: 1.0}, base, to)
    assert left(to) == []
    assert not writes


def test_a_file_that_appears_meanwhile_is_not_overwritten(files, monkeypatch):
    part, base, to = files
    close = GrowingFile.close

    def appear(self):
        to.write_bytes(b"mine")
        close(self)

    monkeypatch.setattr(GrowingFile, "close", appear)
    with pytest.raises(OutputError, match="exists already"):
        bake_into({part: 1.0}, base, to)
    assert to.read_bytes() == b"mine"
    assert left(to) == [to.name]


def test_a_base_that_is_cut_off_while_it_is_read_leaves_nothing(files, monkeypatch):
    part, base, to = files
    calls = []

    def cut(delta):
        calls.append(delta)
        if len(calls) == 3:
            os.truncate(base, 2_000_000)
        return 1.0

    monkeypatch.setattr(checkpoint, "norm", cut)
    with pytest.raises(Exception, match="base"):
        bake_into({part: 1.0}, base, to)
    assert left(to) == []


MEMORY = """
import resource, sys
from pathlib import Path
import torch
import eleven.exports.baking as baking
from eleven.mix import Mix, Part
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder = Path(sys.argv[1])
parts = tuple(Part(file=str(folder / f"part{number}.safetensors"), strength=0.5) for number in range(int(sys.argv[2])))
baking.bake(Mix(parts=parts), baking.Request(folder / "out.safetensors", into=folder / "base.safetensors"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kibibytes on Linux only")
def test_memory_does_not_grow_with_the_checkpoint(tmp_path):
    layers, size, parts = 18, (4096, 2048), 4
    save(tmp_path / "base.safetensors", {f"a.{n}.weight": torch.ones(size, dtype=torch.float16) for n in range(layers)})
    for number in range(parts):
        tensors: Tensors = {}
        for layer in range(layers):
            tensors |= lora(f"a.{layer}", *size, rank=16, seed=number)[0]
        save(tmp_path / f"part{number}.safetensors", tensors)
    command = [sys.executable, "-c", MEMORY, str(tmp_path), str(parts)]
    told = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}).stdout
    used = int(told) / 1024
    assert (tmp_path / "out.safetensors").stat().st_size > 300e6
    (tmp_path / "out.safetensors").unlink()
    (tmp_path / "base.safetensors").unlink()
    assert used < 180, f"{used:.0f} MiB beyond torch itself"
