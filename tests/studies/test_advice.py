from __future__ import annotations

import numpy as np
import pytest

from eleven.scorers.scorer import Score
from eleven.studies.advice import advise

SCORES = {f"{name}.png": Score(overall=0.7 + at / 100) for at, name in enumerate("abcdef")}


def photo(seed, size=64):
    """A picture of 8 × 8 random fields."""
    fields = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return fields.repeat(size // 8, 0).repeat(size // 8, 1)


def told(advice):
    return [(one.code, one.text) for one in advice]


def test_good_references_need_no_advice():
    photos = {name: photo(at) for at, name in enumerate(SCORES)}
    assert advise(SCORES, [Score(overall=0.1)], photos=photos, training={"t.png": photo(99)}) == []


def test_too_few_photos_are_told_with_what_would_do():
    (one,) = advise(dict(list(SCORES.items())[:4]))
    assert (one.code, one.text) == ("too few", "Lines drawn by 4 photos are rough.")
    assert "5 or more" in one.hint


@pytest.mark.parametrize(("score", "why"), [(Score(fault="no face"), "no face"), (Score(), "no score")])
def test_an_unusable_photo_is_named(score, why):
    assert told(advise({**SCORES, "g.png": score})) == [("unusable", f"g.png cannot be used: {why}.")]


def test_a_photo_of_somebody_else_is_named():
    assert told(advise({**SCORES, "z.png": Score(overall=0.2)})) == [
        ("another person", "z.png is unlike all the others: another person?")
    ]


def test_references_that_impostors_reach_are_doubted():
    assert [one.code for one in advise(SCORES, [Score(overall=0.8)])] == ["impostors"]


def test_near_duplicates_are_named_once():
    photos = {"a.png": photo(1), "b.png": photo(2), "c.png": photo(1, 128) // 2 + 20}
    assert told(advise(SCORES, photos=photos)) == [("too alike", "a.png and c.png are nearly the same picture.")]


def test_a_training_photo_among_the_references_is_named():
    found = advise(SCORES, photos={"a.png": photo(1), "b.png": photo(2)}, training={"t.png": photo(2, 32)})
    assert told(found) == [("training photo", "b.png is the training photo t.png.")]


def test_photos_of_two_people_are_told_as_such_and_not_one_by_one():
    photos = [["a", "b", "c", "d"], ["x", "y", "z"], ["w"]]
    first, second = advise(SCORES, people=photos)
    assert first.text == "The photos show 2 different people: 4 of one (a, b, c …); 3 of one (x, y, z)."
    assert "--impostors" in first.hint
    assert (second.code, second.text) == ("another person", "w is unlike the others: another person?")


def test_a_single_stranger_is_named_once():
    found = advise({**SCORES, "z.png": Score(overall=0.2)}, people=[list(SCORES), ["z.png"]])
    assert told(found) == [("another person", "z.png is unlike the others: another person?")]
