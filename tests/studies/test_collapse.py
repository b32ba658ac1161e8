"""How far a search goes beyond the usual total, and what the collapse meter says of what it found."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from tiny_study import BEST, LINES, Brightness, plan_with

from eleven.amplification.grams import Grams, LayerGram
from eleven.amplification.zones import EFFECT_AT_BEST
from eleven.engines.mock import MockEngine
from eleven.layers.layer import Layer
from eleven.studies.allotment import split
from eleven.studies.arms import Alone as AloneModel
from eleven.studies.collapse import HIGHEST, highest_total, noted, reading_of
from eleven.studies.ledger import open_ledger
from eleven.studies.making import Alone
from eleven.studies.objective import Objective, Weights
from eleven.studies.space import Space
from eleven.studies.study import Probed, Study
from eleven.studies.taking import open_taker
from eleven.studies.tuning import begin_from, tune


def grams(cosine):
    table = np.array([[4.0, 2 * cosine], [2 * cosine, 1.0]])
    return Grams(2, (LayerGram(Layer("unet.net.weight", (8, 8), "IN01"), table),))


def alone(*strengths):
    return [AloneModel(number, strength, 0.0) for number, strength in enumerate(strengths)]


@contextmanager
def study_of(folder, cosine=0.0, *, overlap=None, budget=400):
    search, confirmation = split(budget)
    prompts = tuple(f"a photo of eve, {number}" for number in range(40))
    plan = plan_with(search=search, confirmation=confirmation, prompts=prompts)
    maker = Alone(MockEngine(BEST, spread=0.1))
    with open_ledger(folder, plan) as ledger, open_taker(ledger, maker, Brightness()) as taker:
        probe = None if overlap is None else lambda: Probed(overlap)
        objective = Objective(LINES, Weights(prompt=0))
        known = None if cosine is None else grams(cosine)
        yield Study(taker, objective, Space(("a", "b")), probe=probe, grams=known)


@pytest.mark.parametrize(
    ("cosine", "overlap", "singles", "total"),
    [
        (1.0, 1.0, (1.5, 1.5), 1.5 * EFFECT_AT_BEST.red),
        (0.0, 0.0, (1.2, 1.2), 1.2 * 2**0.5 * EFFECT_AT_BEST.red),
        (1.0, 1.0, (0.8, 1.6), 1.6 * EFFECT_AT_BEST.red),
        (1.0, 1.0, (0.5, 0.5), 1.2 * 1.4),
    ],
)
def test_a_search_ends_where_the_red_zone_begins_with_room_beyond_the_preset(cosine, overlap, singles, total, tmp_path):
    with study_of(tmp_path, cosine, overlap=overlap) as study:
        begin_from(study, alone(*singles))
        assert highest_total(study, alone(*singles), None) == pytest.approx(total, abs=1e-3)


def test_the_predicted_total_has_room_too(tmp_path):
    with study_of(tmp_path, 1.0) as study:
        assert highest_total(study, alone(0.5, 0.5), 1.7) == pytest.approx(1.15 * 1.7)


def test_the_bound_is_told_once_and_kept(tmp_path):
    with study_of(tmp_path, 0.0) as study:
        first = highest_total(study, alone(1.0, 1.0), None)
        assert noted(study, HIGHEST) == f"{first:.4f}"
    with study_of(tmp_path, 0.9) as study:
        assert highest_total(study, alone(1.0, 1.0), None) == first


def test_nothing_is_bounded_or_read_where_the_layers_are_not_known(tmp_path):
    with study_of(tmp_path, None) as study:
        assert highest_total(study, alone(1.0, 1.0), 1.3) == float("inf")
        assert reading_of(study, (0.7, 0.7), alone(1.0, 1.0)) is None
        assert reading_of(study, (0.7, 0.7), alone(1.0)) is None


def test_no_total_beyond_the_bound_is_searched_and_the_mix_is_read(tmp_path):
    with study_of(tmp_path, 0.0) as study:
        study.taker.ledger.note(HIGHEST, "1.1000")
        searched = tune(study).searched
    assert max(sum(one.strengths) for _, one in searched.trials) <= 1.1 + 1e-3
    assert searched.reading is not None
    assert searched.reading.at_best
    assert searched.reading.total == pytest.approx(sum(searched.best), rel=0.2)
