"""Files written by PEFT and lycoris-lora themselves give the change that those libraries apply; all spellings agree."""

from __future__ import annotations

import warnings

import peft
import pytest
import torch
from lycoris import LycorisNetwork, create_lycoris
from safetensors.torch import save_file

from eleven.finetunes.opening import open_finetune
from eleven.layers.dialect import spell
from eleven.layers.family import family
from eleven.testing import relative_error
from models import drawn

SD1 = family("sd1")
QUERY = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONFIGS = {
    "lora": peft.LoraConfig(r=4, lora_alpha=6, target_modules=["inner"]),
    "rslora": peft.LoraConfig(r=4, lora_alpha=6, use_rslora=True, target_modules=["inner"]),
    "dora": peft.LoraConfig(r=4, lora_alpha=6, use_dora=True, target_modules=["inner"]),
    "patterns": peft.LoraConfig(
        r=4, lora_alpha=6, rank_pattern={"a.inner": 2}, alpha_pattern={"b.inner": 3}, target_modules=["inner"]
    ),
    "loha": peft.LoHaConfig(r=4, alpha=6, target_modules=["inner"]),
    "lokr": peft.LoKrConfig(r=4, alpha=6, target_modules=["inner"]),
    "ia3": peft.IA3Config(target_modules=["inner"], feedforward_modules=[]),
    "oft": peft.OFTConfig(r=0, oft_block_size=8, target_modules=["inner"]),
    "oft-exact": peft.OFTConfig(r=0, oft_block_size=8, use_cayley_neumann=False, target_modules=["inner"]),
}
ALGORITHMS = ("locon", "loha", "lokr", "glora", "diag-oft", "boft", "full", "ia3")


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(24, 32)

    def forward(self, x):
        return self.inner(x)


class Model(torch.nn.Module):
    """Two linear layers that do not follow each other."""

    def __init__(self):
        super().__init__()
        self.a, self.b = Block(), Block()

    def forward(self, x):
        return self.a(x) + self.b(x)


def randomised(module, size=0.2):
    """Every parameter that is trained, moved."""
    chance = torch.Generator().manual_seed(7)
    for name, tensor in module.named_parameters():
        if tensor.requires_grad:
            tensor.data += size * torch.randn(tensor.shape, generator=chance)
            tensor.data = tensor.data.abs() if "magnitude" in name else tensor.data


def base_file(path, model, prefix):
    save_file({f"{prefix(key)}": tensor.clone() for key, tensor in model.state_dict().items()}, path)
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CONFIGS)
def test_peft_folders_give_what_peft_merges(tmp_path, name):
    torch.manual_seed(0)
    model = Model()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    base = base_file(tmp_path / "base.safetensors", model, lambda key: f"base_model.model.{key}")
    tuned = peft.get_peft_model(model, CONFIGS[name])
    randomised(tuned)
    tuned.save_pretrained(tmp_path / "adapter")
    merged = tuned.merge_and_unload().state_dict()
    with open_finetune(tmp_path / "adapter", base) as tune:
        found = {layer.name: delta.dense() for layer, delta in tune.deltas()}
        assert tune.unread == ()
    for part in ("a", "b"):
        truth = merged[f"{part}.inner.weight"].double() - before[f"{part}.inner.weight"].double()
        assert truth.norm() > 0.1
        assert relative_error(found[f"base_model.model.{part}.inner.weight"], truth) < 5e-6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_lycoris_files_give_what_lycoris_applies(tmp_path, algorithm):
    torch.manual_seed(0)
    model = Model()
    base = base_file(tmp_path / "base.safetensors", model, lambda key: "lycoris_" + key.replace(".", "_", 1))
    x = torch.eye(24)
    plain = {part: getattr(model, part)(x).detach() for part in "ab"}
    LycorisNetwork.apply_preset({"target_module": ["Block"], "target_name": [], "module_algo_map": {}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = create_lycoris(model, 1.0, linear_dim=4, linear_alpha=2, algo=algorithm)
        network.apply_to()
        randomised(network)
        network.save_weights(str(tmp_path / "a.safetensors"), torch.float32, {})
    truth = {part: (getattr(model, part)(x).detach() - plain[part]).double() for part in "ab"}
    with open_finetune(tmp_path / "a.safetensors", base) as tune:
        assert tune.unread == () and not tune.faults
        found = {layer.name: delta.dense() for layer, delta in tune.deltas()}
    for part in "ab":
        bias = found.get(f"lycoris_{part}_inner.bias", torch.zeros(32, 1)).T.double()
        got = found[f"lycoris_{part}_inner.weight"].T.double() + bias
        assert truth[part].norm() > 0.1
        assert relative_error(got, truth[part]) < 5e-6


LORA = drawn(0, lora_up__weight=(320, 4), lora_down__weight=(4, 320)) | {"alpha": torch.tensor(2.0)}
LOHA = drawn(1, hada_w1_a=(320, 2), hada_w1_b=(2, 320), hada_w2_a=(320, 2), hada_w2_b=(2, 320))
LOKR = drawn(2, lokr_w1=(8, 8), lokr_w2_a=(40, 2), lokr_w2_b=(2, 40))
SUFFIXES = {
    "kohya": {},
    "lycoris": {},
    "onetrainer": {},
    "kohya, folder twice": {},
    "diffusers": {"lora_up.weight": "lora.up.weight", "lora_down.weight": "lora.down.weight"},
    "peft": {"lora_up.weight": "lora_B.weight", "lora_down.weight": "lora_A.weight"},
    "peft, in folders": {"lora_up.weight": "lora_B.default.weight", "lora_down.weight": "lora_A.default.weight"},
    "comfyui": {"lora_up.weight": "lora_B.weight", "lora_down.weight": "lora_A.weight"},
    "bare": {},
}


@pytest.mark.parametrize("dialect", SUFFIXES)
@pytest.mark.parametrize("tensors", [LORA, LOHA, LOKR], ids=["lora", "loha", "lokr"])
def test_every_dialect_spells_the_same_change(tmp_path, dialect, tensors):
    found = []
    for name in ("kohya", dialect):
        prefix = spell(SD1, QUERY, name)
        told = {f"{prefix}.{SUFFIXES[name].get(suffix, suffix)}": tensor for suffix, tensor in tensors.items()}
        save_file(told, tmp_path / "a.safetensors")
        with open_finetune(tmp_path / "a.safetensors") as tune:
            assert tune.family is SD1 or SD1 in tune.recognition.also
            ((layer, delta),) = tune.deltas()
            found.append((layer.name, delta.dense()))
    assert found[0][0] == found[1][0] == f"{QUERY}.weight"
    assert torch.equal(found[0][1], found[1][1])
