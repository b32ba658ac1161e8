"""Measures `eleven suggest` on four SDXL LoRA of rank 32 (228 MB each): time and peak memory of whole processes."""

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

MOST_SECONDS, MOST_BYTES = 5.0, 600 * 2**20


def main() -> int:
    """The exit code: 1 where a limit is passed; processor time is told beside wall time, for busy machines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        header = sdxl_lora(asked.rank)
        files = [
            write_header(Path(folder) / f"large-{seed}.safetensors", header, block=numbers(seed))
            for seed in range(asked.files)
        ]
        found = sorted(measure(files) for _ in range(asked.runs))
        seconds, processor = found[len(found) // 2][:2]
        peak = max(peak for *_, peak in found)
        print(f"{asked.files} files of {files[0].stat().st_size / 1e6:.0f} MB; median of {asked.runs} runs ", end="")
        print(f"{seconds:.2f} s ({processor:.2f} s of processor time); peak memory {peak / 2**20:.0f} MiB")
    return int(seconds > MOST_SECONDS or peak > MOST_BYTES)


def numbers(seed: int) -> bytes:
    """Small float16 numbers of both signs: random bytes without the two highest bits of the exponent."""
    raw = bytearray(Random(seed).randbytes(1 << 22))
    raw[1::2] = raw[1::2].translate(bytes(value & 0b10011111 for value in range(256)))
    return bytes(raw)


def measure(files: list[Path]) -> tuple[float, float, float]:
    """Seconds from start to end of one process on one core, those of the processor, and its peak memory in bytes."""
    command = [sys.executable, "-m", "eleven.cli.main", "suggest", *map(str, files), "--json"]
    single = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=single)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"eleven suggest failed with {status}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.exit(main())
