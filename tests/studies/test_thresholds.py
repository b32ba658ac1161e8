from __future__ import annotations

import numpy as np
import pytest

from eleven.errors import ElevenError, UsageError
from eleven.scorers.scorer import Score
from eleven.studies.thresholds import calibrate


def overall(*values):
    return [Score(overall=value) for value in values]


REAL = overall(*np.linspace(0.5, 0.9, 41).tolist())
"""The 5th percentile is 0.52, the 25th 0.6."""


def test_lines_are_percentiles_of_real_photos():
    found = calibrate(REAL).overall
    assert (found.perfect, found.good) == pytest.approx((0.6, 0.52))
    assert found.spread == pytest.approx(np.linspace(0.5, 0.9, 41).std(ddof=1))
    assert found.perfect_from == "25th percentile of 41 real photos"
    assert found.good_from == "5th percentile of 41 real photos"


@pytest.mark.parametrize(
    ("highest", "good", "told"),
    [
        (0.3, 0.52, "5th percentile of 41 real photos"),
        (0.55, 0.55, "99.9th percentile of 2 impostors"),
        (0.7, 0.6, "the perfect line, as impostors reach 0.7, above it"),
    ],
)
def test_good_enough_lies_above_impostors_and_never_above_perfect(highest, good, told):
    found = calibrate(REAL, overall(highest, highest)).overall
    assert (found.perfect, found.good, found.good_from) == (pytest.approx(0.6), pytest.approx(good), told)


def test_detail_has_lines_of_its_own_where_it_is_seen():
    scores = [Score(overall=0.5 + at / 10, detail=at) for at in range(4)]
    assert calibrate(scores).detail is not None
    assert calibrate(scores).detail.perfect == 0.75
    assert calibrate(REAL).detail is None


def test_photos_without_score_and_with_a_fault_are_counted_and_draw_no_line():
    found = calibrate([*REAL, Score(), Score(overall=9.0, fault="several faces")])
    assert found.unscored == 2
    assert found.overall == calibrate(REAL).overall


def test_references_that_cannot_be_scored_are_refused_with_the_way_out():
    scores = [Score(fault="no face"), Score(fault="no face"), Score()]
    with pytest.raises(UsageError, match=r"None of the 3 references .*: no face \(2\), no score \(1\)") as error:
        calibrate(scores)
    assert "photos that show the concept" in error.value.hint


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_not_ignored(value):
    with pytest.raises(ElevenError, match="not finite"):
        calibrate(overall(0.5, value))


def test_photos_that_are_all_alike_keep_a_spread():
    assert calibrate(overall(0.6, 0.6, 0.6)).overall.spread == pytest.approx(0.012)
    assert calibrate(overall(0.6, 0.6), overall(0.1, 0.2)).overall.spread == pytest.approx(0.0225)
    assert calibrate(overall(0.0)).overall.spread == 1e-6
