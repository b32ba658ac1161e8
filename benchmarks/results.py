"""What was measured, kept in the folder of inputs until it is measured again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.jobs import JOBS, Job
from benchmarks.measuring import Spent


@dataclass(frozen=True)
class Result:
    """Medians of one job and its peer; `share` tells how much of a peer was extrapolated, `load` how busy it was."""

    job: Job
    ours: Spent
    theirs: Spent
    share: str
    error: dict[str, float]
    peer_error: dict[str, float]
    day: str
    load: float


def keep(path: Path, result: Result) -> None:
    """Puts a result in the place of the last one of its job."""
    known = {each.job.name: each for each in kept(path)} | {result.job.name: result}
    told = [asdict(each) | {"job": each.job.name} for each in known.values()]
    path.write_text(json.dumps(told, indent=1), "utf-8")


def kept(path: Path) -> list[Result]:
    """The results so far, in the table's order."""
    told = {each["job"]: each for each in json.loads(path.read_text("utf-8"))} if path.exists() else {}
    return [as_result(job, told[job.name]) for job in JOBS if job.name in told]


def as_result(job: Job, told: dict[str, Any]) -> Result:
    """A result as JSON tells it."""
    told |= {"job": job, "ours": Spent(**told["ours"]), "theirs": Spent(**told["theirs"])}
    return Result(**told)
