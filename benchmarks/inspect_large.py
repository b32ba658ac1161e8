"""Measures `eleven inspect` on an SDXL LoRA of rank 128 (913 MB): wall time and peak memory of whole processes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from large import sdxl_lora, write_header

MOST_SECONDS, MOST_BYTES = 0.6, 150e6


def main() -> int:
    """The exit code: 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, default=128)
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = write_header(Path(folder) / "large.safetensors", sdxl_lora(asked.rank), block=numbers())
        found = sorted(measure(path) for _ in range(asked.runs))
        seconds, peak = found[len(found) // 2][0], max(peak for _, peak in found)
        print(f"file {path.stat().st_size / 1e6:.0f} MB; median of {asked.runs} runs {seconds:.3f} s", end="; ")
        print(f"best {found[0][0]:.3f} s; peak memory {peak / 1e6:.0f} MB")
    return int(seconds > MOST_SECONDS or peak > MOST_BYTES)


def numbers() -> bytes:
    """Small float16 numbers of both signs: random bytes without the two highest bits of the exponent."""
    raw = bytearray(Random(0).randbytes(1 << 22))
    raw[1::2] = raw[1::2].translate(bytes(value & 0b10011111 for value in range(256)))
    return bytes(raw)


def measure(path: Path) -> tuple[float, float]:
    """Seconds from start to end of one process, and its peak memory in bytes."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "eleven.cli.main", "inspect", str(path), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"eleven inspect failed with {status}")
    return seconds, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.exit(main())
