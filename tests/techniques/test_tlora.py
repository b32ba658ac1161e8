from __future__ import annotations

import pytest
import torch

from eleven.delta import LowRank
from eleven.errors import BaseNeeded, TensorError
from eleven.techniques import tlora
from eleven.testing import Case, Given, check_technique

RANK = 3


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def trained(weight: torch.Tensor, first: int, *, moved: float = 0.1) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """A T-LoRA started at the singular directions from `first` on, and its change at alpha equal to the rank."""
    left, sizes, right = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    part = slice(first, first + RANK)
    up = left[:, part] + moved * normal(weight.shape[0], RANK, seed=1)
    down = right[part] + moved * normal(RANK, weight[0].numel(), seed=2)
    values = sizes[None, part] * 1.25
    ones = [1] * (weight.dim() - 2)
    tensors = {"p_layer.weight": up.reshape(*up.shape, *ones), "q_layer.weight": down.reshape(*down.shape, *ones)}
    change = up * values @ down - left[:, part] * sizes[part] @ right[part]
    return tensors | {"lambda_layer": values}, change


TALL, WIDE, CONV = normal(16, 9), normal(9, 16), normal(16, 9, 1, 1)


@pytest.mark.parametrize("weight", [TALL, WIDE, CONV], ids=["tall", "wide", "conv 1x1"])
def test_battery(weight):
    cases = []
    for first in (0, 3, 6):
        tensors, change = trained(weight, first)
        cases += [
            Case(tensors, change, original=Given(weight)),
            Case(tensors | {"alpha": torch.tensor(6)}, 2 * change, original=Given(weight)),
            Case(tensors | {"alpha": torch.tensor(6), "scale": torch.tensor(0.5)}, change / 2, original=Given(weight)),
        ]
    check_technique(tlora, cases)


def test_untrained_tlora_changes_nothing_but_its_singular_values():
    tensors, _ = trained(TALL, 0, moved=0.0)
    tensors["lambda_layer"] /= 1.25
    assert tlora.decode(tensors, Given(TALL))["weight"].dense().norm() < 1e-12


def test_start_that_is_not_in_the_base_is_refused():
    wide = torch.linalg.qr(normal(40, 40)).Q
    tensors, _ = trained(wide @ torch.diag(torch.arange(40, 0, -1.0, dtype=torch.float64)), 0)
    with pytest.raises(TensorError, match="overlap 0"):
        tlora.decode(tensors, Given(normal(40, 40, seed=5)))


def test_larger_kernel_is_refused():
    tensors, _ = trained(CONV, 0)
    with pytest.raises(TensorError, match="1×1"):
        tlora.decode(tensors, Given(normal(16, 9, 3, 3)))


def test_original_weight_is_needed():
    with pytest.raises(BaseNeeded):
        tlora.decode(trained(TALL, 0)[0], Given())


def test_another_change_cannot_be_written():
    with pytest.raises(TensorError, match="T-LoRA"):
        tlora.encode({"weight": LowRank(torch.ones(3, 1), torch.ones(1, 4))})
