from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from eleven.errors import ElevenError, UsageError
from eleven.studies.account import Account
from eleven.studies.measuring import FLOOR, Asked
from eleven.studies.searching import Beginning, drop_one, search, sweep
from eleven.studies.space import Knob, Space
from eleven.testing import world


def space(count, **more):
    return Space(tuple(f"model {number}" for number in range(count)), **more)


def peak(best, spread=0.3):
    """A likeness that falls off with the square of the distance from hidden strengths, with luck of shots and pairs."""

    def measure(asked):
        found = []
        for one in asked:
            row = np.array(one.strengths)
            luck = [
                0.75 * np.random.default_rng(shot).standard_normal()
                + spread * np.random.default_rng([shot, *np.frombuffer(row.tobytes(), np.uint32)]).standard_normal()
                for shot in one.shots
            ]
            found.append(np.maximum(-2 * np.square(row - best).sum() + np.array(luck), FLOOR))
        return found

    return measure


def run(count, measure, budget, seed=0, **more):
    return list(search(space(count, **more), measure, budget, seed))


@pytest.mark.parametrize("best", [(0.7,), (0.9, 0.5), (0.8, 0.2, 0.5), (0.6, 0.1, 0.4, 0.3)])
def test_finds_hidden_strengths_within_a_hundred_pictures(best):
    found = run(len(best), peak(best), 100)[-1]
    assert np.linalg.norm(np.subtract(found.best, best)) < 0.25
    assert abs(found.estimate) < 4 * found.error + 0.1


@pytest.mark.parametrize(("count", "least"), [(2, 0.95), (6, 0.92)])
def test_reaches_most_of_the_best_in_simulated_worlds(count, least):
    reached = []
    for seed in range(6):
        there = world(count, seed)
        begun = Beginning(there.predicted_total)
        *_, last = search(space(count), there.measure, 100, seed, begun)
        reached.append(float(there.hit_rate(last.best)) / there.best()[1])
    assert np.mean(reached) > least


def test_equal_seeds_and_likenesses_give_equal_steps():
    there = world(3, 1)
    assert run(3, there.measure, 60, 5) == run(3, there.measure, 60, 5)
    assert run(3, there.measure, 60, 5) != run(3, there.measure, 60, 6)


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("budget", [1, 2, 3, 7, 40])
def test_the_budget_is_used_up_and_never_exceeded(count, budget):
    made = []

    def measure(asked):
        made.extend((one.strengths, shot) for one in asked for shot in one.shots)
        return world(count, 0).measure(asked)

    steps = run(count, measure, budget)
    assert len(made) == len(set(made)) == budget == steps[-1].used
    assert steps[0].phase == "starts"
    assert steps[-1].phase == "done"
    assert all(one.used <= two.used for one, two in pairwise(steps))


def test_every_mix_is_inside_the_space():
    there = space(3, ranges=((0.2, 0.5), (0, 1), (0, 1.2)), totals=(0.9, 1.3))
    for step in search(there, world(3, 2).measure, 64):
        for strengths in [step.best, *(one.strengths for one in step.asked)]:
            assert 0.2 <= strengths[0] <= 0.5
            assert 0.9 - 1e-3 <= sum(strengths) <= 1.3 + 1e-3


def test_knobs_are_searched_beside_the_strengths():
    best = (0.7, 0.4, 0.5)
    found = run(2, peak(best), 150, knobs=(Knob("te"),))[-1]
    assert len(found.best) == 3
    assert abs(found.best[2] - 0.5) < 0.35


@pytest.mark.parametrize("level", [0.0, FLOOR])
def test_ties_and_ruins_alone_still_end_with_a_mix(level):
    found = run(3, lambda asked: [np.full(len(one.shots), level) for one in asked], 50)[-1]
    assert 0.8 - 1e-3 <= sum(found.best) <= 1.8 + 1e-3
    assert found.estimate == pytest.approx(level, abs=0.2)


def test_ruined_totals_are_left_alone():
    def measure(asked):
        return [np.full(len(one.shots), FLOOR if sum(one.strengths) > 1.2 else sum(one.strengths)) for one in asked]

    steps = run(2, measure, 100)
    assert sum(steps[-1].best) < 1.25
    assert steps[-1].max_total < 1.41
    later = [sum(one.strengths) for step in steps[3:] for one in step.asked]
    assert np.mean(np.array(later) > 1.25) < 0.3


def test_a_useless_model_is_left_nearly_out():
    there = world(3, 4)
    harmful = there.own.copy()
    harmful[0] *= 4
    spoiled = replace(there, own=harmful, shared=there.shared * [0.1, 1, 1])
    found = [*search(space(3), spoiled.measure, 100, 0, Beginning(there.predicted_total))][-1]
    assert found.best[0] < 0.15
    assert float(spoiled.hit_rate(found.best)) > 0.85 * spoiled.best()[1]


def test_a_likeness_that_is_no_number_is_named():
    with pytest.raises(ElevenError, match="shot 0 at strengths .* is nan"):
        run(2, lambda asked: [np.full(len(one.shots), np.nan) for one in asked], 10)
    with pytest.raises(ElevenError, match="answers came for"):
        run(2, lambda asked: [], 10)
    with pytest.raises(ElevenError, match="likenesses came for"):
        run(2, lambda asked: [np.zeros(9) for one in asked], 10)
    with pytest.raises(UsageError, match="0 pictures"):
        run(2, peak((1, 1)), 0)


def test_what_was_measured_costs_nothing():
    account = Account(peak((0.5, 0.5)), 10)
    account.ask([np.array([0.5, 0.5])], range(4))
    account.ask([np.array([0.5, 0.5])], range(6))
    assert account.used == 6
    assert account.ask([np.array([0.1, 0.9])], range(8)) == (Asked((0.1, 0.9), (0, 1, 2, 3)),)


def test_a_mix_without_each_of_its_models_keeps_the_total():
    asked = drop_one(space(3), (0.6, 0.3, 0.0), (0, 1))
    assert [one.strengths for one in asked] == [(0.6, 0.3, 0.0), (0.0, 0.9, 0.0), (0.9, 0.0, 0.0)]
    assert len(drop_one(space(2), (1.0, 0.0), (0,))) == 1


def test_a_sweep_keeps_the_shares_and_the_knobs():
    asked = sweep(space(2, knobs=(Knob("te"),)), (0.8, 0.4, 0.5), (0,), (0.5, 1.25))
    assert [one.strengths for one in asked] == [(0.4, 0.2, 0.5), (1.0, 0.5, 0.5)]
