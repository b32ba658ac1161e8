"""OFT on the output side against LyCORIS run in float64, and against a dense formula where only kohya defines it."""

from itertools import product

import pytest
import torch
from lycoris.modules.diag_oft import DiagOFTModule

from eleven.delta import Dense
from eleven.errors import TensorError
from eleven.techniques import oft
from eleven.techniques.technique import shapes_of

LAYERS = {
    "linear": lambda: torch.nn.Linear(10, 24),
    "conv1x1": lambda: torch.nn.Conv2d(10, 24, 1),
    "conv3x3": lambda: torch.nn.Conv2d(10, 24, 3),
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
    """LyCORIS's tensors, its own ΔW in float64, and the base."""
    torch.manual_seed(0)
    base = LAYERS[layer]().double()
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # LyCORIS inverts in float32 otherwise
    module = DiagOFTModule("x", base, lora_dim=size, constraint=limit, rescaled=rescaled).double()
    with torch.no_grad():
        for parameter in (module.oft_blocks, *([module.rescale] if rescaled else [])):
            parameter += 0.1 * torch.randn_like(parameter)
    expected = module.get_diff_weight()[0].detach()
    monkeypatch.undo()
    assert expected.dtype == torch.float64
    tensors = {name: value for name, value in module.state_dict().items() if name in oft.SUFFIXES}
    return tensors, expected, Base(base.weight)


OPTIONS = list(product(LAYERS, (2, 4, 8), (0, 1e-3, 1.0), (False, True)))


@pytest.mark.parametrize(("layer", "size", "limit", "rescaled"), OPTIONS)
def test_delta_is_what_lycoris_computes(layer, size, limit, rescaled, monkeypatch):
    tensors, expected, base = trained(layer, size, limit, rescaled, monkeypatch)
    delta = oft.decode(tensors, base)["weight"]
    assert error(delta, expected) < BOUND
    x = torch.randn(delta.shape[1], 3, dtype=torch.float64)
    assert torch.allclose(delta @ x, delta.dense() @ x)
    assert torch.allclose(delta.T @ (delta @ x), delta.dense().T @ (delta @ x))
    assert delta.factors() is None
    assert oft.measure(shapes_of(tensors)).shape[0] == delta.shape[0]


@pytest.mark.parametrize(("layer", "size", "limit", "rescaled"), OPTIONS)
def test_encoded_rotation_is_the_same_without_its_limit(layer, size, limit, rescaled, monkeypatch):
    tensors, expected, base = trained(layer, size, limit, rescaled, monkeypatch)
    again = oft.encode(oft.decode(tensors, base))
    assert float(again["alpha"]) == 0
    assert ("rescale" in again) == rescaled
    assert error(oft.decode(again, base)["weight"], expected) < BOUND


def dense_kohya(blocks, alpha, weight):
    """sd-scripts' rule, written out densely in float64."""
    skew = blocks - blocks.mT
    norm = skew.norm()
    skew = skew * ((norm.clamp(max=alpha * weight.shape[0]) + 1e-8) / (norm + 1e-8))
    eye = torch.eye(skew.shape[-1], dtype=torch.float64)
    rotation = torch.block_diag(*((eye + skew) @ torch.linalg.inv(eye - skew)))
    return rotation.T @ weight.flatten(1) - weight.flatten(1)


@pytest.mark.parametrize(("layer", "alpha"), list(product(LAYERS, (1e-3, 1e-2, 1.0))))
def test_kohya_file_is_the_dense_formula(layer, alpha):
    torch.manual_seed(1)
    weight, blocks = LAYERS[layer]().double().weight.detach(), torch.randn(4, 6, 6, dtype=torch.float64)
    tensors = {"oft_blocks": blocks, "alpha": torch.tensor(alpha), "oft_kohya": torch.tensor(1.0)}
    assert (
        error(oft.decode(tensors, Base(weight))["weight"], dense_kohya(blocks, float(tensors["alpha"]), weight)) < BOUND
    )


def test_alpha_zero_stops_a_kohya_file_and_frees_a_lycoris_file():
    torch.manual_seed(2)
    weight = torch.randn(24, 10, dtype=torch.float64)
    tensors = {"oft_blocks": torch.randn(4, 6, 6, dtype=torch.float64), "alpha": torch.tensor(0)}
    free = oft.decode(tensors, Base(weight))["weight"].dense()
    still = oft.decode(tensors | {"oft_kohya": torch.tensor(True)}, Base(weight))["weight"].dense()
    assert free.norm() > 0.5 * weight.norm()
    assert 0 < still.norm() < 1e-7 * weight.norm()


def test_missing_alpha_is_no_limit():
    torch.manual_seed(3)
    weight, blocks = torch.randn(24, 10), torch.randn(4, 6, 6)
    without = oft.decode({"oft_blocks": blocks}, Base(weight))["weight"].dense()
    assert torch.equal(
        without, oft.decode({"oft_blocks": blocks, "alpha": torch.tensor(0)}, Base(weight))["weight"].dense()
    )
    kohya = {"oft_blocks": blocks, "oft_kohya": torch.tensor(1)}
    assert torch.equal(without, oft.decode(kohya, Base(weight))["weight"].dense())


def test_old_oft_diag_is_the_rotation_itself():
    torch.manual_seed(4)
    weight = torch.randn(24, 10)
    blocks = torch.randn(4, 6, 6) * 0.1
    delta = oft.decode({"oft_blocks": blocks}, Base(weight))["weight"]
    rotation = delta.turn + torch.eye(6)
    old = oft.decode({"oft_diag": rotation}, Base(weight))
    assert error(old["weight"], delta.dense()) < BOUND
    again = oft.encode(old)
    assert again.keys() == {"oft_diag"}
    assert torch.equal(again["oft_diag"], rotation)


@pytest.mark.parametrize("shape", [(24, 1), (4, 6, 1), (24,), (24, 1, 1, 1)])
def test_rescale_of_any_layout_scales_the_rotated_rows(shape):
    torch.manual_seed(5)
    weight, factor = torch.randn(24, 10, dtype=torch.float64), torch.rand(24, dtype=torch.float64)
    tensors = {"oft_blocks": torch.randn(4, 6, 6, dtype=torch.float64)}
    plain = oft.decode(tensors, Base(weight))["weight"].dense()
    scaled = oft.decode(tensors | {"rescale": factor.reshape(shape)}, Base(weight))
    assert error(scaled["weight"], factor[:, None] * (weight + plain) - weight) < BOUND
    assert oft.encode(scaled)["rescale"].shape == shape


def test_small_angles_keep_their_digits_in_float32():
    torch.manual_seed(6)
    weight, blocks = torch.randn(24, 10), torch.randn(4, 6, 6) * 1e-4
    fine = oft.decode({"oft_blocks": blocks.double()}, Base(weight.double()))["weight"].dense()
    rough = oft.decode({"oft_blocks": blocks}, Base(weight))["weight"].dense()
    assert rough.dtype == torch.float32
    assert float((rough.double() - fine).norm() / fine.norm()) < BOUND


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_blocks_are_rotated_in_the_weights_type(dtype):
    torch.manual_seed(7)
    weight, blocks = torch.randn(24, 10), torch.randn(4, 6, 6).to(dtype)
    half = oft.decode({"oft_blocks": blocks}, Base(weight))["weight"].dense()
    assert half.dtype == torch.float32
    assert torch.equal(half, oft.decode({"oft_blocks": blocks.float()}, Base(weight))["weight"].dense())


@pytest.mark.parametrize(
    "shapes",
    [
        {"alpha": ()},
        {"oft_blocks": (4, 6)},
        {"oft_blocks": (4, 6, 5)},
        {"oft_blocks": (0, 6, 6)},
        {"oft_blocks": (2, 4, 6, 6)},
        {"oft_blocks": (4, 6, 6), "rescale": (23, 1)},
        {"oft_blocks": (4, 6, 6), "oft_diag": (4, 6, 6)},
    ],
)
def test_contradicting_shapes_are_refused(shapes):
    with pytest.raises(TensorError):
        oft.measure(shapes)


@pytest.mark.parametrize(
    "tensors",
    [
        {"oft_blocks": torch.zeros(4, 5, 5)},
        {"oft_blocks": torch.full((4, 6, 6), float("nan")).triu()},
        {"oft_blocks": torch.full((4, 6, 6), float("inf"))},
        {"oft_blocks": torch.full((4, 6, 6), 3e38).triu()},
        {"oft_blocks": torch.zeros(4, 6, 6), "alpha": torch.tensor(float("nan"))},
        {"oft_blocks": torch.zeros(4, 6, 6), "alpha": torch.zeros(2)},
        {"oft_blocks": torch.zeros(4, 6, 6), "rescale": torch.full((24, 1), float("inf"))},
    ],
)
def test_bad_numbers_are_refused(tensors):
    with pytest.raises(TensorError):
        oft.decode(tensors, Base(torch.randn(24, 10)))


def test_a_foreign_delta_is_not_encoded():
    with pytest.raises(TensorError):
        oft.encode({"weight": Dense(torch.zeros(2, 2))})
