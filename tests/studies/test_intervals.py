from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from eleven.errors import UsageError
from eleven.studies.intervals import hit_rate, mean_over_prompts, wilson


@pytest.mark.parametrize(
    ("hits", "shots", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_that_of_newcombes_table(hits, shots, low, high):
    found = wilson(hits, shots)
    assert (found.estimate, found.low, found.high) == pytest.approx((hits / shots, low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "shots"), [(0, 0), (3, 2), (-1, 5)])
def test_no_rate_of_impossible_hits(hits, shots):
    with pytest.raises(UsageError, match=f"{hits} hits of {shots} shots"):
        wilson(hits, shots)


def test_the_mean_over_prompts_of_equal_sizes_is_the_t_interval_of_their_means():
    values = np.random.default_rng(1).normal(size=(7, 4))
    found = mean_over_prompts(values.ravel(), np.repeat(list("abcdefg"), 4).tolist()).interval()
    means = values.mean(1)
    low, high = t.interval(0.95, 6, means.mean(), means.std(ddof=1) / np.sqrt(7))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_a_prompt_counts_by_its_shots():
    found = mean_over_prompts(np.array([1.0, 1.0, 1.0, 0.0]), ["a", "a", "a", "b"])
    assert found.estimate == 0.75
    assert found.freedom == 1
    assert found.error == pytest.approx(np.sqrt(2 * (0.75**2 + 0.75**2)) / 4)


def test_the_order_of_shots_does_not_matter():
    random = np.random.default_rng(2)
    values, prompts = random.normal(size=30), random.integers(5, size=30)
    order = random.permutation(30)
    one, two = mean_over_prompts(values, prompts.tolist()), mean_over_prompts(values[order], prompts[order].tolist())
    assert (one.estimate, one.error, one.freedom) == pytest.approx((two.estimate, two.error, two.freedom))


def test_with_one_prompt_the_shots_are_the_units():
    values = np.array([0.1, 0.5, 0.3])
    found = mean_over_prompts(values, ["a"] * 3)
    assert (found.error, found.freedom) == (pytest.approx(values.std(ddof=1) / np.sqrt(3)), 2)


def test_one_shot_has_no_error():
    with pytest.raises(UsageError, match="One shot"):
        mean_over_prompts(np.array([1.0]), ["a"])


@pytest.mark.parametrize(("values", "prompts"), [([], []), ([True], ["a", "b"])])
def test_each_shot_needs_its_prompt(values, prompts):
    with pytest.raises(UsageError, match=f"{len(values)} values for the prompts of {len(prompts)} shots"):
        hit_rate(np.array(values, bool), prompts)


def test_a_hit_rate_of_one_prompt_is_wilsons():
    assert hit_rate(np.array([True, False, True]), ["a"] * 3) == wilson(2, 3)


def test_prompts_that_differ_widen_a_hit_rate():
    hits = np.repeat([True, False] * 5, 10)
    apart = hit_rate(hits, np.repeat(np.arange(10), 10).tolist())
    alike = hit_rate(hits, np.tile(np.arange(10), 10).tolist())
    assert apart.high - apart.low > 2 * (alike.high - alike.low)
    assert 0 <= apart.low < 0.5 < apart.high <= 1


def test_a_hit_rate_of_nought_is_not_certain():
    found = hit_rate(np.zeros(100, bool), list(range(10)) * 10)
    assert found.low == 0 < found.high < 0.06
