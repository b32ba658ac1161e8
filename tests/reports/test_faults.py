"""Each thing that can be wrong with a file is found, and only in files that have it."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from eleven.layers.dialect import spell
from eleven.layers.family import family
from eleven.reports.faults import CHECKS
from eleven.reports.inspection import inspect_file
from large import write_header
from models import IN, OUT, one_layer, write_layer

SD1 = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


def kinds(path):
    return {fault.kind: fault.text for fault in inspect_file(path).warnings}


def sd1_lora(path, **metadata):
    """A LoRA of rank 2 on one layer of SD 1."""
    tensors = {f"{Q}.lora_up.weight": torch.ones(320, 2), f"{Q}.lora_down.weight": torch.ones(2, 320)}
    save_file(tensors | {f"{Q}.alpha": torch.tensor(2.0)}, path, {"format": "pt", **metadata})
    return path


def changed(tmp_path, name="lora", prefixes=("net.0.proj", "net.1.proj"), **tensors):
    """A file of two layers whose first has other tensors."""
    path = write_layer(tmp_path / "a.safetensors", one_layer()[name], prefixes=prefixes)
    return replaced(path, {f"{prefixes[0]}.{name.replace('__', '.')}": tensor for name, tensor in tensors.items()})


def replaced(path, tensors):
    from safetensors.torch import load_file

    held = load_file(path) | tensors
    save_file({key: tensor for key, tensor in held.items() if tensor is not None}, path)
    return path


def test_sound_files_have_no_warnings(tmp_path):
    assert kinds(sd1_lora(tmp_path / "a.safetensors", ss_network_dim="2", ss_base_model_version="sd_v1")) == {}
    assert kinds(changed(tmp_path)) == {}


def test_every_kind_is_named_once():
    assert len({kind for kind, _ in CHECKS}) == len(CHECKS) == 15


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_tensors_that_are_no_numbers_are_named(tmp_path, value):
    up = torch.ones(OUT, 2)
    up[3, 1] = value
    found = kinds(changed(tmp_path, lora_up__weight=up))
    assert found == {"not-finite": "1 tensor holds NaN or infinity: net.0.proj.lora_up.weight"}


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *(("lora", "lora_up__weight"), ("lora", "lora_down__weight"), ("loha", "hada_w2_a"), ("lokr", "lokr_w2")),
        *(("ia3", "weight"), ("oft", "oft_blocks"), ("boft", "oft_blocks"), ("oft-input", "oft_R__weight")),
        *(("tucker", "lora_mid__weight"), ("lokr-pairs", "lokr_w1_b")),
    ],
)
def test_layers_that_do_nothing_are_counted(tmp_path, name, suffix):
    whole = one_layer()[name][suffix.replace("__", ".")]
    assert "1 of 2 layers do nothing" in kinds(changed(tmp_path, name, **{suffix: whole * 0}))["without-effect"]
    assert "without-effect" not in kinds(changed(tmp_path, name))


@pytest.mark.parametrize("name", ["dora", "sparse"])
def test_zeros_beside_something_else_have_an_effect(tmp_path, name):
    assert "without-effect" not in kinds(changed(tmp_path, name, lora_up__weight=torch.zeros(OUT, 2)))


def test_a_full_change_of_zeros_does_nothing(tmp_path):
    path = changed(tmp_path, "full", diff=torch.zeros(OUT, IN), diff_b=torch.zeros(OUT))
    assert "1 of 2 layers" in kinds(path)["without-effect"]
    assert "without-effect" not in kinds(changed(tmp_path, "full", diff=torch.zeros(OUT, IN)))


def test_damaged_layers_are_named_with_the_reason(tmp_path):
    text = kinds(changed(tmp_path, lora_up__weight=torch.ones(OUT, 5)))["damaged"]
    assert text.startswith("1 layer is damaged and cannot be mixed; net.0.proj: shapes contradict each other")


def test_missing_alphas_are_counted(tmp_path):
    assert "1 of 2 layers have no alpha" in kinds(changed(tmp_path, alpha=None))["alpha-missing"]
    path = changed(tmp_path, prefixes=("net.0.proj",), alpha=None)
    assert kinds(path)["alpha-missing"] == "no alpha is stored, so every program takes a scale of 1"
    assert "alpha-missing" not in kinds(changed(tmp_path, "oft", alpha=None))


def test_peft_files_without_their_settings_say_what_is_lost(tmp_path):
    prefix = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    save_file(
        {f"{prefix}.lora_A.weight": torch.ones(2, 320), f"{prefix}.lora_B.weight": torch.ones(320, 2)},
        tmp_path / "a.safetensors",
    )
    assert "adapter_config.json" in kinds(tmp_path / "a.safetensors")["alpha-missing"]
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 1}))
    told = inspect_file(tmp_path / "a.safetensors")
    assert told.warnings == () and told.scales == {0.5: 1}


@pytest.mark.parametrize("prefix", ["lora_unet_lora_unet_mid", "unet.unet.mid", "diffusion_model.diffusion_model.x"])
def test_a_prefix_written_twice_is_found(tmp_path, prefix):
    assert prefix in kinds(changed(tmp_path, prefixes=(prefix,)))["doubled-prefix"]


@pytest.mark.parametrize(
    ("kind", "metadata", "says"),
    [
        ("metadata-rank", {"ss_network_dim": "4"}, "ss_network_dim says 4, the layers have rank 2"),
        ("metadata-family", {"ss_base_model_version": "sdxl_base_v1-0"}, "says sdxl_base_v1-0, the keys say Stable"),
        ("metadata-family", {"modelspec.architecture": "flux-1-dev/lora"}, "says flux-1-dev/lora"),
        ("metadata-technique", {"ss_network_module": "networks.oft"}, "networks.oft, the tensors are lora"),
        (
            "metadata-technique",
            {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "loha"}'},
            "ss_network_args says loha, the tensors are lora",
        ),
    ],
)
def test_metadata_that_contradicts_the_keys_is_told(tmp_path, kind, metadata, says):
    found = kinds(sd1_lora(tmp_path / "a.safetensors", **metadata))
    assert says in found[kind] and found.keys() == {kind}


@pytest.mark.parametrize(
    "metadata",
    [
        {"ss_network_dim": "2", "ss_network_module": "networks.lora", "ss_base_model_version": "sd_v1"},
        {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "locon"}'},
        {"modelspec.architecture": "stable-diffusion-v1/lora", "ss_network_dim": "Dynamic"},
        {"ss_network_module": "something.else", "ss_network_args": "[", "ss_base_model_version": "unheard of"},
        {"ss_network_module": "lycoris.kohya", "ss_network_args": "[1]", "ss_network_dim": "٢"},
    ],
)
def test_metadata_that_agrees_or_tells_nothing_is_no_fault(tmp_path, metadata):
    assert kinds(sd1_lora(tmp_path / "a.safetensors", **metadata)) == {}


@pytest.mark.parametrize(
    ("shape", "says"),
    [((OUT, 1), "lengths of outputs: A1111"), ((1, IN), "lengths of inputs"), ((3, 1), "fits neither side")],
)
def test_the_axis_of_a_dora_is_told(tmp_path, shape, says):
    path = changed(tmp_path, "dora", prefixes=("net.0.proj",), dora_scale=torch.ones(shape))
    assert says in kinds(path)["dora-axis"]


def test_split_qkv_files_are_recognised(tmp_path):
    flux = family("flux")
    parts = {"attn.to_out.0": (3072, 3072), "attn.to_q": (9216, 3072), "ff.net.2": (3072, 12288)}
    tensors = {}
    for name, (rows, columns) in parts.items():
        prefix, rank = spell(flux, f"transformer.transformer_blocks.0.{name}", "kohya"), 12 if "to_q" in name else 4
        tensors[f"{prefix}.lora_up.weight"] = "BF16", (rows, rank)
        tensors |= {f"{prefix}.lora_down.weight": ("BF16", (rank, columns)), f"{prefix}.alpha": ("BF16", ())}
    path = write_header(tmp_path / "a.safetensors", tensors, block=b"\x80\x3f")
    told = inspect_file(path)
    assert told.family == "flux" and "split-qkv" in {fault.kind for fault in told.warnings}
    tensors[f"{prefix}.lora_down.weight"] = "BF16", (4, 12288)
    plain = {
        key: (dtype, tuple(4 if size == 12 else size for size in shape)) for key, (dtype, shape) in tensors.items()
    }
    assert "split-qkv" not in kinds(write_header(tmp_path / "b.safetensors", plain, block=b"\x80\x3f"))


def test_whole_lokr_factors_with_another_alpha_are_told(tmp_path):
    told = one_layer()["lokr"] | {"alpha": torch.tensor(1.0)}
    path = write_layer(tmp_path / "a.safetensors", told, ss_network_dim="8")
    assert "alpha 1 at dim 8" in kinds(path)["lokr-alpha"]
    assert "lokr-alpha" not in kinds(write_layer(tmp_path / "b.safetensors", told, ss_network_dim="1"))
    assert "lokr-alpha" not in kinds(write_layer(tmp_path / "c.safetensors", told))


def test_gloras_alpha_and_rotations_are_told(tmp_path):
    assert "which A1111 ignores" in kinds(write_layer(tmp_path / "a.safetensors", one_layer()["glora"]))["glora-alpha"]
    assert (
        "leaves out rescale" in kinds(write_layer(tmp_path / "b.safetensors", one_layer()["oft"]))["squared-rotation"]
    )
    found = kinds(write_layer(tmp_path / "c.safetensors", one_layer()["boft"]))["squared-rotation"]
    assert "square of the strength; Eleven" in found
    assert "squared-rotation" not in kinds(write_layer(tmp_path / "d.safetensors", one_layer()["oft-input"]))


def test_mixed_types_are_counted_without_alphas(tmp_path):
    found = kinds(changed(tmp_path, lora_up__weight=torch.ones(OUT, 2).half()))
    assert found == {"mixed-types": "tensors of several types: 3 F32, 1 F16"}
    assert "mixed-types" not in kinds(changed(tmp_path, alpha=torch.tensor(1, dtype=torch.bfloat16)))


def test_sidecars_that_cannot_be_read_are_named(tmp_path):
    path = changed(tmp_path)
    path.with_suffix(".json").write_text("{")
    assert "a.json" in kinds(path)["sidecar"]
