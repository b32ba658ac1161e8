"""What the user should know of the reference photos before a study is believed."""

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

STRANGER = "another person"
DROP = "If so, take it out of the folder; if not, leave it."
MANY = 3
"""So many photos of somebody else are not there by mistake."""

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
    people: Sequence[Sequence[str]] = (),
) -> list[Advice]:
    """What is wrong with references, told by their scores and, where given, by their pixels and the training's.

    `people` are the names of photos by whom they show, the largest group first.
    """
    return [
        *advice_on_people(people),
        *(one for one in advice_on_scores(leave_one_out, impostors) if len(people) < 2 or one.code != STRANGER),
        *(
            Advice("too alike", f"{one} and {two} are nearly the same picture.", "Leave one of them out.")
            for one, two in same_pictures(photos, photos)
            if one < two
        ),
        *(
            Advice("training photo", f"{one} is the training photo {two}.", "Give photos kept out of training.")
            for one, two in same_pictures(photos, training)
        ),
    ]


def advice_on_people(people: Sequence[Sequence[str]]) -> Iterator[Advice]:
    """Photos of somebody else, each by name, or two and more people who have photos in number."""
    many = [group for group in people if len(group) >= MANY]
    if len(many) > 1:
        told = "; ".join(f"{len(group)} of one ({listed(group)})" for group in many)
        hint = "Keep those of one person, and give the others with --impostors."
        yield Advice("several people", f"The photos show {len(many)} different people: {told}.", hint)
    for group in people[1:]:
        for name in group if group not in many else ():
            yield Advice(STRANGER, f"{name} is unlike the others: another person?", DROP)


def listed(names: Sequence[str]) -> str:
    """The first names, and that there are more."""
    return ", ".join(names[:MANY]) + (" …" if len(names) > MANY else "")


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
        yield Advice(STRANGER, f"{name} is unlike all the others: another person?", DROP)
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
