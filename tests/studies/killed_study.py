"""Runs a study in a process that is killed at so many random moments, and goes on with it each time."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from tiny_study import content, tuned


def main(folder: Path, kills: int, seed: int) -> None:
    """Prints how many were killed in the midst of a study, and how many studies that took; each ends whole."""
    os.fsync = lambda _: None
    began = time.monotonic()
    run(folder / "whole")
    lasts = time.monotonic() - began
    whole, chance, killed, studies = content(folder / "whole"), random.Random(seed), 0, 0
    while killed < kills:
        study = folder / str(studies)
        while killed < kills and not ended(study, chance.uniform(0, lasts / 2)):
            killed += 1
        run(study)
        if content(study) != whole:
            raise SystemExit(f"study {studies} differs after a kill")
        studies += 1
    sys.stdout.write(f"{killed} kills, {studies} studies\n")


def run(folder: Path) -> None:
    """The main job, small."""
    tuned(folder, budget=160)


def ended(study: Path, seconds: float) -> bool:
    """Whether a run of the study in a process of its own ended before so many seconds, when it is killed."""
    child = os.fork()
    if child == 0:
        run(study)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
