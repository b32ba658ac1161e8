"""The battery that any scorer must pass; it raises AssertionError, for use in tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from eleven.engines.engine import Picture, Shot
from eleven.errors import ElevenError
from eleven.scorers.scorer import Pixels, References, Score, Scorer

ODD = ((1, 1), (7, 300), (64, 48), (1200, 900))
"""Heights and widths that a picture may have."""


def check_scorer(opened: Callable[[References], Scorer], references: References) -> None:
    """Order, independence, determinism, honest gaps, references above impostors, any size, and advice for bad input."""
    scorer = opened(references)
    assert scorer.name, "a scorer has a name"
    assert list(scorer.score([])) == [], "no pictures have no scores"
    photos = list(references.photos.values())
    _check_pictures(scorer, [pictured(photo) for photo in photos])
    _check_left_out(scorer, references)
    _check_sizes(scorer, photos[0])
    _check_bad_references(opened, references)


def pictured(pixels: Pixels, prompt: str = "") -> Picture:
    """A photo as if an engine had made it."""
    return Picture(None, Shot(prompt, 0), pixels)


def _check_pictures(scorer: Scorer, pictures: Sequence[Picture]) -> None:
    scores = scorer.score(pictures)
    assert len(scores) == len(pictures), f"{len(scores)} scores of {len(pictures)} pictures"
    for score in scores:
        _check_score(score)
        assert score.prompt is None, f"an empty prompt asks for nothing, and was found by {score.prompt}"
    assert scorer.score(pictures) == scores, "the same pictures score the same"
    assert scorer.score(pictures[::-1]) == scores[::-1], "scores are in the order of their pictures"
    alone = [scorer.score([picture])[0] for picture in pictures]
    assert alone == scores, "a picture scores the same alone as among others"


def _check_score(score: Score) -> None:
    for told in (score.overall, score.detail, score.prompt):
        assert told is None or math.isfinite(told), f"what cannot be told is None: {score}"
    assert score.prompt is None or 0 <= score.prompt <= 1, f"prompt is a share: {score}"
    assert isinstance(score.fault, str)


def _check_left_out(scorer: Scorer, references: References) -> None:
    photos = list(references.photos.values())
    left = scorer.leave_one_out()
    assert len(left) == len(photos), f"{len(left)} scores of {len(photos)} references"
    assert scorer.leave_one_out(photos) == left, "references shown in their own places score the same"
    strangers = scorer.score_impostors()
    assert len(strangers) == len(references.impostors), f"{len(strangers)} scores of {len(references.impostors)}"
    own = scorer.score([pictured(photo) for photo in photos])
    for name in ("overall", "detail"):
        mine, others, theirs = (_mean(scores, name) for scores in (own, left, strangers))
        if mine is not None:
            assert others is not None
            assert mine > others, f"{name}: a reference is most like itself ({mine:.3f}, others {others:.3f})"
            assert theirs is None or others > theirs, f"{name}: references {others:.3f}, impostors {theirs:.3f}"


def _mean(scores: Sequence[Score], name: str) -> float | None:
    told = [value for score in scores if (value := getattr(score, name)) is not None]
    return float(np.mean(told)) if told else None


def _check_sizes(scorer: Scorer, photo: Pixels) -> None:
    pictures = [pictured(np.asarray(Image.fromarray(photo).resize((width, height)))) for height, width in ODD]
    pictures += [pictured(np.full((64, 64, 3), 128, np.uint8))]
    for score in scorer.score(pictures):
        _check_score(score)


def _check_bad_references(opened: Callable[[References], Scorer], references: References) -> None:
    name, photo = next(iter(references.photos.items()))
    _refused(lambda: opened(References({}, {})), "references are empty")
    _refused(lambda: opened(References({name: photo}, {})).leave_one_out(), "one reference has no others")


def _refused(act: Callable[[], object], why: str) -> None:
    try:
        act()
    except ElevenError as error:
        assert error.hint, f"{why}: the error {error} has no hint"
    else:
        raise AssertionError(f"{why}: nothing was raised")
