"""Runs the table of jobs, Eleven and peer in turn, and shows and keeps what they took."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from compileall import compile_dir
from dataclasses import replace
from pathlib import Path

from benchmarks.inputs import Inputs, demand_space
from benchmarks.jobs import JOBS, Job
from benchmarks.measuring import ROOT, RunFailed, Spent, measure, median, settle
from benchmarks.report import BEHIND, MAIN, rows, seconds, text_table, write_page
from benchmarks.request import Request
from benchmarks.results import Result, keep, kept

PAGE = ROOT / "docs" / "performance.md"
PYTHON = sys.executable
UNLIKE = ("cp", "join")
"""Peers that write something else, only as much of it."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [job.name for job in JOBS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="one run of each, every dense SVD sampled")
    parser.add_argument("--full", action="store_true", help="no peer is extrapolated (SDXL: half an hour each)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, medians are shown (default: 3)")
    parser.add_argument("--shapes", choices=["real", "tiny"], default="real", help="tiny: the small layers only")
    folder = Path(tempfile.gettempdir()) / "eleven-benchmarks"
    parser.add_argument("--work", type=Path, default=folder, help=f"keeps inputs and results (default: {folder})")
    parser.add_argument("--page", type=Path, help="the page to write; by default docs/performance.md after real runs")
    parser.add_argument("--inputs", action="store_true", help="make the inputs and stop")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Nought where every chosen job ran; bars that are not reached are shown, and are no failure."""
    options = parse(argv)
    quick = "-quick" if options.quick else ""
    store, failed = options.work / f"results-{options.shapes}{quick}.json", 0
    for job in JOBS:
        if options.only and job.name not in options.only:
            continue
        inputs = Inputs(options.work, job.family, tiny=options.shapes == "tiny")
        try:
            asked = ask(job, inputs, options)
            if not options.inputs:
                keep(store, done := run(job, asked, options))
                print(f"{text_table(MAIN, rows([done]))}\n{text_table(BEHIND, seconds([done]))}\n", flush=True)
        except RunFailed as error:
            failed += 1
            print(f"{job.name}: {error}", file=sys.stderr, flush=True)
    results = kept(store)
    page = options.page or (PAGE if options.shapes == "real" and not options.quick else None)
    if results and not options.inputs:
        print(text_table(MAIN, rows(results)))
    if results and page and not options.inputs:
        write_page(page, results)
    return 1 if failed else 0


def ask(job: Job, inputs: Inputs, options: argparse.Namespace) -> Request:
    """The job with its files, which are made where they are missing."""
    listing = inputs.listing
    assert listing.modules
    return Request(
        str(inputs.listing_path),
        tuple((str(inputs.file(name)), strength) for name, strength in job.parts),
        base=str(inputs.file("base")) if job.into or job.peer == "cp" or not job.parts else "",
        tuned="" if job.parts else str(inputs.file("tuned")),
        rank=job.rank,
        into=job.into,
        sampled=(job.sampled and not options.full) or options.quick,
    )


def run(job: Job, request: Request, options: argparse.Namespace) -> Result:
    """Both in turn as often as asked, and the errors of both files."""
    scratch = options.work / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    to, other = scratch / "eleven.safetensors", scratch / "other.safetensors"
    demand_space(scratch, 2 * max(path.stat().st_size for path in request.inputs()))
    ours, theirs, told, load = [], [], {}, os.getloadavg()[0]
    # as an installed program has it, whether or not this environment lets Python write it
    compile_dir(ROOT / "src", quiet=1)
    for repeat in range(1 if options.quick else options.repeats):
        to.unlink(missing_ok=True)
        settle(request.inputs())
        ours.append(measure(eleven(replace(request, to=str(to))), cores=job.cores)[0])
        if repeat == 0 or not job.slow:
            other.unlink(missing_ok=True)
            settle(request.inputs())
            spent, told = run_peer(job, replace(request, to=str(other)))
            theirs.append(spent)
    error = accuracy(replace(request, to=str(to)))
    peer_error = {} if job.peer in UNLIKE else accuracy(replace(request, to=str(other)))
    to.unlink()
    other.unlink()
    left = told.get("layers", 0) - told.get("ran", 0)
    share = f"extrapolated from {told['ran']:.0f} of {told['layers']:.0f} layers" if left else ""
    return Result(job, median(ours), median(theirs), share, error, peer_error, time.strftime("%Y-%m-%d"), load)


def run_peer(job: Job, request: Request) -> tuple[Spent, dict[str, float]]:
    """What the peer took, with the time of the layers that it left out, and what it told."""
    if job.peer == "cp":
        return measure(["cp", request.base, request.to], cores=job.cores)[0], {}
    spent, printed = measure([PYTHON, "-m", "benchmarks.peers", job.peer, request.text()], cores=job.cores)
    told: dict[str, float] = json.loads(printed.splitlines()[-1])
    more = told.get("extra_cpu", 0.0), told.get("extra_wall", 0.0)
    return replace(spent, cpu=spent.cpu + more[0], wall=spent.wall + more[1]), told


def eleven(request: Request) -> list[str]:
    """Eleven's command line."""
    start = [PYTHON, "-m", "eleven.cli.main", "--quiet"]
    if not request.parts:
        return [
            *start,
            "extract",
            request.tuned,
            "--base",
            request.base,
            "--to",
            request.to,
            "--rank",
            f"{request.rank}",
        ]
    parts = [f"{path}:{strength}" for path, strength in request.parts]
    form = ["--into", request.base] if request.into else ["--rank", str(request.rank or "exact")]
    return [*start, "bake", *parts, "--to", request.to, *form]


def accuracy(request: Request) -> dict[str, float]:
    """The errors of a file, found in a process of their own, so that this one stays small."""
    _, printed = measure([PYTHON, "-m", "benchmarks.accuracy", request.text()], cores=1)
    return json.loads(printed)
