"""What the user should know of the reference photos before a study is believed: advice, and the copy-paste guard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eleven.scorers.scorer import Pixels, Score
from eleven.studies.thresholds import calibrate, scored

FEWEST, SIDE, SAME, FAR = 5, 32, 0.995, 5.0
"""Photos that do, the side of small pictures, how alike two are the same, and how far off is another person."""

NO_PHOTOS: Mapping[str, Pixels] = {}


@final
@dataclass(frozen=True)
class Advice:
    """One thing about the references: a stable code, a sentence that names the photos, and the way out."""

    code: str
    text: str
    hint: str


def advise(
    leave_one_out: Mapping[str, Score],
    impostors: Sequence[Score] = (),
    *,
    photos: Mapping[str, Pixels] = NO_PHOTOS,
    training: Mapping[str, Pixels] = NO_PHOTOS,
) -> list[Advice]:
    """What is wrong with references, told by their scores and, where given, by their pixels and the training's."""
    return [
        *advice_on_scores(leave_one_out, impostors),
        *(
            Advice("too alike", f"{one} and {two} are nearly the same picture.", "Leave one of them out.")
            for one, two in same_pictures(photos, photos)
            if one < two
        ),
        *(
            Advice("training photo", f"{one} is the training photo {two}.", "Measure on photos kept out of training.")
            for one, two in same_pictures(photos, training)
        ),
    ]


def advice_on_scores(leave_one_out: Mapping[str, Score], impostors: Sequence[Score]) -> Iterator[Advice]:
    """Too few, unusable, of somebody else, or not told from impostors."""
    usable = {name: score.overall for name, score in leave_one_out.items() if score.overall is not None}
    usable = {name: value for name, value in usable.items() if not leave_one_out[name].fault}
    for name in (name for name in leave_one_out if name not in usable):
        why = leave_one_out[name].fault or "no score"
        yield Advice("unusable", f"{name} cannot be used: {why}.", "Replace it by a clear photo.")
    if len(usable) < FEWEST:
        told = f"Lines drawn by {len(usable)} photos are rough."
        yield Advice("too few", told, f"Give {FEWEST} or more, better ten to thirty.")
    for name in strangers(usable):
        yield Advice(
            "another person", f"{name} is unlike all the others.", "Is it of the same concept? If not, drop it."
        )
    if len(usable) and len(scored(impostors, "overall")):
        thresholds = calibrate(list(leave_one_out.values()), impostors)
        if thresholds.overall.good == thresholds.overall.perfect:
            told = "Impostors score as high as a quarter of the references."
            yield Advice("impostors", told, "Check that all photos are of one concept, or choose another scorer.")


def strangers(values: Mapping[str, float]) -> list[str]:
    """The names of scores that lie far below the others, in robust standard deviations; none among three or fewer."""
    if len(values) <= 3:
        return []
    found = np.array(list(values.values()))
    middle = float(np.median(found))
    deviation = 1.4826 * float(np.median(np.abs(found - middle)))
    limit = middle - FAR * max(deviation, 0.02 * abs(middle))
    return [name for name, value in values.items() if value < limit]


def same_pictures(first: Mapping[str, Pixels], second: Mapping[str, Pixels]) -> list[tuple[str, str]]:
    """The names of pictures of the first that are those of the second, whatever their size or compression."""
    if not first or not second:
        return []
    near = (
        np.stack([small(photo) for photo in first.values()]) @ np.stack([small(photo) for photo in second.values()]).T
    )
    names, others = list(first), list(second)
    return [(names[row], others[column]) for row, column in np.argwhere(near > SAME)]


def small(photo: Pixels) -> NDArray[np.float64]:
    """The picture at 32 × 32 in grey, with a mean of nought and a length of one."""
    grey = np.asarray(Image.fromarray(photo).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
    flat = (grey - grey.mean()).ravel()
    return flat / max(float(np.linalg.norm(flat)), 1e-9)


def copied(
    to_training: NDArray[np.float64], to_held_out: NDArray[np.float64], among_held_out: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which pictures are nearer to one training photo than held-out photos are to one of themselves.

    Similarities of shape (pictures, training photos), (pictures, held-out), (held-out, held-out), by one measure. The
    line is the 95th percentile of the same excess, nearest less mean, among held-out photos (WithAnyone 2025,
    arXiv:2510.14975).
    """
    apart = ~np.eye(len(among_held_out), dtype=bool)
    others = among_held_out[apart].reshape(len(among_held_out), -1)
    line = np.percentile(others.max(1) - others.mean(1), 95)
    return to_training.max(1) - to_held_out.mean(1) > line
