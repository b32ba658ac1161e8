import pytest
import torch

from eleven.compress import Compressed, Target, compress
from eleven.delta import Delta, Dense, LowRank, Sum
from eleven.techniques.lokr import Kronecker


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


SPECTRA = {
    "1/i": lambda rank: torch.arange(1, rank + 1) ** -1.0,
    "i^-0.5": lambda rank: torch.arange(1, rank + 1) ** -0.5,
    "signal and a floor": lambda rank: torch.where(torch.arange(rank) < 5, 1.0, 0.03),
    "flat": torch.ones,
    "i^-2": lambda rank: torch.arange(1, rank + 1) ** -2.0,
    "a little more than is kept": lambda rank: torch.where(torch.arange(rank) < 40, 1.0, 0.1),
}


def shaped(matrix: torch.Tensor, spectrum: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors with a random matrix's directions and this spectrum; noise keeps its own."""
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    return left * (SPECTRA[spectrum](len(sizes)) if spectrum in SPECTRA else sizes), right


@pytest.mark.parametrize("shape", [(640, 384), (384, 640)])
@pytest.mark.parametrize("spectrum", [*SPECTRA, "noise"])
@pytest.mark.parametrize("rank", [4, 16, 32])
def test_matrices_of_any_spectrum_are_truncated_to_within_half_a_thousandth(shape, spectrum, rank):
    left, right = shaped(torch.randn(*shape, generator=torch.Generator().manual_seed(3)), spectrum)
    delta = Dense(left @ right)
    found = run(delta, Target(rank))
    reached, optimum = errors(delta, found, rank)
    assert reached <= optimum * 1.0005
    assert found.kept == pytest.approx(1 - reached**2, abs=1e-5)


def test_a_matrix_of_lower_rank_than_asked_for_comes_back_whole():
    delta = Dense(low((640, 384), 12, 1).dense())
    found = run(delta, Target(32))
    reached, _ = errors(delta, found, 32)
    assert reached < 1e-5
    assert found.kept == pytest.approx(1, abs=1e-5)


def beside_a_kronecker(shape: tuple[int, int], spectra: tuple[str, str], share: float) -> Sum:
    """A change of rank 48 and a Kronecker product, which is so many times as large."""
    normal = [torch.randn(*size, generator=torch.Generator().manual_seed(3)) for size in ((8, 8), (80, 48), shape)]
    second = normal[1] if shape[0] > shape[1] else normal[1].T
    up, down = shaped(normal[2][:, :48] @ normal[2][:48], spectra[0])
    low, left = LowRank(up[:, :48], down[:48]), shaped(second, spectra[1])
    product = Kronecker(Dense(normal[0]), Dense(left[0] @ left[1]))
    return Sum(((1.0, low), (share * float(low.dense().norm() / product.dense().norm()), product)))


@pytest.mark.parametrize("shape", [(640, 384), (384, 640)])
@pytest.mark.parametrize("low", ["1/i", "i^-0.5", "signal and a floor", "noise"])
@pytest.mark.parametrize("product", ["1/i", "i^-0.5", "signal and a floor", "noise"])
@pytest.mark.parametrize("share", [0.02, 1.0, 30.0])
def test_factors_and_a_kronecker_product_are_truncated_to_within_four_ten_thousandths(shape, low, product, share):
    delta = beside_a_kronecker(shape, (low, product), share)
    found = run(delta, Target(16))
    reached, optimum = errors(delta, found, 16)
    assert reached <= optimum * 1.0004
    assert found.whole == pytest.approx(float(delta.dense().double().square().sum()), rel=1e-5)


@pytest.mark.parametrize("spectra", [("flat", "flat"), ("1/i", "flat"), ("flat", "noise")])
@pytest.mark.parametrize("share", [0.02, 1.0, 30.0])
def test_directions_that_only_the_other_term_tells_apart_are_kept_to_within_half_a_thousandth(spectra, share):
    delta = beside_a_kronecker((640, 384), spectra, share)
    reached, optimum = errors(delta, run(delta, Target(16)), 16)
    assert reached <= optimum * 1.0005


def test_terms_that_cancel_in_their_leading_directions_are_truncated_by_what_is_left():
    product = beside_a_kronecker((640, 384), ("flat", "i^-0.5"), 1.0).terms[1][1]
    up, sizes, down = torch.linalg.svd(product.dense(), full_matrices=False)
    delta = Sum(((-1.0, LowRank(up[:, :64] * sizes[:64], down[:64])), (1.0, product)))
    reached, optimum = errors(delta, run(delta, Target(16)), 16)
    assert reached <= optimum * 1.0004


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
