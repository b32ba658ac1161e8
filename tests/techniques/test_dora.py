"""DoRA against LyCORIS in float64 on both axes, and on top of any technique against the dense formula."""

from itertools import product

import pytest
import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule

from eleven.delta import Dense, LowRank
from eleven.errors import TensorError
from eleven.techniques import dora, glora, loha, lokr, lora, oft

LAYERS = {
    "linear": lambda: torch.nn.Linear(12, 24),
    "square": lambda: torch.nn.Linear(24, 24),
    "conv1x1": lambda: torch.nn.Conv2d(12, 24, 1),
    "conv3x3": lambda: torch.nn.Conv2d(12, 24, 3),
}
MODULES = {"lora": (LoConModule, lora), "loha": (LohaModule, loha), "lokr": (LokrModule, lokr)}
BOUND = 1e-6


class Base:
    def __init__(self, weight):
        self.kept = weight.detach().clone()

    def weight(self):
        return self.kept

    def bias(self):
        return None


def error(delta, expected):
    return float((delta.dense() - expected.flatten(1)).norm() / expected.norm())


def decomposed(base, change, scale, side):
    """(W + ΔW)·scale / ‖W + ΔW‖ − W with the norm over every axis but one."""
    whole = base + change.reshape(base.shape)
    kept = 0 if side == "output" else 1
    norm = whole.pow(2).sum([axis for axis in range(base.dim()) if axis != kept], keepdim=True).sqrt()
    view = [-1 if axis == kept else 1 for axis in range(base.dim())]
    return whole * scale.reshape(view) / norm - base


@pytest.mark.parametrize(("layer", "name", "on_output"), list(product(LAYERS, MODULES, (True, False))))
def test_delta_is_what_lycoris_merges_on_either_axis(layer, name, on_output):
    torch.manual_seed(0)
    base = LAYERS[layer]().double()
    kind, technique = MODULES[name]
    # alpha = rank: at other scales LyCORIS's own merge of LoHa and LoKr applies the scale twice
    module = kind("x", base, lora_dim=4, alpha=4, weight_decompose=True, wd_on_out=on_output).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    tensors = {key: value.detach() for key, value in module.custom_state_dict().items()}
    expected = (module.get_merged_weight(shape=base.weight.shape)[0] - base.weight).detach()
    assert expected.dtype == torch.float64
    inner = {key: value for key, value in tensors.items() if key not in dora.SUFFIXES}
    delta = dora.wrap(technique.decode(inner, Base(base.weight))["weight"], tensors, Base(base.weight))
    assert error(delta, expected) < BOUND
    x = torch.randn(delta.shape[1], 3, dtype=torch.float64)
    assert torch.allclose(delta @ x, delta.dense() @ x)
    assert torch.allclose(delta.T @ (delta @ x), delta.dense().T @ (delta @ x))
    assert torch.allclose(delta.T.dense(), delta.dense().T)
    side = dora.axis(tuple(tensors["dora_scale"].shape), tuple(base.weight.shape))
    assert side == ("output" if on_output else "input")


def glora_delta(base):
    rank, (rows, columns) = 3, base.kept.flatten(1).shape
    tensors = {"a1.weight": (columns, rank), "a2.weight": (rank, columns), "b1.weight": (rows, rank)}
    shapes = tensors | {"b2.weight": (rank, columns)}
    return glora.decode({key: 0.1 * torch.randn(*shape).double() for key, shape in shapes.items()}, base)["weight"]


def oft_delta(base):
    return oft.decode({"oft_blocks": 0.1 * torch.randn(4, 6, 6).double()}, base)["weight"]


@pytest.mark.parametrize(("inner", "side"), list(product((glora_delta, oft_delta), ("output", "input"))))
def test_any_other_technique_can_be_decomposed(inner, side):
    torch.manual_seed(1)
    base = Base(torch.randn(24, 12).double())
    scale = torch.rand((24, 1) if side == "output" else (1, 12)).double()
    delta = inner(base)
    wrapped = dora.wrap(delta, {"dora_scale": scale}, base)
    assert error(wrapped, decomposed(base.kept, delta.dense(), scale, side)) < BOUND


@pytest.mark.parametrize(
    ("shape", "weight", "peft", "side"),
    [
        ((24, 1), (24, 12), False, "output"),
        ((24, 1), (24, 24), False, "output"),
        ((1, 24), (24, 24), False, "input"),
        ((1, 12), (24, 12), False, "input"),
        ((24,), (24, 24), False, "output"),
        ((24, 1, 1, 1), (24, 12, 3, 3), False, "output"),
        ((1, 12, 1, 1), (24, 12, 3, 3), False, "input"),
        ((1, 24, 1, 1), (24, 12, 3, 3), False, "output"),
        ((1, 24, 1, 1), (24, 24, 3, 3), False, "input"),
        ((1, 24, 1, 1), (24, 24, 3, 3), True, "output"),
        ((1, 12), (None, None), False, "input"),
        ((24, 1), (24, None), False, "output"),
        ((1, 1), (1, 12), False, "output"),
        ((1,), (1, 12), False, "output"),
    ],
)
def test_axis_comes_from_the_shape_and_the_sizes(shape, weight, peft, side):
    assert dora.axis(shape, weight, peft=peft) == side


@pytest.mark.parametrize(
    "shape", [(23,), (23, 1), (1, 23), (12, 1), (24, 12), (), (0,), (2, 12), (1, 1, 24), (24, 1, 2)]
)
def test_a_scale_of_another_size_is_refused(shape):
    with pytest.raises(TensorError, match="fits neither side"):
        dora.axis(shape, (24, 12))


def test_peft_marker_decides_for_a_square_convolution():
    torch.manual_seed(2)
    base = Base(torch.randn(8, 8, 3, 3).double())
    change = LowRank(torch.randn(8, 2).double(), torch.randn(2, 72).double())
    scale = torch.rand(1, 8, 1, 1).double()
    tensors = {"dora_scale": scale, "dora_peft": torch.tensor(1.0)}
    expected = decomposed(base.kept, change.dense(), scale, "output")
    assert error(dora.wrap(change, tensors, base), expected) < BOUND
    assert error(dora.wrap(change, {"dora_scale": scale}, base), expected) > 0.01


def test_a_row_without_length_stays_zero():
    base = Base(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    change = Dense(torch.tensor([[-1.0, -2.0], [0.5, 0.0]]))
    dense = dora.wrap(change, {"dora_scale": torch.ones(2, 1)}, base).dense()
    assert dense.isfinite().all()
    assert torch.equal(base.kept[0] + dense[0], torch.zeros(2))


def test_the_norms_that_the_weight_has_change_nothing_but_the_length():
    torch.manual_seed(3)
    base = Base(torch.randn(24, 12).double())
    still = dora.wrap(Dense(torch.zeros(24, 12).double()), {"dora_scale": base.kept.norm(dim=1, keepdim=True)}, base)
    assert still.dense().norm() < 1e-12


def test_unwrap_gives_back_the_change_and_the_scale():
    base, change = Base(torch.randn(4, 3)), Dense(torch.randn(4, 3))
    scale = torch.rand(4, 1)
    inner, tensors = dora.unwrap(dora.wrap(change, {"dora_scale": scale}, base))
    assert inner is change
    assert tensors.keys() == {"dora_scale"}
    assert torch.equal(tensors["dora_scale"], scale)
    assert dora.unwrap(change) == (change, {})


@pytest.mark.parametrize(
    ("scale", "change"),
    [
        (torch.full((4, 1), float("nan")), torch.zeros(4, 3)),
        (torch.ones(4, 1), torch.zeros(3, 4)),
        (torch.ones(5, 1), torch.zeros(4, 3)),
    ],
)
def test_what_does_not_fit_is_refused(scale, change):
    with pytest.raises(TensorError):
        dora.wrap(Dense(change), {"dora_scale": scale}, Base(torch.ones(4, 3)))
