"""`begin`: photos become references, thresholds and advice, and a plan becomes a study with its ledger and engine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from eleven.amplification.grams import Grams
from eleven.errors import UsageError
from eleven.scorers.copies import CopyGuard, Strict
from eleven.scorers.grouping import people_in
from eleven.scorers.opening import open_scorer
from eleven.scorers.scorer import Pixels, References, Score, Scorer
from eleven.scorers.sight import Likeness
from eleven.sheets.credits import Model
from eleven.studies.advice import Advice, advise, same_pictures
from eleven.studies.ledger import open_ledger
from eleven.studies.making import Maker
from eleven.studies.objective import Objective, Weights
from eleven.studies.plan import Plan
from eleven.studies.space import Space
from eleven.studies.study import Probed, Study, Tell, ignore
from eleven.studies.taking import Progress, Taking, open_taker
from eleven.studies.taking import ignore as ignore_progress
from eleven.studies.thresholds import Thresholds, calibrate


@final
@dataclass(frozen=True, eq=False)
class Calibration:
    """What the scorer makes of the references: each against the others as the base can draw them, and what follows.

    `guard` tells pictures that repeat a training photo, where those are known.
    """

    scorer: Scorer
    references: References
    leave_one_out: tuple[Score, ...]
    impostors: tuple[Score, ...]
    thresholds: Thresholds
    advice: tuple[Advice, ...]
    guard: CopyGuard | None = None


@final
@dataclass(frozen=True)
class Workers:
    """How many processes make pictures, and the Ray cluster that they belong to, if to any."""

    count: int = 1
    address: str = ""


@final
@dataclass(frozen=True, eq=False)
class Company:
    """Who hears of a study, what pictures' infotext tells of its models, how many are made at once, and by whom.

    `probe` tells what the models change in the base's predictions, `grams` what in the weights; `is_guided` whether a
    negative prompt guides pictures.
    """

    tell: Tell = ignore
    progress: Progress = ignore_progress
    models: Mapping[str, Model] | None = None
    batch: int = 8
    workers: Workers = field(default_factory=Workers)
    probe: Callable[[], Probed] | None = None
    grams: Grams | None = None
    is_guided: bool = False


@final
@dataclass(frozen=True, eq=False)
class Training:
    """The photos that models were trained on, and whether a picture that repeats one of them is a miss."""

    photos: Mapping[str, Pixels] = field(default_factory=dict[str, Pixels])
    refuse_copies: bool = False


def calibrated(
    scorer: str, references: References, redrawn: list[Pixels] | None = None, training: Training | None = None
) -> Calibration:
    """Thresholds from the references; `redrawn` are the same photos as the base's autoencoder returns them.

    What no picture of the base can show is then no reason for a miss. UsageError for fewer than three photos, or fewer
    than three that nothing was trained on where training photos are known.
    """
    if len(references.photos) < FEWEST:
        told = f"{len(references.photos)} reference photos draw no lines between hit and miss."
        raise UsageError(told, hint=f"Give at least {FEWEST}, better ten to thirty.")
    training = training or Training()
    opened = open_scorer(scorer, references)
    scores, impostors = opened.leave_one_out(redrawn), opened.score_impostors()
    thresholds = calibrate(scores, impostors)
    told = dict(zip(references.photos, scores, strict=True))
    people = people_in(opened) if isinstance(opened, Likeness) else []
    advice = advise(told, impostors, photos=references.photos, training=training.photos, people=people)
    guard = guard_of(references.photos, training.photos) if training.photos else None
    judge = Strict(opened, guard) if guard and training.refuse_copies else opened
    return Calibration(judge, references, tuple(scores), tuple(impostors), thresholds, tuple(advice), guard)


def guard_of(photos: Mapping[str, Pixels], training: Mapping[str, Pixels]) -> CopyGuard:
    """The copy-paste guard, by those of the photos that are no training photos. UsageError for too few of them."""
    seen = {name for name, _ in same_pictures(photos, training)}
    return CopyGuard({name: photo for name, photo in photos.items() if name not in seen}, training)


FEWEST = 3
"""Photos without which there is nothing to leave one out of."""


@contextmanager
def begin(
    plan: Plan, folder: Path, maker: Maker, ground: tuple[Calibration, Space], company: Company | None = None
) -> Generator[Study]:
    """The study in its folder, begun or gone on with; behind the block everything that was made is kept."""
    company, (calibration, space) = company or Company(), ground
    weights = Weights(**dict(plan.objective))
    taking = Taking(company.batch, company.models, company.progress)
    with open_ledger(folder, plan) as ledger, open_taker(ledger, maker, calibration.scorer, taking) as taker:
        objective = Objective(calibration.thresholds, weights)
        yield Study(taker, objective, space, company.tell, company.probe, company.grams, company.is_guided)


def short_names(stems: Sequence[str]) -> tuple[str, ...]:
    """Names of files without endings, numbered where two are the same."""
    seen: dict[str, int] = {}
    names: list[str] = []
    for stem in stems:
        seen[stem] = seen.get(stem, 0) + 1
        names.append(stem if list(stems).count(stem) == 1 else f"{stem} ({seen[stem]})")
    return tuple(names)
