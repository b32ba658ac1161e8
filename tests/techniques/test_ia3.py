from __future__ import annotations

import pytest
import torch

from eleven.delta import LowRank
from eleven.errors import BaseNeeded, TensorError
from eleven.techniques import ia3
from eleven.techniques.technique import Measure
from eleven.testing import Case, Given, check_technique

OUT, IN = 6, 4


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


LINEAR, CONV, BIAS = normal(OUT, IN, seed=1), normal(OUT, IN, 3, 3, seed=1), normal(OUT, seed=2)
ROWS, CHANNELS = ((1 + normal(size, seed=3) / 10) - 1 for size in (OUT, IN))  # so that 1 + offset is exact
WITH_BIAS = Given(LINEAR, BIAS)


def lycoris(offset: torch.Tensor, side: int) -> dict[str, torch.Tensor]:
    return {"weight": offset, "on_input": torch.tensor(side)}


def test_battery():
    by_row, by_channel = LINEAR.double() * ROWS.double()[:, None], LINEAR.double() * CHANNELS.double()
    conv_by_row = (CONV.double() * ROWS.double()[:, None, None, None]).flatten(1)
    conv_by_channel = (CONV.double() * CHANNELS.double()[:, None, None]).flatten(1)
    moved = BIAS.double() * ROWS.double()
    check_technique(
        ia3,
        [
            Case(lycoris(ROWS, 0), by_row, original=WITH_BIAS),
            Case(lycoris(CHANNELS, 1), by_channel, original=WITH_BIAS),
            Case(lycoris(ROWS.view(1, -1, 1, 1), 0), conv_by_row, original=Given(CONV)),
            Case(lycoris(CHANNELS.view(1, -1, 1, 1), 1), conv_by_channel, original=Given(CONV)),
            Case({"ia3_l": ROWS[:, None] + 1}, by_row, original=Given(LINEAR)),
            Case({"ia3_l": ROWS[:, None] + 1}, by_row, moved, original=WITH_BIAS),
            Case({"ia3_l": CHANNELS[None] + 1}, by_channel, original=WITH_BIAS),
            Case({"ia3_l": ROWS.view(1, -1, 1, 1) + 1}, conv_by_row, moved, original=Given(CONV, BIAS)),
            Case({"ia3_l": CHANNELS.view(1, -1, 1, 1) + 1}, conv_by_channel, original=Given(CONV, BIAS)),
        ],
    )


def test_side_is_known_from_the_header_only_in_peft_s_linear_form():
    assert ia3.measure({"ia3_l": (6, 1)}) == Measure((6, None))
    assert ia3.measure({"ia3_l": (1, 4)}) == Measure((None, 4))
    either = Measure((None, None), side=4)
    assert ia3.measure({"ia3_l": (1, 4, 1, 1)}) == ia3.measure({"weight": (4,), "on_input": ()}) == either


def test_lycoris_offset_leaves_the_bias_alone():
    assert "bias" not in ia3.decode(lycoris(ROWS, 0), WITH_BIAS)


def test_factor_of_one_changes_nothing():
    change = ia3.decode({"ia3_l": torch.ones(OUT, 1)}, WITH_BIAS)
    assert not change["weight"].dense().any()
    assert not change["bias"].dense().any()


@pytest.mark.parametrize("side", [0, 1])
def test_square_convolution_needs_to_be_told_peft_s_side(side):
    original = Given(normal(OUT, OUT, 3, 3))
    factor = {"ia3_l": ROWS.view(1, -1, 1, 1) + 1}
    with pytest.raises(TensorError, match="side"):
        ia3.decode(factor, original)
    told = ia3.decode(factor | {"on_input": torch.tensor(side)}, original)["weight"].dense()
    same = ia3.decode(lycoris(factor["ia3_l"].flatten() - 1, side), original)["weight"].dense()
    assert torch.equal(told, same)


def test_original_weight_is_needed():
    with pytest.raises(BaseNeeded):
        ia3.decode(lycoris(ROWS, 0), Given())


def test_base_of_another_size_is_refused():
    with pytest.raises(TensorError, match="another base"):
        ia3.decode(lycoris(ROWS, 1), WITH_BIAS)


@pytest.mark.parametrize(
    "shapes", [{"weight": (4,)}, {"on_input": ()}, {"weight": (4,), "ia3_l": (4, 1), "on_input": ()}]
)
def test_offset_and_factor_exclude_each_other_and_an_offset_has_a_side(shapes):
    with pytest.raises(TensorError):
        ia3.measure(shapes)


def test_another_change_cannot_be_written():
    with pytest.raises(TensorError, match="IA"):
        ia3.encode({"weight": LowRank(torch.ones(3, 1), torch.ones(1, 4))})
