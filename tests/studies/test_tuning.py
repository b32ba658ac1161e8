"""The main job without models: the hidden best is found, confirmed against singles, and told when nothing is gained."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_study import BEST, LINES, PLAN, Brightness, CountingEngine, content, plan_with, tuned

from eleven.engines.mock import MockEngine
from eleven.errors import UsageError
from eleven.studies.allotment import allot, least, split
from eleven.studies.arms import Alone as AloneModel
from eleven.studies.arms import Arm, arms_of
from eleven.studies.comparing import compare_arms
from eleven.studies.confirming import confirm, whole_blocks, winner_of
from eleven.studies.landscape import landscape
from eleven.studies.ledger import open_ledger
from eleven.studies.making import Alone, Stopwatch
from eleven.studies.objective import Objective
from eleven.studies.sequential import Verdict
from eleven.studies.space import Knob, Space
from eleven.studies.study import Probed, Study
from eleven.studies.taking import open_taker
from eleven.studies.tuning import begin_from, tune, without_traces

ONE_IS_ALL = {"a.safetensors": 1.0, "b.safetensors": 0.0}


def test_the_hidden_best_is_found_and_confirmed(tmp_path):
    study, found = tuned(tmp_path, BEST)
    assert np.abs(np.array(found.best) - [0.7, 0.6]).max() < 0.15
    confirmation = found.confirmation
    assert confirmation.verdict is Verdict.CONFIRMED
    assert winner_of(confirmation, study) == 0
    claim = confirmation.claim(study)
    assert claim is not None
    assert 0 < claim[1].low < claim[0].interval.low < claim[0].mean.estimate
    rival = confirmation.arms[confirmation.rival or 0]
    assert rival.role == "single"
    shares = [study.perfect(scores).mean() for scores in confirmation.scores]
    assert shares[0] > max(shares[1:3]) + 0.2
    assert [arm.role for arm in confirmation.arms] == ["mix", "single", "single", "preset", "raised single", "base"]


def test_the_landscape_is_highest_near_the_hidden_best(tmp_path):
    def look(study):
        searched = tune(study).searched
        return landscape(study.space, study.measure, [one for _, one in searched.trials])

    _, (totals, shares, likeness) = tuned(tmp_path, BEST, then=look)
    row, column = np.unravel_index(likeness.argmax(), likeness.shape)
    assert abs(totals[column] - 1.3) < 0.25
    assert abs(shares[row] - 0.7 / 1.3) < 0.2


@pytest.mark.parametrize("budget", [least(2), 150, 300])
def test_a_budget_is_never_exceeded_and_confirmation_is_on_fresh_shots(tmp_path, budget):
    engine = CountingEngine(MockEngine(BEST, spread=0.1))
    _, found = tuned(tmp_path, BEST, budget, Alone(engine))
    assert engine.count <= budget
    asked = {shot.seed for shot in found.confirmation.shots}
    searched = {one.shot for one in content(tmp_path) if one.shot.seed not in asked}
    assert searched
    assert {shot.prompt for shot in found.confirmation.shots}.isdisjoint(shot.prompt for shot in searched)


def test_a_model_that_adds_nothing_is_left_out_and_the_single_recommended(tmp_path):
    study, found = tuned(tmp_path, ONE_IS_ALL)
    winner = found.confirmation.arms[winner_of(found.confirmation, study)]
    assert winner.strengths[0] == pytest.approx(1.0, abs=0.15)
    assert winner.strengths[1] < 0.1


def confirmed_of(folder, best, strengths, shots=80):
    """A study whose search ended at these strengths, on fresh shots."""
    alone = [AloneModel(0, 0.9, 0.0), AloneModel(1, 0.9, -0.1)]
    prompts = tuple(f"a photo of eve, {number}" for number in range(40))
    maker = Alone(MockEngine(best, spread=0.15))
    with open_ledger(folder, plan_with(prompts=prompts)) as ledger, open_taker(ledger, maker, Brightness()) as taker:
        study = Study(taker, Objective(LINES), Space(("a", "b")))
        return study, confirm(study, arms_of(study.space, strengths, alone), shots)


def test_usual_strengths_that_are_ahead_of_the_mix_are_handed_over(tmp_path):
    study, found = confirmed_of(tmp_path, {"a.safetensors": 0.7, "b.safetensors": 0.7}, (0.35, 0.95))
    winner = found.arms[winner_of(found, study)]
    assert (winner.role, winner.strengths) == ("preset", (0.7, 0.7))
    assert found.leader == winner_of(found, study)
    assert found.verdict is Verdict.CONFIRMED


@pytest.mark.parametrize("strengths", [(0.9, 0.0), (0.9, 0.001), (0.6, 0.5)])
def test_a_single_that_is_as_good_or_better_is_handed_over_at_its_own_strength(tmp_path, strengths):
    study, found = confirmed_of(tmp_path, {"a.safetensors": 0.9, "b.safetensors": 0.0}, strengths, 320)
    winner = found.arms[winner_of(found, study)]
    assert (winner.role, winner.strengths) == ("single", (0.9, 0.0))
    assert found.verdict in (Verdict.WORSE, Verdict.NO_DIFFERENCE)


def test_the_live_view_tells_who_is_ahead_and_how_sure_that_is(tmp_path):
    heard: list[str] = []
    alone = [AloneModel(0, 0.9, 0.0), AloneModel(1, 0.9, -0.1)]
    maker = Alone(MockEngine(BEST, spread=0.5))
    with open_ledger(tmp_path, plan_with()) as ledger, open_taker(ledger, maker, Brightness()) as taker:
        study = Study(taker, Objective(LINES), Space(("a", "b")), heard.append)
        confirm(study, arms_of(study.space, (0.5, 0.4), alone), 40)
    assert heard[0] == "fresh shots, look 1 of 5"
    assert "is ahead," in heard[1]
    assert heard[1].endswith(" to 1")


@pytest.mark.parametrize(
    ("knob", "hidden"),
    [
        (Knob("te", (0.0, 1.2), addresses=("te",)), {"te": 0.5}),
        (Knob("early", (0.5, 1.5), addresses=("IN01", "IN02")), {"IN01": 1.3, "IN02": 1.3}),
    ],
)
def test_the_hidden_best_of_a_knob_is_found(tmp_path, knob, hidden):
    search, confirmation = split(600)
    plan = plan_with(search=search, confirmation=confirmation, knobs=(knob,))
    maker = Alone(MockEngine(BEST, spread=0.1, knobs=hidden))
    with open_ledger(tmp_path, plan) as ledger, open_taker(ledger, maker, Brightness()) as taker:
        study = Study(taker, Objective(LINES), Space(("a", "b"), knobs=(knob,)))
        found = tune(study)
        (value,) = found.confirmation.arms[0].knobs
        mix = study.plan.mix(found.confirmation.arms[0].row)
    assert value == pytest.approx(next(iter(hidden.values())), abs=0.15)
    assert np.abs(np.array(found.best[:2]) - [0.7, 0.6]).max() < 0.15
    assert found.confirmation.verdict is Verdict.CONFIRMED
    assert mix is not None
    assert set(mix.parts[0].at) == set(knob.addresses)


def test_a_study_that_is_done_costs_nothing_again(tmp_path):
    first = tuned(tmp_path, BEST)[1]
    engine = CountingEngine(MockEngine(BEST, spread=0.1))
    again = tuned(tmp_path, BEST, maker=Alone(engine))[1]
    assert engine.count == 0
    assert again.best == first.best
    assert again.confirmation.scores == first.confirmation.scores


def test_too_small_a_budget_says_what_would_do(tmp_path):
    with pytest.raises(UsageError, match="too few") as caught:
        tuned(tmp_path, BEST, 40)
    enough = int("".join(filter(str.isdigit, caught.value.hint)))
    assert tuned(tmp_path / "more", BEST, enough)[1].confirmation.shots


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_shares_add_up_to_no_more_than_the_budget(count):
    for budget in (least(count), 2 * least(count), 1000, 5000):
        search, confirmation = split(budget)
        shares = allot(search, confirmation, count)
        checks = (count if count > 1 else 0) + 5
        assert search + confirmation == budget
        assert shares.alone * (count if count > 1 else 0) + shares.search + checks * shares.check <= search
        assert min(shares.search, shares.confirmation) > 0


def test_arms_given_are_compared_with_the_first(tmp_path):
    arms = [Arm("weak", "given", (0.2, 0.1)), Arm("best", "given", (0.7, 0.6)), Arm("none", "given", (0.0, 0.0))]
    study, found = tuned(tmp_path, BEST, then=lambda study: compare_arms(study, arms))
    assert found.rival == 0
    assert winner_of(found, study) == 1
    better = found.against_rival(study, 1)
    assert better is not None
    assert better.mean.estimate > 0.3
    assert found.against_rival(study, 0) is None


def test_the_best_single_is_turned_up_and_equal_arms_are_measured_once():
    space = Space(("a", "b"))
    alone = [AloneModel(0, 0.9, -1.0), AloneModel(1, 1.0, -0.5)]
    arms = arms_of(space, (0.7, 0.7), alone)
    assert [arm.name for arm in arms] == ["the mix", "b", "a", "b × 1.4", "no model"]
    assert arms[3].strengths == (0.0, 1.4)
    single = arms_of(space, (0.0, 1.1), alone)
    assert "mix" not in [arm.role for arm in single]
    assert single[0].strengths == (0.0, 1.1)


@pytest.mark.parametrize(
    ("best", "kept"),
    [((1.2, 0.1), (1.2, 0.0)), ((0.6, 0.1), (0.6, 0.1)), ((0.3, 0.04), (0.34, 0.0)), ((0.1, 1.0), (0.0, 1.1))],
)
def test_a_model_that_shows_in_hardly_any_picture_is_left_out(best, kept):
    assert without_traces(Space(("a", "b")), best) == kept
    assert without_traces(Space(("a", "b"), ((0.01, 1.2),) * 2), best) == best
    assert without_traces(Space(("a", "b"), knobs=(Knob("te"),)), (*best, 0.02)) == (*kept, 0.02)


def test_of_many_equal_models_none_is_left_out():
    best = (0.12,) * 11
    assert without_traces(Space(tuple("abcdefghijk")), best) == best


def test_where_a_negative_prompt_guides_the_best_is_shown_with_half_of_it_for_that():
    alone = [AloneModel(0, 0.9, -1.0), AloneModel(1, 1.0, -0.5)]
    guided = [arm for arm in arms_of(Space(("a", "b")), (0.8, 0.6), alone, is_guided=True) if arm.role == "guided"]
    assert [(arm.strengths, arm.share, arm.is_aside) for arm in guided] == [((0.5657, 0.4243), 0.5, True)]
    mix = guided[0].mix(PLAN)
    assert mix is not None
    assert [(part.strength, part.negative) for part in mix.parts] == [(0.5657, 0.5), (0.4243, 0.5)]
    searched = Space(("a", "b"), knobs=(Knob("share", addresses=("negative",)),))
    assert "guided" not in [arm.role for arm in arms_of(searched, (0.8, 0.6, 0.3), alone, is_guided=True)]


@pytest.mark.parametrize(("shots", "sizes"), [(8, [8]), (24, [8, 16, 24]), (80, [16, 32, 48, 64, 80]), (3, [3])])
def test_looks_are_whole_blocks(shots, sizes):
    assert whole_blocks(shots) == sizes


def test_the_watch_counts_what_pictures_took(tmp_path):
    watch = Stopwatch(Alone(MockEngine(BEST)))
    tuned(tmp_path, BEST, 200, watch)
    assert watch.seconds > 0


@pytest.mark.parametrize(("shared", "total"), [(0.2, 2 / 1.2), (0.9, 2 / 1.9), (-0.3, 2.0)])
def test_models_that_have_more_in_common_are_begun_with_less(tmp_path, shared, total):
    asked = []
    maker = Alone(MockEngine(BEST))
    with open_ledger(tmp_path, plan_with()) as ledger, open_taker(ledger, maker, Brightness()) as taker:
        study = Study(
            taker, Objective(LINES), Space(("a", "b")), probe=lambda: asked.append(1) or Probed(shared, (0.7, 0.3))
        )
        alone = [AloneModel(0, 0.9, 0.0), AloneModel(1, 1.1, 0.0)]
        first, second = (begin_from(study, alone) for _ in range(2))
    assert len(asked) == 1
    assert first.predicted_total == second.predicted_total == pytest.approx(total)
    assert first.single_best == 1.1
    assert first.ratios == second.ratios == (0.7, 0.3)
