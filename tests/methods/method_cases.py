"""Parts of one layer for the tests of methods: thin, full and summed deltas of one shape, always the same ones."""

import torch

from eleven.delta import Dense, LowRank, Rows, Sum
from eleven.methods import METHODS, Setting, settle

SHAPES = ((12, 18), (18, 12), (9, 1))
STRENGTHS = (0.7, 0.35, -0.4, 0.2)
VARIANTS = {
    "magnitude": ({"density": 0.6},),
    "ties": ({"density": 0.37}, {"density": 1.0}),
    "dare": ({"density": 0.3}, {"density": 1}),
    "dare_ties": ({"density": 0.8},),
    "della": ({"density": 0.4, "epsilon": 0.5}, {"epsilon": 0.0}),
    "knots": ({"merge": "sum"}, {"density": 0.5}, {"density": 1.0}),
    "functional": ({"beta": 0.0}, {"beta": 1.0, "gain": 0.5}, {"beta": 0.4, "gain": 0.2, "ridge": 0.1}),
}
WHOLE = {"density": 1.0, "epsilon": 0.0}
CASES = [(row, settle(row, given)) for row in METHODS for given in ({}, *VARIANTS.get(row.name, ()))]
IDS = [f"{row.name}-{'-'.join(str(value) for value in options.values())}" for row, options in CASES]


def low_rank(shape, rank, source):
    up = torch.randn(shape[0], rank, generator=source)
    return LowRank(up, torch.randn(rank, shape[1], generator=source))


def deltas_of(shape, seed=0):
    """A thin delta, a full one, a sum of thin ones, and rows of a taller one, with a part that they share."""
    source = torch.Generator().manual_seed(seed)
    common = low_rank(shape, 1, source)
    thin = low_rank(shape, 2, source)
    thin = LowRank(torch.cat([thin.up, common.up], 1), torch.cat([thin.down, common.down]))
    full = Dense(torch.randn(shape, generator=source) + common.dense())
    both = Sum(((0.5, low_rank(shape, 1, source)), (1.0, common)))
    tall = low_rank((2 * shape[0], shape[1]), 2, source)
    return [thin, full, both, Rows(tall, ((1, shape[0] + 1),))]


def setting_of(shape, options, seed=5):
    inputs = torch.randn(40, shape[1], generator=torch.Generator().manual_seed(1)) * torch.linspace(0.2, 2, shape[1])
    return Setting(torch.Generator().manual_seed(seed), options, inputs)


def error(result, wanted):
    """Relative Frobenius distance of a delta or a matrix from a matrix."""
    matrix = result if isinstance(result, torch.Tensor) else result.dense()
    wanted = torch.as_tensor(wanted, dtype=torch.float64)
    return float((matrix.double() - wanted).norm() / wanted.norm().clamp(min=1e-30))
