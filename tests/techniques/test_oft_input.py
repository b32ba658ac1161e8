"""OFT on the input side against dense float64 formulas: what PEFT's merge (test_peft_parity) does not cover."""

from itertools import product
from math import sqrt

import pytest
import torch

from eleven.delta import Dense
from eleven.errors import TensorError
from eleven.techniques import oft_input

BOUND = 1e-6
SHAPES = [(20, 12), (20, 12, 1, 1), (20, 12, 3, 3)]
ONE = torch.tensor(1.0)


class Base:
    def __init__(self, *shape):
        torch.manual_seed(1)
        self.kept = torch.randn(*shape, dtype=torch.float64)

    def weight(self):
        return self.kept

    def bias(self):
        return None


def packed(rows, pairs, scale=0.1):
    torch.manual_seed(2)
    return scale * torch.randn(rows, pairs, dtype=torch.float64)


def dense(upper, weight, size, rule):
    """W·blockdiag(R)ᵀ − W with R = rule(Q), by explicit loops over the packed triangles."""
    flat, blocks = weight.flatten(1), []
    rows = upper if upper.shape[0] > 1 else upper.expand(flat.shape[1] // size, -1)
    for row in rows:
        skew, places = torch.zeros(size, size, dtype=torch.float64), iter(row)
        for first in range(size):
            for second in range(first + 1, size):
                skew[first, second] = next(places)
                skew[second, first] = -skew[first, second]
        blocks.append(rule(skew, torch.eye(size, dtype=torch.float64)))
    return flat @ torch.block_diag(*blocks).T - flat


def series(skew, eye):
    return eye + 2 * skew + 2 * skew @ skew + 2 * skew @ skew @ skew + torch.linalg.matrix_power(skew, 4)


def old_series(skew, eye):
    return series(skew, eye) + torch.linalg.matrix_power(skew, 4)


def solved(skew, eye):
    return (eye - skew) @ torch.linalg.inv(eye + skew)


MODES = {"": series, "oft_R.exact": solved, "oft_R.old": old_series}


def error(delta, expected):
    return float((delta.dense() - expected).norm() / expected.norm())


@pytest.mark.parametrize(("shape", "mode", "shared"), list(product(SHAPES, MODES, (False, True))))
def test_delta_is_the_dense_formula(shape, mode, shared):
    base = Base(*shape)
    columns = base.kept[0].numel()
    tensors = {oft_input.PACKED: packed(1 if shared else columns // 4, 6)} | ({mode: ONE} if mode else {})
    change = oft_input.decode(tensors, base)
    delta = change["weight"]
    assert error(delta, dense(tensors[oft_input.PACKED], base.kept, 4, MODES[mode])) < BOUND
    x = torch.randn(columns, 3, dtype=torch.float64)
    assert torch.allclose(delta @ x, delta.dense() @ x)
    assert torch.allclose(delta.T @ (delta @ x), delta.dense().T @ (delta @ x))
    again = oft_input.encode(change)
    assert again.keys() == tensors.keys()
    assert torch.equal(oft_input.decode(again, base)["weight"].dense(), delta.dense())


def test_exact_mode_turns_the_other_way_than_the_series():
    base = Base(20, 12)
    tensors = {oft_input.PACKED: packed(3, 6, 0.02)}
    one = oft_input.decode(tensors, base)["weight"].turn
    other = oft_input.decode(tensors | {"oft_R.exact": ONE}, base)["weight"].turn
    assert (one - other.mT).norm() < 0.01 * one.norm()
    assert (one - other).norm() > one.norm()


@pytest.mark.parametrize("size", [2, 4, 12])
def test_onetrainer_marker_divides_by_twice_the_root_of_the_size(size):
    base = Base(20, 12)
    weights = packed(12 // size, size * (size - 1) // 2)
    marked = {oft_input.PACKED: weights, "oft_R.scaled_oft": torch.tensor(True)}
    change = oft_input.decode(marked, base)
    assert error(change["weight"], dense(weights / (2 * sqrt(size - 1)), base.kept, size, series)) < BOUND
    again = oft_input.encode(change)
    assert again.keys() == {oft_input.PACKED}
    assert torch.equal(oft_input.decode(again, base)["weight"].dense(), change["weight"].dense())


def test_one_row_for_a_whole_layer_is_one_block():
    base = Base(20, 12)
    tensors = {oft_input.PACKED: packed(1, 66)}
    expected = dense(tensors[oft_input.PACKED], base.kept, 12, series)
    assert error(oft_input.decode(tensors, base)["weight"], expected) < BOUND
    assert oft_input.measure({oft_input.PACKED: (1, 66)}).matrix == (None, None)
    assert oft_input.measure({oft_input.PACKED: (3, 6)}).matrix == (None, 12)


def test_terms_and_limit_survive_encoding():
    base = Base(20, 12)
    tensors = {oft_input.PACKED: packed(3, 6), "oft_R.terms": torch.tensor(7), "oft_R.coft": torch.tensor(0.05)}
    change = oft_input.decode(tensors, base)
    again = oft_input.encode(change)
    assert float(again["oft_R.terms"]) == 7
    assert "oft_R.coft" not in again
    assert torch.equal(oft_input.decode(again, base)["weight"].dense(), change["weight"].dense())


@pytest.mark.parametrize("shape", [(3,), (3, 5), (0, 6), (3, 0), (3, 6, 1)])
def test_contradicting_shapes_are_refused(shape):
    with pytest.raises(TensorError):
        oft_input.measure({oft_input.PACKED: shape})


def test_a_missing_generator_is_refused():
    with pytest.raises(TensorError, match="oft_R.weight is missing"):
        oft_input.measure({"oft_R.exact": ()})


@pytest.mark.parametrize(
    "tensors",
    [
        {oft_input.PACKED: packed(2, 6)},
        {oft_input.PACKED: packed(1, 10)},
        {oft_input.PACKED: packed(3, 6) * float("nan")},
        {oft_input.PACKED: packed(3, 6) * 1e200},
        {oft_input.PACKED: packed(3, 6), "oft_R.terms": torch.tensor(0)},
        {oft_input.PACKED: packed(3, 6), "oft_R.terms": torch.tensor(2.5)},
        {oft_input.PACKED: packed(3, 6), "oft_R.terms": torch.tensor(1e9)},
        {oft_input.PACKED: packed(3, 6), "oft_R.coft": torch.tensor(float("inf"))},
    ],
)
def test_bad_numbers_are_refused(tensors):
    with pytest.raises(TensorError):
        oft_input.decode(tensors, Base(20, 12))


def test_a_foreign_delta_is_not_encoded():
    with pytest.raises(TensorError):
        oft_input.encode({"weight": Dense(torch.zeros(2, 2))})
