"""Whether intervals hold and claims are true as often as they say, in worlds where prompts are clusters."""

from __future__ import annotations

import numpy as np
import pytest
from tools.simulate_statistics import ALARM, LAYOUTS, World, alarms, claims, coverage, led_claims

from eleven.studies.differences import compare
from eleven.studies.sequential import Verdict, e_value, needed_pairs


@pytest.mark.parametrize("layout", LAYOUTS)
def test_95_percent_intervals_hold_the_truth_in_95_percent(layout):
    covered = coverage(World(*layout, (0.33, 0.25)), 1000)
    for name in ("hits", "likeness", "rate"):
        assert 0.93 <= covered[name] <= 0.97, (name, covered)


def test_the_world_finds_out_intervals_that_forget_prompts():
    assert coverage(World(10, 30), 200)["wilson"] < 0.75


@pytest.mark.parametrize("layout", LAYOUTS)
def test_five_looks_make_at_most_6_percent_false_claims(layout):
    shares, pairs = claims(World(*layout), 1000)
    assert 0.02 <= shares[Verdict.CONFIRMED] + shares[Verdict.WORSE] <= 0.06
    assert pairs > 285


@pytest.mark.parametrize("rates", [(0.3, 0.3, 0.3, 0.05), (0.3, 0.2, 0.3, 0.05), (0.3, 0.3, 0.3, 0.3)])
def test_choosing_the_leading_mix_by_the_same_shots_makes_no_more_false_claims(rates):
    shares = led_claims(World(60, 5, rates), 600)
    assert shares[Verdict.CONFIRMED] + shares[Verdict.WORSE] <= 0.06


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_live_view_raises_at_most_5_percent_false_alarms(layout):
    assert alarms(World(*layout), 100) <= 0.05


def test_counting_pairs_as_if_without_prompts_raises_more():
    found = [(one > 0, two > 0) for one, two in World(10, 30).draws(150, 4)]
    plain = [
        any(e_value(won, lost) >= ALARM for won, lost in zip(np.cumsum(one > two), np.cumsum(one < two), strict=True))
        for one, two in found
    ]
    assert np.mean(plain) > 0.08


def test_equivalence_is_rarely_said_of_five_points():
    shares, _ = claims(World(400, 5, (0.30, 0.25)), 60)
    assert shares[Verdict.NO_DIFFERENCE] <= 0.05


def test_equivalence_is_said_where_there_is_none():
    shares, _ = claims(World(400, 5), 60)
    assert shares[Verdict.NO_DIFFERENCE] > 0.3


@pytest.mark.parametrize("rates", [(0.33, 0.25), (0.40, 0.25)])
def test_the_needed_pairs_have_the_power_that_was_asked_for(rates):
    for seeds in (1, 5):
        world = World(round(needed_pairs(*rates, seeds=seeds) / seeds), seeds, rates)
        found = [compare(one > 0, two > 0, world.names, draws=0).p_value < 0.05 for one, two in world.draws(300, 5)]
        assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_five_looks_at_360_pairs_have_the_power_and_thrift_of_the_plan():
    shares, pairs = claims(World(360, 1, (0.33, 0.25)), 300)
    assert shares[Verdict.CONFIRMED] == pytest.approx(0.81, abs=0.05)
    assert 260 < pairs < 300
