"""Against peft's own merging functions, where they mean the same.

They differ on purpose. Peft elects the sign without the strengths and divides by the number of parts that agree; Eleven
by their strengths, times the strengths of all: for equal strengths its ties is peft's times the number of parts. And
peft draws from the global generator, so that dare agrees only where both are given the same draws.
"""

import pytest
import torch
from method_cases import deltas_of, error, setting_of
from peft.utils import merge_utils

from eleven.methods import find_method
from eleven.methods.parts import digest
from eleven.methods.sparsify import uniform

SHAPE = (20, 30)
STRENGTHS = [0.7, -0.2, 0.45]


@pytest.fixture
def deltas():
    return deltas_of(SHAPE)[:3]


def tensors(deltas):
    return [delta.dense() for delta in deltas]


def result(name, deltas, strengths, density):
    return find_method(name).function(deltas, strengths, setting_of(SHAPE, {"density": density}))


@pytest.fixture
def same_draws(monkeypatch, deltas):
    """Peft's coin tosses, one part after the other, replaced by Eleven's."""
    setting = setting_of(SHAPE, {})
    draws = iter([uniform(delta.dense(), setting, digest(delta)) for delta in deltas])
    monkeypatch.setattr(torch, "bernoulli", lambda chances: (next(draws) < chances).float())


@pytest.mark.parametrize("density", [0.1, 0.35, 0.8])
def test_magnitude_pruning(deltas, density):
    wanted = merge_utils.magnitude_prune(tensors(deltas), torch.tensor(STRENGTHS), density)
    assert error(result("magnitude", deltas, STRENGTHS, density), wanted) < 1e-6


@pytest.mark.parametrize("density", [0.1, 0.35, 0.8])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_ties_with_equal_strengths_is_so_many_times_the_one_of_peft(deltas, density, count):
    strengths = [0.7] * count
    wanted = merge_utils.ties(tensors(deltas[:count]), torch.tensor(strengths), density) * count
    assert error(result("ties", deltas[:count], strengths, density), wanted) < 1e-6


@pytest.mark.parametrize("density", [0.2, 0.5, 0.9])
def test_dare_with_the_same_draws(deltas, density, same_draws):
    wanted = merge_utils.dare_linear(tensors(deltas), torch.tensor(STRENGTHS), density)
    assert error(result("dare", deltas, STRENGTHS, density), wanted) < 1e-6


@pytest.mark.parametrize("density", [0.2, 0.5, 0.9])
def test_dare_ties_with_the_same_draws_and_equal_strengths(deltas, density, same_draws):
    strengths = [0.5] * 3
    wanted = merge_utils.dare_ties(tensors(deltas), torch.tensor(strengths), density) * 3
    assert error(result("dare_ties", deltas, strengths, density), wanted) < 1e-6


def test_the_sum(deltas):
    wanted = merge_utils.task_arithmetic(tensors(deltas), torch.tensor(STRENGTHS))
    assert error(find_method("sum").function(deltas, STRENGTHS, setting_of(SHAPE, {})), wanted) < 1e-6
