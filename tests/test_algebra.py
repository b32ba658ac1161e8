import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eleven.algebra import cosine, distance, gram, inner, norm, spectrum
from eleven.delta import Delta, Dense, LowRank, Rows, Sum
from eleven.techniques.lokr import Kronecker


def some_deltas(seed: int, shape: tuple[int, int] = (40, 56)) -> list[Delta]:
    generator = torch.Generator().manual_seed(seed)
    rows, columns = shape

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator)

    low, thick = (LowRank(draw(rows, rank), draw(rank, columns)) for rank in (3, 30))
    dense = Dense(draw(rows, columns))
    fused = LowRank(draw(3 * rows, 4), draw(4, columns))
    product, other = (Kronecker(Dense(draw(4, 7)), Dense(draw(10, 8))) for _ in range(2))
    split = Kronecker(Dense(draw(8, 4)), LowRank(draw(5, 4), draw(4, 14)))
    return [
        low,
        thick,
        dense,
        Sum(((0.7, low), (-0.3, low))),
        Sum(((0.5, low), (2.0, dense))),
        Rows(fused, ((40, 80),)),
        product,
        split,
        Sum(((0.5, low), (0.7, product), (-0.4, other), (0.3, split), (2.0, dense))),
    ]


COUNT = 9
pairs = [(first, second) for first in range(COUNT) for second in range(COUNT)]


@pytest.mark.parametrize(("first", "second"), pairs)
@given(seed=st.integers(0, 5))
def test_inner_product_and_distance_are_those_of_the_matrices(first, second, seed):
    left, right = some_deltas(seed)[first], some_deltas(seed)[second]
    one, other = left.dense().double(), right.dense().double()
    scale = float(one.norm() * other.norm())
    assert inner(left, right) == pytest.approx(float((one * other).sum()), abs=1e-6 * scale)
    assert distance(left, right) == pytest.approx(float((one - other).norm()), abs=1e-5 * scale**0.5)


@pytest.mark.parametrize("index", range(COUNT))
def test_norm_and_spectrum_are_those_of_the_matrix(index):
    delta = some_deltas(1)[index]
    values = torch.linalg.svdvals(delta.dense().double())
    found = spectrum(delta)
    assert norm(delta) == pytest.approx(float(values.norm()), rel=1e-6)
    assert torch.allclose(found, values[: len(found)], rtol=1e-5, atol=1e-5 * float(values[0]))
    assert float(values[len(found) :].norm()) <= 1e-5 * float(values[0])


def test_kronecker_products_too_large_to_write_out_are_measured():
    first, second = (
        Kronecker(*(Dense(torch.randn(400, 400, generator=torch.Generator().manual_seed(seed))) for seed in seeds))
        for seeds in ((1, 2), (1, 3))
    )
    sizes = [float(one.first.dense().norm() * one.second.dense().norm()) for one in (first, second)]
    assert [norm(first), norm(second)] == pytest.approx(sizes, rel=1e-5)
    assert cosine(first, second) == pytest.approx(cosine(first.second, second.second), abs=1e-5)


def test_gram_is_symmetric_and_holds_the_squared_norms():
    deltas = some_deltas(2)
    table = gram(deltas)
    assert torch.equal(table, table.T)
    assert torch.allclose(table.diagonal(), torch.tensor([norm(delta) ** 2 for delta in deltas]).double())


def test_cosine_of_a_delta_with_itself_is_one_and_with_nothing_zero():
    low = some_deltas(3)[0]
    assert cosine(low, low) == pytest.approx(1.0)
    assert cosine(low, Dense(torch.zeros(low.shape))) == 0.0


def test_the_distance_of_near_equals_is_found_without_cancellation():
    low = some_deltas(4)[0]
    assert isinstance(low, LowRank)
    moved = LowRank(low.up * (1 + 1e-6), low.down)
    direct = (moved.up.double() @ low.down.double() - low.up.double() @ low.down.double()).norm()
    assert distance(moved, low) == pytest.approx(float(direct), rel=1e-6)
    assert distance(low, low) == 0.0
