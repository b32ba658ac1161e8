"""LoRA, LoHa, LoKr and (IA)³ against the live forward of PEFT 0.21.2; its key names are translated by hand."""

from __future__ import annotations

import peft
import pytest
import torch
from torch import nn

from eleven.errors import TensorError
from eleven.techniques import decode
from eleven.testing import Given, check_delta

BASES = {
    "linear": lambda: nn.Linear(24, 36),
    "conv 1x1": lambda: nn.Conv2d(24, 36, 1),
    "conv 3x3": lambda: nn.Conv2d(24, 36, 3),
    "square": lambda: nn.Linear(24, 24),
}
LORA_NAMES = {
    "lora_A.default.weight": "lora_down.weight",
    "lora_B.default.weight": "lora_up.weight",
    "lora_B.default.bias": "lora_up.bias",
}
LORA = ({"lora_alpha": 2}, {"lora_alpha": 8, "use_rslora": True}, {"lora_alpha": 3, "lora_bias": True})
LOHA = ({"alpha": 2}, {"alpha": 3, "use_effective_conv2d": True})
LOKR = (
    {"alpha": 2, "r": 2},
    {"alpha": 3, "r": 2, "use_effective_conv2d": True},
    {"alpha": 3, "r": 2, "decompose_both": True},
    {"alpha": 1, "decompose_factor": 2},
    {"alpha": 2, "r": 32, "decompose_factor": 8},
)
IA3 = ({"feedforward_modules": ["layer"]}, {"feedforward_modules": []})
KINDS = {
    "lora": (peft.LoraConfig, LORA),
    "loha": (peft.LoHaConfig, LOHA),
    "lokr": (peft.LoKrConfig, LOKR),
    "ia3": (peft.IA3Config, IA3),
}
CASES = [
    pytest.param(config, base, options, id=f"{kind}-{base}-{options}")
    for kind, (config, all_options) in KINDS.items()
    for base in BASES
    for options in all_options
]


class Model(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def tuned(layer: nn.Module, config: peft.PeftConfig) -> nn.Module:
    """PEFT's own layer with random parameters."""
    model = peft.get_peft_model(Model(layer), config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape))
    return model.requires_grad_(False).eval().base_model.model.layer


def translated(layer: nn.Module) -> dict[str, torch.Tensor]:
    """The saved tensors under this project's names, with the scale that the reader takes from the JSON."""
    saved = {name: tensor.clone() for name, tensor in layer.state_dict().items() if "base_layer" not in name}
    named = {LORA_NAMES.get(name, name.removesuffix(".default")): tensor for name, tensor in saved.items()}
    return named if "ia3_l" in named else named | {"scale": torch.tensor(layer.scaling["default"])}


def effective(layer: nn.Module, base: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of what the layer adds to its base, from unit impulses in float64."""
    shape = base.weight.shape[1:]
    impulses = torch.eye(shape.numel(), dtype=torch.float64).view(-1, *shape)
    nothing = torch.zeros(1, *shape, dtype=torch.float64)
    bias = (layer(nothing) - base(nothing)).flatten()
    return ((layer(impulses) - base(impulses)).flatten(1) - bias).T, bias


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("config", "base_name", "options"), CASES)
def test_change_is_what_the_live_layer_adds(config, base_name, options):
    base = BASES[base_name]()
    rank = {} if config is peft.IA3Config else {"r": 4}
    layer = tuned(base, config(**{"target_modules": ["layer"], **rank, **options}))
    tensors = translated(layer)
    original = Given(base.weight.clone(), base.bias.clone())
    layer.double()
    weight, bias = effective(layer, layer.base_layer)
    assert weight.norm() > 1e-3
    change = decode(tensors, original)
    check_delta(change["weight"], weight)
    assert ("bias" in change) == bool(bias.abs().max() > 1e-9)
    if "bias" in change:
        check_delta(change["bias"], bias[:, None])


@pytest.mark.parametrize("options", [{"alpha": 1, "decompose_factor": 2}, {"alpha": 2, "decompose_factor": 8}])
def test_lokr_of_two_whole_factors_has_alpha_over_rank_in_peft(options):
    layer = tuned(nn.Linear(24, 36), peft.LoKrConfig(**{"target_modules": ["layer"], "r": 32, **options}))
    tensors = translated(layer)
    assert set(tensors) == {"lokr_w1", "lokr_w2", "scale"}
    truth = options["alpha"] / 32 * torch.kron(tensors["lokr_w1"].double(), tensors["lokr_w2"].double())
    check_delta(decode(tensors, Given())["weight"], truth)


@pytest.mark.parametrize("on_input", [True, False])
def test_ia3_of_a_square_convolution_needs_to_be_told_its_side(on_input):
    config = peft.IA3Config(target_modules=["layer"], feedforward_modules=["layer"] if on_input else [])
    base = nn.Conv2d(8, 8, 3)
    layer = tuned(base, config)
    original = Given(base.weight.clone(), base.bias.clone())
    tensors = translated(layer)
    with pytest.raises(TensorError, match="side"):
        decode(tensors, original)
    layer.double()
    told = decode({**tensors, "on_input": torch.tensor(on_input)}, original)
    check_delta(told["weight"], effective(layer, layer.base_layer)[0])


@pytest.mark.parametrize("bias", [True, False])
def test_ia3_merged_by_peft_scales_the_bias_on_the_output_side(bias):
    layer = tuned(nn.Linear(24, 36, bias=bias), peft.IA3Config(target_modules=["layer"], feedforward_modules=[]))
    base = layer.base_layer
    before = Given(base.weight.clone(), base.bias.clone() if bias else None)
    change = decode(translated(layer), before)
    layer.merge()
    torch.testing.assert_close(base.weight, before.weight() + change["weight"].dense())
    assert ("bias" in change) == bias
    if bias:
        torch.testing.assert_close(base.bias, before.bias() + change["bias"].dense().flatten())
