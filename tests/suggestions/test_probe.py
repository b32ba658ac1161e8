import numpy as np
import pytest

from eleven.errors import UsageError
from eleven.suggestions.probe import Band, Probe, least_squares, mean_overlap, overlap, predicted_total


def measured(changes, truth=None, name="early"):
    """A band from the changes themselves (models, inputs, numbers)."""
    changes = np.asarray(changes, float)
    gram = np.einsum("imn,jmn->ij", changes, changes) / changes.shape[1]
    target = () if truth is None else tuple(np.einsum("imn,mn->i", changes, truth) / changes.shape[1])
    error = 0.0 if truth is None else float((truth**2).sum() / changes.shape[1])
    return Band(name, 0.0, 0.5, tuple(map(tuple, gram)), target, error)


def alike(count, rho, size=4000, seed=0):
    """Changes with a shared part, whose cosines are rho but for chance."""
    draw = np.random.default_rng(seed)
    shared, own = draw.standard_normal((1, 5, size)), draw.standard_normal((count, 5, size))
    return rho**0.5 * shared + (1 - rho) ** 0.5 * own


def test_overlap_is_the_cosine_whatever_the_sizes():
    changes = alike(3, 0.6) * np.array([1.0, 5.0, 0.1])[:, None, None]
    found = np.array(overlap(Probe((measured(changes),))))
    assert np.allclose(found, 0.6 + 0.4 * np.eye(3), atol=0.03)


def test_a_band_is_chosen_by_name_and_all_bands_count_the_same():
    probe = Probe((measured(alike(2, 0.8), name="early"), measured(10 * alike(2, 0.2), name="late")))
    assert overlap(probe, "early")[0][1] == pytest.approx(0.8, abs=0.03)
    assert overlap(probe, "late")[0][1] == pytest.approx(0.2, abs=0.03)
    assert mean_overlap(probe) == pytest.approx(0.5, abs=0.03)
    with pytest.raises(UsageError, match="no band 'middle'.*There are early, late"):
        overlap(probe, "middle")


def test_a_model_that_changes_nothing_is_like_no_other():
    changes = alike(2, 0.8)
    changes[1] = 0
    assert overlap(Probe((measured(changes),)))[0] == (1.0, 0.0)


def test_one_model_is_like_itself():
    assert mean_overlap(Probe((measured(alike(1, 0.5)),))) == 1.0


@pytest.mark.parametrize(("rho", "count", "total"), [(1.0, 4, 1.0), (0.0, 3, 3.0), (0.5, 3, 1.5), (-0.2, 2, 2.0)])
def test_the_total_grows_with_what_models_do_not_share(rho, count, total):
    assert predicted_total(1.0, rho, count) == pytest.approx(total)
    assert predicted_total(0.8, rho, count) == pytest.approx(0.8 * total)


def test_at_the_predicted_total_what_is_measured_against_the_shared_part_is_as_of_one_model():
    """Regressing the shared part on W·mean gives the factor N/(1 + (N − 1)ρ) for one model's."""
    rho, count = 0.4, 4
    changes, draw = alike(count, rho), np.random.default_rng(0)
    shared = draw.standard_normal((1, 5, 4000))
    fit = [float((shared * part).sum() / (part * part).sum()) for part in (changes[:1], changes.mean(0, keepdims=True))]
    assert fit[1] / fit[0] == pytest.approx(predicted_total(1.0, rho, count), rel=0.05)


def test_least_squares_finds_the_strengths_that_made_the_truth():
    changes = alike(3, 0.5)
    truth = 0.6 * changes[0] + 0.3 * changes[2]
    probe = Probe((measured(changes, truth), measured(changes, truth, "late")))
    assert least_squares(probe) == pytest.approx((0.6, 0.0, 0.3), abs=1e-6)


def test_least_squares_is_never_negative_and_bears_equal_models():
    changes = alike(2, 0.5)
    assert least_squares(Probe((measured(changes, changes[0] - changes[1]),)))[1] == 0.0
    twice = np.concatenate([changes, changes[:1]])
    assert sum(least_squares(Probe((measured(twice, changes[0]),)))) == pytest.approx(1.0)


def test_least_squares_is_empty_without_photos():
    assert least_squares(Probe((measured(alike(2, 0.5)),))) == ()
