"""What holds for every row of METHODS, on thin, full and summed deltas."""

import re
from itertools import permutations

import numpy as np
import pytest
import torch
from method_cases import CASES, IDS, SHAPES, STRENGTHS, VARIANTS, WHOLE, deltas_of, error, setting_of
from method_references import REFERENCES

from eleven.algebra import norm
from eleven.delta import Delta, LowRank, Sum
from eleven.errors import TensorError, UsageError
from eleven.methods import METHODS, Setting, find_method, settle
from eleven.methods.parts import digest
from eleven.methods.sparsify import uniform

DECIDING = [case for case in CASES if case[0].name not in ("sum", "model_stock", "functional")]
every_case = pytest.mark.parametrize(("row", "options"), CASES, ids=IDS)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_row = pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)


def settled(row, given):
    return settle(row, {option.name: given[option.name] for option in row.options if option.name in given})


def total(deltas, strengths):
    return sum(strength * delta.dense().double() for strength, delta in zip(strengths, deltas, strict=True))


def reference(row, deltas, strengths, setting):
    parts = np.stack([delta.dense().double().numpy() for delta in deltas])
    draws = np.stack([uniform(delta.dense(), setting, digest(delta)).numpy() for delta in deltas])
    given = {**setting.options, "draws": draws, "activations": setting.activations.double().numpy()}
    return REFERENCES[row.name](parts, np.array(strengths), given)


def test_every_row_has_a_reference_and_every_reference_a_row():
    assert set(REFERENCES) == {row.name for row in METHODS}
    assert set(VARIANTS) <= set(REFERENCES)


@every_case
@every_shape
@pytest.mark.parametrize("count", [1, 2, 4])
def test_equals_its_dense_formula(row, options, shape, count):
    deltas, strengths, setting = deltas_of(shape)[:count], STRENGTHS[:count], setting_of(shape, options)
    result = row.function(deltas, strengths, setting)
    assert isinstance(result, Delta)
    assert result.shape == shape
    assert result.dense().dtype == torch.float32
    assert error(result, reference(row, deltas, strengths, setting)) < 5e-6


@every_case
@every_shape
def test_the_order_of_the_parts_does_not_matter(row, options, shape):
    deltas, setting = deltas_of(shape), setting_of(shape, options)
    wanted = row.function(deltas, STRENGTHS, setting).dense()
    for order in permutations(range(4)):
        result = row.function([deltas[i] for i in order], [STRENGTHS[i] for i in order], setting)
        assert error(result, wanted) < 1e-6


@pytest.mark.parametrize(("row", "options"), DECIDING)
@every_shape
def test_rules_that_decide_entry_by_entry_give_equal_bits_in_any_order(row, options, shape):
    deltas, setting = deltas_of(shape), setting_of(shape, options)
    wanted = row.function(deltas, STRENGTHS, setting).dense()
    for order in permutations(range(4)):
        result = row.function([deltas[i] for i in order], [STRENGTHS[i] for i in order], setting)
        assert torch.equal(result.dense(), wanted)


@every_row
def test_opposite_parts_cancel(row):
    delta, setting = deltas_of((12, 18))[1], setting_of((12, 18), settled(row, WHOLE))
    opposite = Sum(((-1.0, delta),))
    assert norm(row.function([delta, opposite], [0.6, 0.6], setting)) < 1e-6


@every_case
@pytest.mark.parametrize("factor", [2.5, 1e-3, -0.7])
def test_a_common_factor_of_the_strengths_comes_out(row, options, factor):
    deltas, setting = deltas_of((12, 18)), setting_of((12, 18), options)
    wanted = row.function(deltas, STRENGTHS, setting).dense() * factor
    result = row.function(deltas, [strength * factor for strength in STRENGTHS], setting)
    assert error(result, wanted) < 2e-6


@every_case
@every_shape
def test_a_part_of_strength_zero_is_as_if_absent(row, options, shape):
    deltas, setting = deltas_of(shape), setting_of(shape, options)
    wanted = row.function(deltas[:2], STRENGTHS[:2], setting).dense()
    assert error(row.function(deltas, (*STRENGTHS[:2], 0.0, 0.0), setting), wanted) < 1e-6


@every_case
def test_all_strengths_zero_give_zero(row, options):
    result = row.function(deltas_of((12, 18)), [0.0] * 4, setting_of((12, 18), options))
    assert result.shape == (12, 18)
    assert not result.dense().any()


@every_case
def test_deltas_that_are_zero_give_zero(row, options):
    empty = LowRank(torch.zeros(12, 2), torch.ones(2, 18))
    result = row.function([empty, empty], [0.5, 0.5], setting_of((12, 18), options))
    assert not result.dense().any()


@every_case
def test_equal_input_gives_equal_bits_and_leaves_the_input_alone(row, options):
    deltas = deltas_of((12, 18))
    before = [delta.dense().clone() for delta in deltas]
    first = row.function(deltas, STRENGTHS, setting_of((12, 18), options)).dense().clone()
    torch.rand(3)
    state = torch.get_rng_state()
    again = row.function(deltas_of((12, 18)), STRENGTHS, setting_of((12, 18), options)).dense()
    assert torch.equal(first, again)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(delta.dense(), old) for delta, old in zip(deltas, before, strict=True))


@every_row
@every_shape
def test_one_part_of_which_nothing_is_dropped_is_strength_times_delta(row, shape):
    setting = setting_of(shape, settled(row, WHOLE))
    for delta in deltas_of(shape):
        for strength in (0.7, -1.3):
            assert error(row.function([delta], [strength], setting), strength * delta.dense()) < 1e-6


@every_row
def test_identical_parts_of_which_nothing_is_dropped_are_their_sum(row):
    setting = setting_of((12, 18), settled(row, {**WHOLE, "ridge": 1e-9}))
    for delta in deltas_of((12, 18)):
        result = row.function([delta] * 3, [0.5, 0.4, 0.2], setting)
        assert error(result, 1.1 * delta.dense()) < 1e-6


@every_row
def test_the_scale_is_that_of_the_sum(row):
    deltas, setting = deltas_of((12, 18))[:2], setting_of((12, 18), settled(row, {}))
    size = norm(row.function(deltas, [0.7, 0.7], setting)) / float(total(deltas, [0.7, 0.7]).norm())
    assert 0.2 < size < 2


@pytest.mark.parametrize("name", ["sum", "model_stock", "knots", "functional"])
def test_factors_stay_factors_of_the_summed_rank(name):
    row, thin = find_method(name), [deltas_of((40, 60), seed)[0] for seed in range(3)]
    both = row.function(thin, [0.7, 0.3, 0.2], setting_of((40, 60), settled(row, {}))).factors()
    assert both is not None
    assert both[0].shape[1] <= 9


def test_the_sum_is_lazy():
    deltas = deltas_of((12, 18))
    result = find_method("sum").function(deltas, STRENGTHS, setting_of((12, 18), {}))
    assert isinstance(result, Sum)
    assert all(term is delta for (_, term), delta in zip(result.terms, deltas, strict=True))


@every_row
def test_unequal_counts_of_deltas_and_strengths_are_refused(row):
    with pytest.raises(ValueError, match="shorter|longer"):
        row.function(deltas_of((12, 18)), [0.5], setting_of((12, 18), settled(row, {})))


@every_row
def test_a_row_names_its_source_and_says_one_sentence(row):
    assert re.search(r"arXiv \d{4}\.\d{5}$", row.paper) or row.name == "functional"
    assert row.text.endswith(".") and row.text.count(". ") == 0
    assert all(option.allows(option.default) for option in row.options)
    assert find_method(row.name) is row


@every_row
def test_activations_are_asked_for_where_the_row_says_so(row):
    setting = Setting(torch.Generator(), settle(row, {}))
    if row.needs_activations:
        with pytest.raises(UsageError, match="functional needs activations.*choose a method that needs none"):
            row.function(deltas_of((12, 18)), STRENGTHS, setting)
    else:
        assert row.function(deltas_of((12, 18)), STRENGTHS, setting).shape == (12, 18)


def test_activations_of_another_layer_are_refused():
    row = find_method("functional")
    for wrong in (torch.ones(4, 17), torch.ones(18), torch.ones(0, 18), torch.full((4, 18), torch.nan)):
        with pytest.raises(TensorError, match="activations"):
            row.function(deltas_of((12, 18)), STRENGTHS, Setting(torch.Generator(), settle(row, {}), wrong))


@pytest.mark.parametrize(("typed", "meant"), [("tie", "ties"), ("Model-Stock", "model_stock"), ("knot", "knots")])
def test_a_wrong_name_gets_the_nearest_and_all_names(typed, meant):
    with pytest.raises(UsageError, match=f"no method '{typed}'. Did you mean {meant}.*sum, magnitude, ties"):
        find_method(typed)


def test_a_name_near_nothing_gets_no_guess():
    with pytest.raises(UsageError, match=r"'xyz'\. There are sum,"):
        find_method("xyz")


@pytest.mark.parametrize("value", [0, 1.01, -0.5, float("nan"), True, "half"])
def test_an_option_beyond_its_range_is_refused_with_the_range(value):
    with pytest.raises(UsageError, match="density of ties is .*must be 0.001 to 1"):
        settle(find_method("ties"), {"density": value})


def test_an_unknown_option_or_word_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match="ties has no option 'densty'. It has density"):
        settle(find_method("ties"), {"densty": 0.5})
    with pytest.raises(UsageError, match="sum has no option 'density'. It has no options"):
        settle(find_method("sum"), {"density": 0.5})
    with pytest.raises(UsageError, match="merge of knots is 'mean'.*ties or sum"):
        settle(find_method("knots"), {"merge": "mean"})


def test_settle_fills_in_the_defaults():
    assert settle(find_method("della"), {"density": 0.4}) == {"density": 0.4, "epsilon": 0.2}
