from __future__ import annotations

import pytest

from eleven.errors import ElevenError, UsageError
from eleven.scorers.scorer import Score
from eleven.studies.objective import Objective, Weights
from eleven.studies.thresholds import Lines, Thresholds

THRESHOLDS = Thresholds(Lines(0.6, 0.5, 0.1, "", ""), Lines(3.0, 2.0, 2.0, "", ""), 0)
OBJECTIVE = Objective(THRESHOLDS)


@pytest.mark.parametrize(
    ("score", "likeness"),
    [
        (Score(0.6), 0.0),
        (Score(0.7), 1.0),
        (Score(0.7, 3.0), 0.5),
        (Score(0.6, 1.0), -0.5),
        (Score(0.6, 3.0, 1.0), 0.0),
        (Score(0.6, 3.0, 0.25), -0.2),
        (Score(9.0), 2.0),
        (Score(-9.0), -3.5),
        (Score(9.0, -99.0), -0.75),
        (Score(0.9, fault="no face"), -4.0),
        (Score(None, 9.0, 1.0), -4.0),
    ],
)
def test_likeness_is_the_weighted_mean_in_spreads_of_real_photos(score, likeness):
    assert OBJECTIVE.likeness(score) == pytest.approx(likeness)


@pytest.mark.parametrize(
    ("score", "perfect", "good"),
    [
        (Score(0.6), True, True),
        (Score(0.6, 3.0, 0.5), True, True),
        (Score(0.59), False, True),
        (Score(0.49), False, False),
        (Score(0.9, 2.5), False, True),
        (Score(0.9, 1.9), False, False),
        (Score(0.9, 9.0, 0.4), False, False),
        (Score(0.9, 9.0, 1.0, "two faces"), False, False),
        (Score(), False, False),
    ],
)
def test_a_hit_is_over_every_line_that_was_measured(score, perfect, good):
    assert (OBJECTIVE.is_perfect(score), OBJECTIVE.is_good(score)) == (perfect, good)


def test_what_weighs_nothing_is_not_asked_for():
    plain = Objective(THRESHOLDS, Weights(detail=0, prompt=0))
    score = Score(0.7, -9.0, 0.0)
    assert plain.likeness(score) == pytest.approx(1)
    assert plain.is_perfect(score)


def test_weights_and_the_share_of_the_prompt_are_the_users():
    assert Objective(THRESHOLDS, Weights(3, 1)).likeness(Score(0.7, 3.0)) == pytest.approx(0.75)
    assert not Objective(THRESHOLDS, share=0.9).is_good(Score(0.7, 3.0, 0.8))


def test_a_part_that_real_photos_drew_no_line_for_is_left_out():
    objective = Objective(Thresholds(THRESHOLDS.overall, None, 0))
    assert objective.likeness(Score(0.7, -5.0)) == pytest.approx(1)
    assert objective.is_perfect(Score(0.7, -5.0))


def test_detail_alone_is_not_judged_where_it_was_not_measured():
    objective = Objective(THRESHOLDS, Weights(likeness=0, prompt=0))
    assert objective.likeness(Score(0.9)) == -4
    assert not objective.is_good(Score(0.9))


@pytest.mark.parametrize("weights", [(-1, 1, 0), (0, 0, 1), (float("nan"), 1, 1)])
def test_weights_that_ask_for_nothing_are_refused(weights):
    with pytest.raises(UsageError, match="weights likeness"):
        Weights(*weights)


def test_a_score_that_is_no_number_is_not_judged():
    with pytest.raises(ElevenError, match="score of nan"):
        OBJECTIVE.likeness(Score(float("nan")))
