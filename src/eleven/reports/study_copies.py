"""Pictures of a study that repeat a training photo: each is told, and how many every arm has of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eleven.reports.study import Arm, Note, Taken
from eleven.reports.verdict import percent
from eleven.scorers.copies import COPY, CopyGuard
from eleven.sheets.png import open_png


def with_copy(taken: Taken, folder: Path, guard: CopyGuard) -> Taken:
    """The picture with the training photo that it repeats; a miss for another reason is not looked at."""
    if taken.fault.startswith(COPY):
        return replace(taken, copy_of=taken.fault.removeprefix(COPY))
    if not taken.good:
        return taken
    with open_png(folder / taken.file) as image:
        return replace(taken, copy_of=guard.copy_of(np.asarray(image.convert("RGB"))))


def notes_on_copies(arms: Sequence[Arm], pictures: Sequence[Taken], guard: CopyGuard | None) -> Iterator[Note]:
    """Nothing where no picture repeats a training photo; else how many of each arm do."""
    counts = [sum(bool(one.copy_of) for one in pictures if one.arm == number) for number in range(len(arms))]
    if guard is None or not any(counts):
        return
    told = ", ".join(
        f"{arm.name} {count} of {arm.perfect.shots}" for arm, count in zip(arms, counts, strict=True) if count
    )
    counted = any(one.fault.startswith(COPY) for one in pictures)
    rest = (
        "They count as misses."
        if counted
        else "They count as what they are like; --refuse-copies counts them as misses."
    )
    yield Note(
        "warning", f"Pictures that repeat a training photo: {told}; by chance up to {percent(guard.chance)}. {rest}"
    )
