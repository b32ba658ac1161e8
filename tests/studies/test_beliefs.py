from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from eleven.studies.beliefs import Beliefs, form, most_telling
from eleven.studies.space import Knob, Space
from eleven.studies.theory import Theory
from eleven.testing import world


def believed(space, rows, likeness, luck=0.05, shots=2):
    draw = np.random.default_rng(0)
    values = np.asarray(likeness)[:, None] + luck * draw.standard_normal((len(rows), shots))
    return form(space, 1.2, rows, values)


def mixes(count, rows, seed=0):
    draw = np.random.default_rng(seed)
    return draw.dirichlet(np.ones(count), rows) * draw.uniform(0.8, 1.5, (rows, 1))


@pytest.mark.parametrize(("models", "knobs"), [(1, 0), (2, 1), (6, 0)])
def test_slopes_are_those_of_the_likeness(models, knobs):
    theory, draw = Theory(models, knobs, 1.2), np.random.default_rng(1)
    at, rows = 0.5 * draw.standard_normal(theory.parameters), draw.uniform(0, 1, (5, models + knobs))
    steps = 1e-5 * np.eye(theory.parameters)
    measured = [(theory.likeness(at + one, rows) - theory.likeness(at - one, rows)) / 2e-5 for one in steps]
    assert np.allclose(theory.slopes(at, rows), np.array(measured).T, atol=1e-6)


def test_equal_models_are_best_at_the_usual_total():
    totals = np.linspace(0.8, 1.8, 101)
    theory = Theory(3, 0, 1.25)
    likeness = theory.likeness(np.zeros(theory.parameters), totals[:, None] * np.full(3, 1 / 3))
    assert totals[likeness.argmax()] == pytest.approx(1.25, abs=0.011)


def test_the_likeness_of_mixes_that_were_never_made_is_foretold():
    there, made, other = world(4, 3), mixes(4, 60), mixes(4, 40, seed=9)
    beliefs = believed(Space(tuple("abcd")), made, there.likeness(made))
    means, errors = beliefs.likeness(other)
    assert np.sqrt(np.mean((means - there.likeness(other)) ** 2)) < 0.06
    assert np.mean(np.abs(means - there.likeness(other)) < 3 * errors) > 0.9


def test_a_likeness_that_theory_does_not_know_is_learned_too():
    made, other = mixes(2, 80), mixes(2, 40, seed=9)

    def odd(rows):
        return 0.6 * np.sin(4 * rows[:, 0]) + 0.3 * rows[:, 1]

    means, _ = believed(Space(("a", "b")), made, odd(made)).likeness(other)
    assert np.corrcoef(means, odd(other))[0, 1] > 0.95


def test_knobs_are_best_where_pictures_say():
    draw = np.random.default_rng(2)
    rows = np.hstack([mixes(2, 60), draw.uniform(0, 1.5, (60, 1))])
    beliefs = believed(Space(("a", "b"), knobs=(Knob("te"),)), rows, -2 * (rows[:, 2] - 0.6) ** 2)
    tried = np.column_stack([np.full((31, 2), 0.6), np.linspace(0, 1.5, 31)])
    assert beliefs.highest(tried)[2] == pytest.approx(0.6, abs=0.11)


@pytest.mark.parametrize(
    ("errors", "caution", "chosen"), [((0.1, 0.4), 1.5, 0), ((0.2, 0.2), 1.5, 1), ((0.1, 0.4), 0.0, 1)]
)
def test_caution_chooses_the_surer_of_two_mixes_and_the_higher_of_two_as_sure(errors, caution, chosen):
    process = SimpleNamespace(unit=1.0, predict=lambda _: (np.array([0.0, 0.1]), np.array(errors)))
    rows = mixes(2, 2)
    assert np.array_equal(Beliefs(Space(("a", "b")), 1.2, process).highest(rows, caution), rows[chosen])


def test_what_tells_most_is_not_known_already():
    space, made = Space(("a", "b")), np.array([[0.6, 0.6]] * 30 + [[0.5, 0.7], [0.7, 0.5]])
    draw = np.random.default_rng(0)
    values = draw.standard_normal((32, 2))
    beliefs = form(space, 1.2, made, values)
    rows = np.vstack([made, mixes(2, 40)])
    picked = most_telling(beliefs, rows, 4, 2)
    assert not {*picked} & {*range(30)}
    assert 1 <= len(picked) == len(set(picked)) <= 4
