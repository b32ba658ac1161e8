"""What PEFT merges, layer by layer and in float64: input-side OFT in every mode, DoRA, rank-stabilised LoRA, patterns."""

import warnings
from dataclasses import asdict
from itertools import product

import pytest
import torch

from eleven.files import peft as configs
from eleven.techniques import dora, lora, oft_input
from peft import LoraConfig, OFTConfig, get_peft_model, get_peft_model_state_dict

LAYERS = {
    "linear": lambda: torch.nn.Linear(12, 20),
    "square": lambda: torch.nn.Linear(12, 12),
    "conv1x1": lambda: torch.nn.Conv2d(12, 20, 1),
    "conv3x3": lambda: torch.nn.Conv2d(12, 20, 3),
    "square conv": lambda: torch.nn.Conv2d(12, 12, 3),
}
BOUND = 1e-6


class Base:
    def __init__(self, weight):
        self.kept = weight.detach().clone()

    def weight(self):
        return self.kept

    def bias(self):
        return None


def merged(config, layer, seed=0):
    """PEFT's tensors for one layer named `block.layer`, its own merged ΔW, and the original weight."""
    torch.manual_seed(seed)
    model = torch.nn.ModuleDict({"block": torch.nn.ModuleDict({"layer": layer.double()})})
    model.forward = lambda x: model["block"]["layer"](x)
    base = Base(layer.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = get_peft_model(model, config).double()
        with torch.no_grad():
            for name, parameter in wrapped.named_parameters():
                if "lora" in name or "oft" in name:
                    parameter += 0.1 * torch.randn_like(parameter)
        tensors = {key.split("layer.")[-1]: value.clone() for key, value in get_peft_model_state_dict(wrapped).items()}
        after = wrapped.merge_and_unload()["block"]["layer"].weight.detach()
    return tensors, (after - base.kept).flatten(1), base


def error(delta, expected):
    return float((delta.dense() - expected).norm() / expected.norm())


def marked(tensors, config, rank):
    """The tensors with the marks that the adapter's JSON asks for."""
    known = {"": configs.config(asdict(config) | {"peft_type": str(config.peft_type.value)}, "adapter_config.json")}
    marks = configs.markers(known, "base_model.model.block.layer", rank)
    return tensors | {suffix: torch.tensor(value, dtype=torch.float64) for suffix, value in marks.items()}


@pytest.mark.parametrize(("layer", "exact", "shared"), list(product(LAYERS, (False, True), (False, True))))
def test_input_rotation_is_what_peft_merges(layer, exact, shared):
    config = OFTConfig(
        oft_block_size=4, r=0, target_modules=["layer"], block_share=shared, use_cayley_neumann=not exact
    )
    tensors, expected, base = merged(config, LAYERS[layer]())
    delta = oft_input.decode(marked(tensors, config, 4), base)["weight"]
    assert error(delta, expected) < BOUND


@pytest.mark.parametrize(("size", "terms"), [(2, 5), (6, 5), (12, 5), *((4, terms) for terms in range(1, 8))])
def test_every_block_size_and_series_length_is_what_peft_merges(size, terms):
    config = OFTConfig(oft_block_size=size, r=0, target_modules=["layer"], num_cayley_neumann_terms=terms)
    tensors, expected, base = merged(config, LAYERS["linear"]())
    delta = oft_input.decode(marked(tensors, config, size), base)["weight"]
    assert float((delta.dense() - expected).norm()) <= BOUND * float(expected.norm())


@pytest.mark.parametrize("shared", [False, True])
def test_constrained_rotation_is_what_peft_merges(shared):
    config = OFTConfig(oft_block_size=4, r=0, target_modules=["layer"], coft=True, eps=0.01, block_share=shared)
    tensors, expected, base = merged(config, LAYERS["linear"]())
    untouched = oft_input.decode(tensors, base)["weight"]
    delta = oft_input.decode(marked(tensors, config, 4), base)["weight"]
    assert error(delta, expected) < BOUND
    assert error(delta, untouched.dense()) < BOUND  # PEFT writes the projected generator back when it merges


def lora_tensors(tensors):
    names = {"lora_A.weight": lora.DOWN, "lora_B.weight": lora.UP, "lora_magnitude_vector": dora.SCALE}
    return {names[key]: value for key, value in tensors.items()}


def lora_delta(tensors, base):
    delta = lora.decode({key: value for key, value in tensors.items() if key not in dora.SUFFIXES}, base)["weight"]
    return dora.wrap(delta, tensors, base) if dora.SCALE in tensors else delta


@pytest.mark.parametrize(("layer", "stabilised", "decomposed"), list(product(LAYERS, (False, True), (False, True))))
def test_lora_and_dora_are_what_peft_merges(layer, stabilised, decomposed):
    config = LoraConfig(
        r=4, lora_alpha=3, target_modules=["layer"], use_rslora=stabilised, use_dora=decomposed, init_lora_weights=False
    )
    tensors, expected, base = merged(config, LAYERS[layer]())
    assert (dora.SCALE in lora_tensors(tensors)) == decomposed
    assert error(lora_delta(marked(lora_tensors(tensors), config, 4), base), expected) < BOUND


@pytest.mark.parametrize("pattern", ["layer", "block.layer", r".*\.layer", "^block.layer", "(other|layer)", "lay[ae]r"])
def test_rank_and_alpha_patterns_match_as_in_peft(pattern):
    config = LoraConfig(
        r=4,
        lora_alpha=3,
        target_modules=["layer"],
        rank_pattern={"yer": 7, pattern: 2, "layer": 5},
        alpha_pattern={"ayer": 90.0, "nothing": 80.0, pattern: 5.0},
        init_lora_weights=False,
    )
    tensors, expected, base = merged(config, LAYERS["linear"]())
    down = lora_tensors(tensors)[lora.DOWN]
    assert down.shape[0] == 2
    assert error(lora_delta(marked(lora_tensors(tensors), config, 2), base), expected) < BOUND
