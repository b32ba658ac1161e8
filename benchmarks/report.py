"""Results as a table on the terminal and as Markdown between two marks in a page; ratios first."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from benchmarks.jobs import MIB, Bar
from benchmarks.results import Result

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
PACKAGES = ("eleven-mix", "torch", "numpy", "safetensors", "lycoris-lora", "peft")
FEATURES = ("avx2", "avx512f", "amx_bf16")
UNITS = {"cpu": "CPU", "wall": "wall"}


def measured(result: Result, bar: Bar) -> float:
    """The number that the bar limits."""
    ours, theirs = result.ours, result.theirs
    known = {"faster": theirs.cpu / ours.cpu, "cpu": ours.cpu / theirs.cpu, "wall": ours.wall / theirs.wall}
    return ours.peak / MIB if bar.kind == "peak" else known[bar.kind]


def is_reached(result: Result, bar: Bar) -> bool:
    """Whether the measured number is on the right side of the bar."""
    number = measured(result, bar)
    return number >= bar.limit if bar.kind == "faster" else number <= bar.limit


def amount(kind: str, number: float) -> str:
    """A number of this kind, as people read it."""
    if kind == "peak":
        return f"{number:.0f} MiB"
    shown = f"{number:.0f}×" if number >= 20 else f"{number:.2g}×" if number < 1 else f"{number:.1f}×"
    return f"{shown} less CPU" if kind == "faster" else f"{shown} its {UNITS[kind]}"


def verdicts(result: Result) -> Iterable[tuple[str, str, str]]:
    """(measured, bar, reached) of every bar, and the plain ratio of a job that has none."""
    for bar in result.job.bars:
        sign = "≥" if bar.kind == "faster" else "≤"
        limit = amount(bar.kind, bar.limit)
        yield amount(bar.kind, measured(result, bar)), f"{sign} {limit}", "yes" if is_reached(result, bar) else "no"
    if not result.job.bars:
        yield amount("faster", measured(result, Bar("faster", 0))), "none", ""


def errors(told: dict[str, float]) -> str:
    """The error of a written file against the best possible one."""
    if not told:
        return "not compared"
    best, error = told["best"], told["error"]
    above = f" (best {best:.3g}, {100 * (error / best - 1):+.3f} %)" if best else ""
    touched = f"; {100 * told['untouched']:.0f} % of the rest bit-identical" if "untouched" in told else ""
    return f"{error:.4g}{above}{touched}"


def rows(results: Iterable[Result]) -> Iterable[tuple[str, ...]]:
    """The main table: one row a bar."""
    for result in results:
        against = f"{result.job.against}{f' ({result.share})' if result.share else ''}"
        other = "–" if result.job.peer == "cp" else f"{result.theirs.peak / MIB:.0f}"
        peaks = f"{result.ours.peak / MIB:.0f} / {other}"
        for number, limit, reached in verdicts(result):
            yield result.job.title, against, number, limit, reached, peaks


def seconds(results: Iterable[Result]) -> Iterable[tuple[str, ...]]:
    """The table behind it: one row a job."""
    for result in results:
        ours, theirs = result.ours, result.theirs
        times = [f"{number:.2f}" for number in (ours.cpu, theirs.cpu, ours.wall, theirs.wall)]
        yield result.job.name, *times, errors(result.error), errors(result.peer_error), result.day, f"{result.load:.1f}"


MAIN = ("job", "against", "measured", "bar", "reached", "peak MiB, Eleven / other")
BEHIND = (
    *("job", "Eleven CPU s", "other CPU s", "Eleven wall s", "other wall s"),
    *("Eleven's error", "the other's error", "day", "load before"),
)


def text_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Columns for a terminal."""
    whole = [head, *lines]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in whole)
    return "\n".join(line.rstrip() for line in padded)


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """The same for a page."""
    whole = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in whole)


def machine() -> str:
    """Processor, cores, memory and versions, in two lines."""
    told = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in told)}
    features = [name for name in FEATURES if name in facts.get("flags", "").split()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = facts.get("model name") or platform.processor() or platform.machine()
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES if is_installed(name)]
    return (
        f"{processor}, {os.cpu_count()} cores ({', '.join(features) or 'no AVX'}), {memory:.0f} GiB of memory, "
        f"{platform.system()}.\nPython {platform.python_version()}, {', '.join(versions)}."
    )


def is_installed(name: str) -> bool:
    """Whether a package is there."""
    return bool(list(metadata.distributions(name=name)))


def write_page(page: Path, results: Sequence[Result]) -> None:
    """Replaces what stands between the marks of a page, which must be there."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"error: {page} lacks the marks {BEGIN} and {END}.")
    parts = (machine(), markdown_table(MAIN, rows(results)), markdown_table(BEHIND, seconds(results)))
    inner = "\n\n".join(parts)
    page.write_text(f"{before}{BEGIN}\n{inner}\n{END}{after}", "utf-8")
