"""The arithmetic of likeness, and what references can be wrong with."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from eleven.errors import UsageError
from eleven.scorers.checking import pictured
from eleven.scorers.scorer import References
from eleven.scorers.sight import Fault, Likeness, closeness


class Brightness:
    """Sees how bright a picture is, and nothing in the dark."""

    name = "brightness"

    def see(self, pixels):
        return float(pixels.mean()) if pixels.max() else Fault("too dark")

    def overall(self, seen, other):
        return -abs(seen - other)

    def detail(self, seen, other):
        return None if other > 200 else 1.0

    def prompt(self, seen, prompt):
        return None


def grey(*levels):
    return {f"{number}.png": np.full((8, 8, 3), level, np.uint8) for number, level in enumerate(levels)}


@pytest.mark.parametrize("count", [2, 3, 4, 5, 9])
def test_against_all_it_is_the_mean_over_leaving_each_out(count):
    values = np.random.default_rng(count).normal(size=count)
    left = [closeness(some, count) for some in combinations(values, count - 1)]
    assert closeness(values, count) == pytest.approx(np.mean(left))


def test_of_those_left_the_best_three_count():
    assert closeness([0.1, 0.9, 0.5, 0.4, 0.3], 6) == pytest.approx(0.6)
    assert closeness([0.4, 0.2], 3) == pytest.approx(0.3)
    assert closeness([0.4], 1) == closeness([0.4], 2) == 0.4


def test_one_that_cannot_be_seen_has_a_fault_and_is_nobodys_reference():
    scorer = Likeness(Brightness(), References(grey(100, 0, 110), grey(150, 0)))
    assert [(score.overall, score.fault) for score in scorer.leave_one_out()] == [
        (-10, ""),
        (None, "too dark"),
        (-10, ""),
    ]
    assert [(score.overall, score.fault) for score in scorer.score_impostors()] == [(-45, ""), (None, "too dark")]


def test_a_detail_that_cannot_be_told_is_none():
    assert [one.detail for one in Likeness(Brightness(), References(grey(220, 230), {})).leave_one_out()] == [
        None,
        None,
    ]


def test_a_dark_picture_is_a_fault_with_every_reason():
    scorer = Likeness(Brightness(), References(grey(100, 110), {}))
    (score,) = scorer.score([pictured(np.zeros((4, 4, 3), np.uint8))])
    assert score.fault == "too dark"
    assert score.overall is None


@pytest.mark.parametrize(
    ("photos", "shown", "told"),
    [
        (grey(100), None, "only 1 reference photo can be used"),
        (grey(100, 0), None, "only 1 reference photo can be used"),
        (grey(100, 110), [], "0 pictures are shown in the places of 2"),
    ],
)
def test_what_cannot_be_left_out_is_told(photos, shown, told):
    with pytest.raises(UsageError, match=told):
        Likeness(Brightness(), References(photos, {})).leave_one_out(shown)


def test_references_that_cannot_be_seen_are_named():
    with pytest.raises(UsageError, match=r"'brightness': 0\.png \(too dark\), 1\.png \(too dark\)"):
        Likeness(Brightness(), References(grey(0, 0), {}))
    with pytest.raises(UsageError, match="no reference photos"):
        Likeness(Brightness(), References({}, {}))
