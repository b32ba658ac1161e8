from __future__ import annotations

import pytest
import torch

from eleven.errors import BaseNeeded, TensorError
from eleven.techniques import full
from eleven.techniques.technique import Measure
from eleven.testing import Case, Given, check_technique


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


LINEAR, CONV, VECTOR = normal(6, 4), normal(6, 4, 3, 3), normal(6)


def test_battery():
    whole = {"set_weight": LINEAR}
    check_technique(
        full,
        [
            Case({"diff": LINEAR}, LINEAR.double()),
            Case({"diff": CONV, "diff_b": VECTOR}, CONV.double().flatten(1), VECTOR.double()),
            Case({"diff": VECTOR}, VECTOR.double()[:, None]),
            Case({"diff_b": VECTOR}, None, VECTOR.double()),
            Case({"w_norm": VECTOR, "b_norm": -VECTOR}, VECTOR.double()[:, None], -VECTOR.double()),
            Case({"w_norm": VECTOR}, VECTOR.double()[:, None]),
            Case(whole, LINEAR.double() - 2, original=Given(torch.full((6, 4), 2.0))),
            Case({"set_weight": VECTOR}, VECTOR.double()[:, None] + 1, original=Given(-torch.ones(6))),
        ],
    )


def test_shape_is_the_tensor_s_own():
    assert full.measure({"diff": (6, 4, 3, 3), "diff_b": (6,)}) == Measure((6, 4, 3, 3))
    assert full.measure({"diff_b": (6,)}) == Measure((6, None))
    assert full.measure({"w_norm": (6,), "b_norm": (6,)}).matrix == full.measure({"b_norm": (6,)}).matrix == (6, 1)


def test_whole_weight_needs_the_base_and_a_diff_does_not():
    full.decode({"diff": LINEAR}, Given())
    with pytest.raises(BaseNeeded):
        full.decode({"set_weight": LINEAR}, Given())


@pytest.mark.parametrize(
    "shapes",
    [
        {"diff": (6, 4), "set_weight": (6, 4)},
        {"diff": (6, 4), "w_norm": (6,)},
        {"diff_b": (6,), "b_norm": (6,)},
        {"diff": (6, 4), "diff_b": (5,)},
        {"diff": ()},
        {"diff": (6, 0)},
    ],
)
def test_tensors_that_claim_one_parameter_or_no_size_are_refused(shapes):
    with pytest.raises(TensorError, match="contradict"):
        full.measure(shapes)


def test_whole_weight_of_another_shape_is_refused():
    with pytest.raises(TensorError, match="the base"):
        full.decode({"set_weight": LINEAR}, Given(normal(6, 5)))
