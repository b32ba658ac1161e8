from __future__ import annotations

import numpy as np
import pytest

from eleven.errors import UsageError
from eleven.studies.differences import compare
from eleven.studies.sequential import Verdict, boundaries, e_value, judge, live_evidence, look_sizes, needed_pairs


def shots(rate, other, prompts=60, seeds=6):
    """Hits of two arms by thresholds on the same draws, and the prompts."""
    draw = np.random.default_rng(7).random(prompts * seeds)
    return draw < rate, draw < other, np.tile(np.arange(prompts), seeds).tolist()


@pytest.mark.parametrize("looks", range(1, 11))
def test_the_boundary_is_crossed_by_chance_as_often_as_said(looks):
    steps = np.random.default_rng(looks).normal(size=(200_000, looks)).cumsum(1)
    z = steps / np.sqrt(np.arange(1, looks + 1))
    crossed = (np.abs(z) >= boundaries(looks)).any(1).mean()
    assert crossed == pytest.approx(0.05, abs=0.0015)


@pytest.mark.parametrize("looks", [0, 11])
def test_no_other_number_of_looks_is_planned_for(looks):
    with pytest.raises(UsageError, match=f"{looks} looks"):
        boundaries(looks)


def test_looks_are_equally_spaced_and_the_last_has_all():
    assert look_sizes(360) == (72, 144, 216, 288, 360)
    assert look_sizes(7, 3) == (3, 5, 7)


@pytest.mark.parametrize(
    ("rate", "other", "expected"),
    [(0.6, 0.2, Verdict.CONFIRMED), (0.2, 0.6, Verdict.WORSE), (0.3, 0.3, Verdict.NO_DIFFERENCE)],
)
def test_a_clear_case_has_its_verdict_before_the_end(rate, other, expected):
    first, second, names = shots(rate, other)
    assert judge(compare(first[:144], second[:144], names[:144], draws=0), 2) is expected


def test_what_is_not_shown_goes_on_and_ends_unverified():
    random = np.random.default_rng(8)
    first, second = random.random(360) < 0.25, random.random(360) < 0.25
    difference = compare(first, second, list(range(60)) * 6, draws=0)
    assert [judge(difference, look) for look in (1, 4, 5)] == [None, None, Verdict.UNVERIFIED]


def test_an_early_look_needs_more_than_a_late_one():
    first, second, names = shots(0.33, 0.25, 12, 6)
    difference = compare(first, second, names, draws=0)
    assert difference.p_value < 0.04
    assert judge(difference, 1) is None
    assert judge(difference, 5) is Verdict.CONFIRMED


def test_few_prompts_are_judged_at_the_last_look_only():
    first, second, _ = shots(0.9, 0.1)
    difference = compare(first, second, ["a"] * 360, draws=0)
    assert [judge(difference, look) for look in (1, 5)] == [None, Verdict.CONFIRMED]


def test_the_margin_is_in_the_units_of_the_difference():
    names = list(range(20)) * 5
    values = np.random.default_rng(9).normal(0, 0.5, 100)
    difference = compare(values, np.zeros(100), names, draws=0)
    assert judge(difference, 5) is Verdict.UNVERIFIED
    assert judge(difference, 5, margin=0.5) is Verdict.NO_DIFFERENCE


@pytest.mark.parametrize(("wins", "losses", "value"), [(0, 0, 1), (1, 0, 1), (2, 0, 4 / 3), (1, 1, 2 / 3)])
def test_the_bettors_gain_is_that_of_the_formula(wins, losses, value):
    assert e_value(wins, losses) == pytest.approx(value)


def test_the_bettors_gain_stays_a_number():
    assert 1e300 < e_value(5000, 0) < np.inf


def test_the_bettor_gains_nothing_on_equal_odds_in_the_mean():
    wins = np.random.default_rng(10).binomial(12, 0.5, 50_000)
    assert np.mean([e_value(won, 12 - won) for won in wins]) == pytest.approx(1, abs=0.05)


def test_evidence_that_comes_from_few_prompts_counts_less():
    first, second = np.repeat([True, False, False], [24, 6, 70]), np.repeat([False, True, False], [24, 6, 70])
    spread, bunched = list(range(10)) * 10, np.repeat(np.arange(10), 10).tolist()
    assert live_evidence(first, second, bunched) < 1 < live_evidence(first, second, spread) < e_value(24, 6)
    assert live_evidence(first, second, ["a"] * 100) == pytest.approx(e_value(24, 6))


@pytest.mark.parametrize(
    ("rates", "correlation", "pairs"),
    [
        ((0.25, 0.33), 0.3, (417, 558)),
        ((0.25, 0.33), 0.5, (350, 468)),
        ((0.25, 0.33), 0.7, (272, 364)),
        ((0.25, 0.40), 0.3, (128, 170)),
        ((0.25, 0.40), 0.5, (109, 144)),
        ((0.25, 0.40), 0.7, (87, 115)),
        ((0.25, 0.50), 0.3, (51, 67)),
        ((0.25, 0.50), 0.5, (44, 58)),
        ((0.25, 0.50), 0.7, (37, 49)),
    ],
)
def test_needed_pairs_are_those_of_the_table(rates, correlation, pairs):
    found = [needed_pairs(*rates, correlation=correlation, power=power) for power in (0.8, 0.9)]
    assert found == pytest.approx(pairs, abs=1)
    assert needed_pairs(*rates[::-1], correlation=correlation) == found[0]


def test_several_seeds_of_a_prompt_need_more_pairs():
    assert [needed_pairs(0.25, 0.33, seeds=seeds) for seeds in (1, 5, 10)] == [351, 465, 608]


@pytest.mark.parametrize("rates", [(0.3, 0.3), (0.0, 0.5), (0.5, 1.0)])
def test_no_number_of_pairs_shows_what_is_not_there(rates):
    with pytest.raises(UsageError, match="No number of pairs"):
        needed_pairs(*rates)
