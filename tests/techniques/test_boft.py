"""BOFT against LyCORIS run in float64."""

from itertools import product

import pytest
import torch
from lycoris.modules.boft import ButterflyOFTModule

from eleven.delta import Dense
from eleven.errors import TensorError
from eleven.techniques import boft, oft
from eleven.techniques.technique import shapes_of

LAYERS = {
    "linear": lambda: torch.nn.Linear(10, 48),
    "conv1x1": lambda: torch.nn.Conv2d(10, 48, 1),
    "conv3x3": lambda: torch.nn.Conv2d(10, 48, 3),
}
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


def trained(layer, size, limit, rescaled, monkeypatch):
    torch.manual_seed(0)
    base = LAYERS[layer]().double()
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # LyCORIS inverts in float32 otherwise
    module = ButterflyOFTModule("x", base, lora_dim=size, constraint=limit, rescaled=rescaled).double()
    with torch.no_grad():
        for parameter in (module.oft_blocks, *([module.rescale] if rescaled else [])):
            parameter += 0.1 * torch.randn_like(parameter)
    expected = module.get_diff_weight()[0].detach()
    monkeypatch.undo()
    assert expected.dtype == torch.float64
    tensors = {name: value for name, value in module.state_dict().items() if name in boft.SUFFIXES}
    return tensors, expected, Base(base.weight)


OPTIONS = list(product(LAYERS, (6, 12, 24), (0, 1e-3, 1.0), (False, True)))


@pytest.mark.parametrize(("layer", "size", "limit", "rescaled"), OPTIONS)
def test_delta_is_what_lycoris_computes(layer, size, limit, rescaled, monkeypatch):
    tensors, expected, base = trained(layer, size, limit, rescaled, monkeypatch)
    assert tensors["oft_blocks"].shape[2] == size
    delta = boft.decode(tensors, base)["weight"]
    assert error(delta, expected) < BOUND
    x = torch.randn(delta.shape[1], 3, dtype=torch.float64)
    assert torch.allclose(delta @ x, delta.dense() @ x)
    assert torch.allclose(delta.T @ (delta @ x), delta.dense().T @ (delta @ x))
    assert delta.factors() is None
    assert boft.measure(shapes_of(tensors)).shape[0] == delta.shape[0]
    assert error(boft.decode(boft.encode({"weight": delta}), base)["weight"], expected) < BOUND


def test_several_stages_mix_rows_that_one_stage_cannot(monkeypatch):
    tensors, expected, base = trained("linear", 6, 0, False, monkeypatch)
    assert tensors["oft_blocks"].shape[0] > 1
    first = tensors | {"oft_blocks": tensors["oft_blocks"][:1]}
    assert error(boft.decode(first, base)["weight"], expected) > 0.1


def test_missing_alpha_is_no_limit(monkeypatch):
    tensors, expected, base = trained("linear", 6, 0, False, monkeypatch)
    assert error(boft.decode({"oft_blocks": tensors["oft_blocks"]}, base)["weight"], expected) < BOUND


def test_only_the_number_of_dimensions_tells_it_from_oft():
    three, four = {"oft_blocks": (8, 6, 6)}, {"oft_blocks": (3, 8, 6, 6)}
    assert oft.measure(three).shape == boft.measure(four).shape == (48, None)
    for technique, shapes in ((oft, four), (boft, three)):
        with pytest.raises(TensorError):
            technique.measure(shapes)


@pytest.mark.parametrize(
    "shapes",
    [
        {"alpha": ()},
        {"oft_blocks": (1, 8, 5, 5)},
        {"oft_blocks": (1, 8, 6, 4)},
        {"oft_blocks": (0, 8, 6, 6)},
        {"oft_blocks": (5, 8, 6, 6)},
        {"oft_blocks": (3, 6, 6, 6)},
        {"oft_blocks": (10**15, 8, 6, 6)},
        {"oft_blocks": (1, 8, 6, 6), "rescale": (47, 1)},
    ],
)
def test_contradicting_shapes_are_refused(shapes):
    with pytest.raises(TensorError):
        boft.measure(shapes)


@pytest.mark.parametrize(
    "tensors",
    [
        {"oft_blocks": torch.zeros(1, 4, 6, 6)},
        {"oft_blocks": torch.full((1, 8, 6, 6), float("nan"))},
        {"oft_blocks": torch.zeros(1, 8, 6, 6), "alpha": torch.tensor(float("inf"))},
    ],
)
def test_bad_numbers_are_refused(tensors):
    with pytest.raises(TensorError):
        boft.decode(tensors, Base(torch.randn(48, 10)))


def test_a_foreign_delta_is_not_encoded():
    with pytest.raises(TensorError):
        boft.encode({"weight": Dense(torch.zeros(2, 2))})
