from itertools import product as product_of

import numpy as np
import pytest

from eleven.halves import narrow
from eleven.raw import Factors, Raw
from eleven.thin import Pair, Target, gram, inner, leading, nearest, side_by_side, squares


def product(shape: tuple[int, int], rank: int, power: float = 1.0, seed: int = 0) -> Pair:
    draw = np.random.default_rng(seed)
    values = np.arange(1, rank + 1) ** -power
    up, down = draw.standard_normal((shape[0], rank)) * values, draw.standard_normal((rank, shape[1]))
    return up.astype(np.float32), down.astype(np.float32)


def dense(pair: Pair) -> np.ndarray:
    return pair[0].astype(np.float64) @ pair[1]


def half(numbers: np.ndarray) -> Raw:
    found = narrow(numbers.astype(np.float32), "F16")
    assert found is not None
    return found


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("rank", [20, 200])
def test_the_nearest_of_a_rank_is_the_truncated_svd(rank, power):
    pair = product((240, 400), rank, power)
    values = np.linalg.svd(dense(pair), compute_uv=False)
    least = np.sqrt(np.square(values[16:]).sum())
    found = nearest(pair, Target(16))
    reached = np.linalg.norm(dense(pair) - dense((found.up, found.down)))
    assert reached <= least * (1 + 1e-5) + 1e-6 * values[0]
    assert found.whole == pytest.approx(np.square(values).sum(), rel=1e-5)
    assert found.kept == pytest.approx(1 - (least / np.linalg.norm(values)) ** 2, abs=1e-5)


STEEP = (2.0, np.float64)


@pytest.mark.parametrize(("power", "precision"), [*product_of((0.0, 0.5, 1.0), (np.float32, np.float64)), STEEP])
def test_the_leading_eigenvectors_are_those_of_the_whole_decomposition(power, precision):
    up, down = product((240, 400), 150, power)
    ups, downs = gram(up.T, precision), gram(down, precision)
    found, vectors, images = (array.astype(np.float64) for array in leading(ups, downs, 8))
    squares = np.square(np.linalg.svd(dense((up, down)), compute_uv=False))
    norms = np.sqrt((vectors * images).sum(0))[:8]
    kept = np.square(up @ (images[:, :8] / norms)).sum()
    assert kept >= squares[:8].sum() - 1e-5 * squares[8:].sum() - 1e-6 * squares[0]
    assert found[:8].sum() == pytest.approx(kept, rel=1e-5)
    assert (np.diff(found) <= 1e-6 * found[0]).all()
    assert np.allclose(images, downs @ vectors, rtol=1e-3, atol=1e-4 * np.abs(images).max())


def test_what_is_left_of_models_that_cancel_is_kept_as_nearly():
    up, down = product((240, 400), 100)
    rest = product((240, 400), 40, seed=5)
    moved = up + np.float32(1e-3) * product((240, 400), 100, seed=6)[0]
    pair = np.concatenate([up, -moved, np.float32(1e-3) * rest[0]], axis=1), np.concatenate([down, down, rest[1]])
    values = np.linalg.svd(dense(pair), compute_uv=False)
    least = np.sqrt(np.square(values[16:]).sum())
    found = nearest(pair, Target(16))
    assert np.linalg.norm(dense(pair) - dense((found.up, found.down))) <= least * (1 + 1e-5)


def test_shared_directions_are_kept_once():
    up, down = product((60, 90), 6)
    twice = np.concatenate([up, up], axis=1), np.concatenate([down, 2 * down])
    found = nearest(twice, Target(32))
    assert found.up.shape == (60, 6)
    assert np.allclose(dense((found.up, found.down)), dense(twice), atol=1e-5)


def test_squares_without_cancellation():
    pair = product((50, 70), 8)
    near = pair[0] * np.float32(1 + 1e-4), pair[1]
    far = product((50, 70), 5, seed=1)
    other = pair[0], pair[1] * np.float32(1 - 1e-4)
    cut = nearest(product((50, 70), 8, 6.0), Target(4))
    for one, two in ((pair, near), (pair, far), (pair, other), (product((50, 70), 8, 6.0), (cut.up, cut.down))):
        whole, apart = squares(one, two)
        assert whole == pytest.approx(np.square(dense(one)).sum(), rel=1e-5)
        assert apart == pytest.approx(np.square(dense(one) - dense(two)).sum(), rel=1e-2)
    assert squares(pair, pair)[1] == 0
    assert inner(pair, far) == pytest.approx((dense(pair) * dense(far)).sum(), rel=1e-4)


def test_products_stand_side_by_side_with_their_strengths():
    up, down = product((20, 18), 2)
    term = Factors(half(up), half(down.reshape(2, 2, 3, 3)), 0.5)
    found = side_by_side([(0.7, term), (-1.0, term)])
    assert found is not None
    assert term.shape == (20, 18)
    assert np.allclose(dense(found), -0.15 * dense((up, down)), atol=2e-3)


def test_no_product_where_there_is_nothing_or_more_than_a_matrix():
    up, down = product((4, 4), 2)
    assert side_by_side([]) is None
    assert side_by_side([(1.0, Factors(half(up), half(down), 1.0))]) is None
