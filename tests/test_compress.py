import pytest
import torch

from eleven.compress import Compressed, Target, compress
from eleven.delta import Delta, Dense, LowRank, Sum


def decaying(shape: tuple[int, int], power: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows, columns = shape
    rank = min(shape)
    left = torch.linalg.qr(torch.randn(rows, rank, generator=generator)).Q
    right = torch.linalg.qr(torch.randn(columns, rank, generator=generator)).Q
    return left * torch.arange(1, rank + 1) ** -power @ right.T


def low(shape: tuple[int, int], rank: int, seed: int) -> LowRank:
    generator = torch.Generator().manual_seed(seed)
    values = torch.arange(1, rank + 1) ** -1.0
    up = torch.randn(shape[0], rank, generator=generator) * values
    return LowRank(up, torch.randn(rank, shape[1], generator=generator))


def run(delta: Delta, target: Target, seed: int = 0) -> Compressed:
    return compress(delta, target, torch.Generator().manual_seed(seed))


def errors(delta: Delta, found: Compressed, rank: int) -> tuple[float, float]:
    """Relative error reached, and the least possible at this rank."""
    matrix = delta.dense().double()
    values = torch.linalg.svdvals(matrix)
    reached = (matrix - found.delta.dense().double()).norm() / values.norm()
    return float(reached), float(values[rank:].norm() / values.norm())


SHAPES = [(320, 768), (640, 320), (320, 320 * 9), (96, 48)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rank", [1, 8, 16])
def test_factors_are_truncated_to_the_optimum(shape, rank):
    delta = Sum(((0.7, low(shape, 8, 1)), (0.5, low(shape, 16, 2))))
    found = run(delta, Target(rank))
    reached, optimum = errors(delta, found, rank)
    assert found.delta.up.shape[1] == rank
    assert reached <= optimum * (1 + 1e-5) + 1e-7
    assert found.kept == pytest.approx(1 - optimum**2, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("power", [1.0, 0.5, 0.0])
def test_matrices_are_truncated_to_within_half_a_thousandth_of_the_optimum(shape, power):
    delta = Dense(decaying(shape, power))
    reached, optimum = errors(delta, run(delta, Target(16)), 16)
    assert reached <= optimum * 1.0005


def test_a_mixed_sum_is_truncated_without_its_matrix():
    delta = Sum(((0.7, low((640, 640), 16, 1)), (0.3, Dense(decaying((640, 640), 1.0)))))
    reached, optimum = errors(delta, run(delta, Target(16)), 16)
    assert reached <= optimum * 1.0005


@pytest.mark.parametrize("delta", [Sum(((0.7, low((320, 768), 32, 1)),)), Dense(decaying((700, 768), 0.7))])
@pytest.mark.parametrize("energy", [0.5, 0.9, 0.99])
def test_energy_takes_the_smallest_rank_that_holds_it(delta, energy):
    found = run(delta, Target(768, energy))
    squares = torch.linalg.svdvals(delta.dense().double()).square()
    share = squares.cumsum(0) / squares.sum()
    least = int((share < energy).sum()) + 1
    assert found.kept >= energy - 1e-6
    assert least <= found.delta.up.shape[1] <= least + 1 + least // 50


def test_factors_are_balanced():
    found = run(Sum(((1e-3, low((320, 768), 16, 1)),)), Target(8)).delta
    assert torch.allclose(found.up.norm(dim=0), found.down.norm(dim=1), rtol=1e-4)


def test_one_model_twice_has_the_rank_of_one():
    one = low((320, 768), 8, 1)
    found = run(Sum(((0.5, one), (0.5, one))), Target(16))
    assert found.delta.up.shape[1] == 8
    assert torch.allclose(found.delta.dense(), one.dense(), atol=1e-5)


@pytest.mark.parametrize("delta", [LowRank(torch.zeros(64, 4), torch.zeros(4, 64)), Dense(torch.zeros(300, 300))])
def test_nothing_compresses_to_nothing(delta):
    found = run(delta, Target(4))
    assert found.whole == 0
    assert found.kept == 1
    assert float(found.delta.dense().abs().sum()) == 0


def test_the_same_generator_gives_the_same_bits():
    delta = Dense(decaying((512, 512), 0.3))
    first, second = run(delta, Target(8)).delta, run(delta, Target(8)).delta
    assert torch.equal(first.up, second.up)
    assert torch.equal(first.down, second.down)
