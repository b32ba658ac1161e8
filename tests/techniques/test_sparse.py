from __future__ import annotations

import pytest
import torch

from eleven.delta import LowRank
from eleven.errors import TensorError
from eleven.techniques import decode, sparse
from eleven.testing import Case, Given, check_technique, relative_error


def stored(dense: torch.Tensor) -> dict[str, torch.Tensor]:
    """As LyCORIS' extraction writes it, but for the half precision."""
    scattered = dense.to_sparse().coalesce()
    size = torch.tensor(dense.shape).to(torch.int16)
    return {"bias_indices": scattered.indices().to(torch.int16), "bias_values": scattered.values(), "bias_size": size}


DENSE = torch.randn(9, 15, generator=torch.Generator().manual_seed(0)) * (torch.arange(135).view(9, 15) % 7 == 0)


def test_battery():
    check_technique(sparse, [Case(stored(DENSE), DENSE.double()), Case(stored(0 * DENSE), 0 * DENSE.double())])


def test_it_adds_to_the_weight_beside_a_lora_not_to_the_bias():
    up, down = torch.ones(9, 2), torch.ones(2, 15)
    change = decode(stored(DENSE) | {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(1)}, Given())
    assert change.keys() == {"weight"}
    assert relative_error(change["weight"].dense(), DENSE + up @ down / 2) < 1e-6


def test_entries_named_twice_add_up():
    tensors = {
        "bias_indices": torch.tensor([[1, 1], [0, 0]]),
        "bias_values": torch.tensor([2.0, 3.0]),
        "bias_size": torch.tensor([2, 2]),
    }
    assert sparse.decode(tensors, Given())["weight"].dense().tolist() == [[0, 0], [5, 0]]


@pytest.mark.parametrize(
    ("suffix", "value"),
    [
        ("bias_indices", torch.full((2, 20), -1)),
        ("bias_indices", torch.full((2, 20), 15)),
        ("bias_size", torch.tensor([9, -25536])),
        ("bias_size", torch.tensor([0, 15])),
    ],
)
def test_numbers_that_overflowed_sixteen_bits_are_refused(suffix, value):
    tensors = stored(DENSE)
    assert tensors["bias_values"].shape == (20,)
    with pytest.raises(TensorError, match="16-bit"):
        sparse.decode(tensors | {suffix: value}, Given())


def test_huge_declared_size_takes_no_memory_until_it_is_wanted():
    tensors = stored(DENSE) | {"bias_size": torch.tensor([1 << 40, 1 << 40])}
    delta = sparse.decode(tensors, Given())["weight"]
    assert delta.shape == (1 << 40, 1 << 40)


def test_another_change_cannot_be_written():
    with pytest.raises(TensorError, match="sparse"):
        sparse.encode({"weight": LowRank(torch.ones(3, 1), torch.ones(1, 4))})
