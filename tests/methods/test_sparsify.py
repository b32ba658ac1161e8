"""The sparsifiers: what they keep, and that their draws are fair, unbiased and their own."""

import pytest
import torch
from method_cases import deltas_of, error, low_rank, setting_of

from eleven.delta import Dense
from eleven.errors import UsageError
from eleven.methods import find_method
from eleven.methods.parts import digest
from eleven.methods.sparsify import drop, drop_by_rank, trim, uniform


def matrix(seed=0, shape=(120, 90)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def given(seed=5, **options):
    return setting_of((120, 90), options, seed)


@pytest.mark.parametrize("density", [0.001, 0.2, 0.5, 0.999, 1.0])
def test_trim_keeps_the_largest_entries_as_they_are(density):
    full = matrix()
    kept = trim(full, given(density=density), b"")
    assert int((kept != 0).sum()) == round(density * full.numel())
    assert torch.equal(kept[kept != 0], full[kept != 0])
    if density < 1:
        assert full[kept == 0].abs().max() < kept[kept != 0].abs().min()


def test_trim_keeps_all_entries_that_tie_so_that_their_order_does_not_matter():
    full = torch.tensor([[1.0, -2.0, 2.0, 3.0]])
    assert trim(full, given(density=0.5), b"").tolist() == [[0.0, -2.0, 2.0, 3.0]]


def test_trim_keeps_at_least_one_entry():
    assert trim(torch.tensor([[1.0, -5.0]]), given(density=0.001), b"").tolist() == [[0.0, -5.0]]


def test_draws_are_uniform_and_independent_between_parts_and_seeds():
    full, settings = matrix(), [given(seed) for seed in range(4)]
    samples = [uniform(full, setting, key).flatten() for setting in settings for key in (b"a", b"b", b"c")]
    for sample in samples:
        assert abs(float(sample.mean()) - 0.5) < 5 * (1 / 12 / sample.numel()) ** 0.5
    correlations = torch.corrcoef(torch.stack(samples)).fill_diagonal_(0)
    assert correlations.abs().max() < 5 / samples[0].numel() ** 0.5


def test_draws_depend_on_nothing_but_seed_and_values():
    first, second = low_rank((12, 18), 2, torch.Generator().manual_seed(0)), Dense(matrix(1, (12, 18)))
    setting = given()
    torch.rand(7, generator=setting.generator)
    assert torch.equal(uniform(matrix(), setting, b"a"), uniform(matrix(), given(), b"a"))
    assert digest(first) == digest(low_rank((12, 18), 2, torch.Generator().manual_seed(0)))
    assert digest(second) == digest(Dense(matrix(1, (18, 12)).reshape(12, 18)))
    assert digest(second) != digest(Dense(second.matrix + 1e-6))
    assert digest(second) != digest(Dense(second.matrix.T.contiguous().reshape(18, 12)))


@pytest.mark.parametrize("name", ["dare", "dare_ties", "della"])
def test_other_seeds_and_other_layers_drop_other_entries(name):
    options = {"density": 0.5, "epsilon": 0.2}
    results = [
        find_method(name).function([delta], [1.0], given(seed, **options)).dense() == 0
        for seed in (1, 2)
        for delta in deltas_of((12, 18))[:2]
    ]
    for index, dropped in enumerate(results):
        assert all(not torch.equal(dropped, other) for other in results[:index])


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("sparsify", [drop, drop_by_rank])
def test_random_sparsifiers_keep_their_density_and_the_mean(sparsify, density):
    full, runs = matrix(), 300
    options = {"density": density, "epsilon": 0.02}
    kept = [sparsify(full, given(seed, **options), b"part") for seed in range(runs)]
    share = sum(float((one != 0).double().mean()) for one in kept) / runs
    assert abs(share - density) < 5 * (density * (1 - density) / full.numel() / runs) ** 0.5
    expected = ((1 - density) / density / runs) ** 0.5
    assert error(sum(kept) / runs, full) == pytest.approx(expected, rel=0.15)


def test_larger_entries_of_a_row_are_likelier_to_stay():
    full, runs = matrix(), 400
    order = full.abs().argsort(dim=1)
    kept = sum((drop_by_rank(full, given(seed, density=0.5, epsilon=0.4), b"") != 0).double() for seed in range(runs))
    by_rank = (kept / runs).gather(1, order).mean(0)
    wanted = 0.3 + 0.4 * (torch.arange(90) + 0.5) / 90
    assert (by_rank - wanted).abs().max() < 5 * (0.25 / runs / 120) ** 0.5


@pytest.mark.parametrize(("density", "epsilon"), [(0.1, 0.2), (0.9, 0.3), (1.0, 0.2)])
def test_chances_beyond_0_to_1_are_refused(density, epsilon):
    with pytest.raises(UsageError, match="probabilities beyond 0 to 1.*epsilon must be below"):
        drop_by_rank(matrix(), given(density=density, epsilon=epsilon), b"")
