from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_1samp

from eleven.errors import UsageError
from eleven.studies.differences import compare, holm, mcnemar, newcombe


def pairs(both, first_only, second_only, neither):
    """Hits of two arms on the same shots, from the four counts."""
    counts = (both, first_only, second_only, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [((36, 12, 2, 0), 0.0569, 0.3404), ((36, 14, 0, 0), 0.1528, 0.4167), ((0, 0, 0, 30), -0.1135, 0.1135)],
)
def test_newcombes_interval_is_that_of_his_tables(counts, low, high):
    found = newcombe(*pairs(*counts))
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (8, 1), (5, 5), (40, 22)])
def test_mcnemar_is_the_exact_sign_test(wins, losses):
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar(wins, losses) == pytest.approx(expected)


def test_one_prompt_is_compared_by_pairs_and_says_so():
    found = compare(*pairs(36, 12, 2, 0), ["a"] * 50)
    assert found.interval == newcombe(*pairs(36, 12, 2, 0))
    assert found.p_value == mcnemar(12, 2)
    assert (found.wins, found.ties, found.losses, found.prompts) == (12, 36, 2, 1)
    assert found.this_prompt_only


def test_several_prompts_are_compared_by_t_over_their_means():
    random = np.random.default_rng(3)
    first, second = random.normal(size=(6, 5)), random.normal(0.3, size=(6, 5))
    found = compare(first.ravel(), second.ravel(), np.repeat(np.arange(6), 5).tolist())
    apart = (first - second).mean(1)
    expected = ttest_1samp(apart, 0)
    low, high = expected.confidence_interval()
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.interval.estimate == pytest.approx(apart.mean())
    assert not found.this_prompt_only
    assert found.bootstrap is not None
    assert found.bootstrap.low < found.interval.estimate < found.bootstrap.high


@pytest.mark.parametrize(("prompts", "few"), [(4, True), (5, False)])
def test_fewer_than_five_prompts_tell_of_themselves_only(prompts, few):
    names = list(range(prompts)) * 3
    assert compare(np.arange(len(names)) * 1.0, np.zeros(len(names)), names).this_prompt_only is few


def test_two_arms_that_never_hit_are_not_equal_for_certain():
    found = compare(np.zeros(60, bool), np.zeros(60, bool), list(range(12)) * 5)
    assert found.interval.low < -0.03
    assert found.interval.high > 0.03
    assert found.p_value == 1


def test_prompts_by_chance_alike_do_not_make_a_difference_certain():
    first, second = np.tile([True, False], 10), np.zeros(20, bool)
    found = compare(first, second, np.repeat(np.arange(10), 2).tolist())
    assert found.interval.high - found.interval.low > 0.3


def test_the_same_pictures_do_not_differ():
    values = np.random.default_rng(4).normal(size=20)
    found = compare(values, values, list(range(10)) * 2)
    assert (found.interval.low, found.interval.high, found.p_value, found.ties) == (0, 0, 1, 20)


def test_swapping_the_arms_swaps_the_signs():
    random = np.random.default_rng(5)
    first, second, names = random.random(60) < 0.5, random.random(60) < 0.3, list(range(12)) * 5
    one, two = compare(first, second, names, draws=0), compare(second, first, names, draws=0)
    assert (one.interval.low, one.interval.high) == pytest.approx((-two.interval.high, -two.interval.low))
    assert (one.wins, one.losses, one.p_value) == (two.losses, two.wins, pytest.approx(two.p_value))


def test_the_bootstrap_knows_prompts_and_seeds():
    random = np.random.default_rng(6)
    names = np.repeat(np.arange(20), 10).tolist()
    by_prompt = np.repeat(random.normal(size=20), 10)
    by_seed = random.normal(size=200)
    nothing = np.zeros(200)
    wide, narrow = compare(by_prompt, nothing, names).bootstrap, compare(by_seed, nothing, names).bootstrap
    assert wide is not None and narrow is not None
    assert wide.high - wide.low == pytest.approx(2 * 1.96 * by_prompt.std() / np.sqrt(20), rel=0.1)
    expected = np.sqrt(by_seed.var() / 200 + by_seed.reshape(20, 10).mean(1).var() / 20)
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 * expected, rel=0.1)
    assert compare(by_seed, nothing, names, seed=0).bootstrap == narrow
    assert compare(by_seed, nothing, names, seed=1).bootstrap != narrow


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(UsageError, match="3 shots against 2"):
        compare(np.zeros(3), np.zeros(2), ["a"] * 3)
    with pytest.raises(UsageError, match="not finite"):
        compare(np.array([np.nan, 1.0]), np.zeros(2), ["a", "b"])


def test_holm_is_that_of_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_makes_a_claim_easier(p_values):
    adjusted = holm(p_values)
    assert all(one <= two <= 1 for one, two in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.asarray(adjusted)[order]) >= 0).all()
