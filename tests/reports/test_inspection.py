"""The report tells ranks, scales, layers, words and norms as the tensors have them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from eleven.cli.console import plain
from eleven.errors import FileError
from eleven.files.opening import open_container
from eleven.finetunes.opening import open_finetune
from eleven.reports.facts import stored_number
from eleven.reports.inspection import HIGHLIGHTS, inspect_file
from large import sdxl_lora, write_header
from models import OUT, base_tensors, one_layer, write_layer

TYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16)
TYPES += (torch.int8, torch.uint8, torch.bool)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_stored_number_is_read_as_torch_does(tmp_path, dtype, shape):
    value = torch.tensor(1.0 if dtype is torch.bool else 12.0).to(dtype)
    save_file({"a": value.reshape(shape), "b": torch.ones(2)}, tmp_path / "a.safetensors")
    with open_container(tmp_path / "a.safetensors") as file:
        assert stored_number(file, "a") == float(value)
        assert stored_number(file, "b") is None


def test_a_negative_fraction_survives_bfloat16(tmp_path):
    save_file({"a": torch.tensor(-0.375, dtype=torch.bfloat16)}, tmp_path / "a.safetensors")
    with open_container(tmp_path / "a.safetensors") as file:
        assert stored_number(file, "a") == -0.375


@pytest.mark.parametrize("name", one_layer())
def test_technique_rank_and_scale_are_told(tmp_path, name):
    told = inspect_file(write_layer(tmp_path / "a.safetensors", one_layer()[name], prefixes=("a.b", "c.d")))
    expected = {"tucker": "lora", "lokr-pairs": "lokr", "ia3-peft": "ia3", "norm": "full"}.get(name, name)
    wanted = set(name.split("-")) if name.startswith("dora") else {expected}
    wanted |= {"lora"} if name in ("sparse", "dora") else set()
    assert told.techniques == dict.fromkeys(wanted, 2)
    assert (told.layers, told.family, told.unread_keys) == (2, None, ())
    scaled = wanted & {"lora", "loha", "lokr", "glora", "tlora"}
    alpha = float(one_layer()[name]["alpha"]) if scaled else None
    assert told.alphas == ({alpha: 2} if scaled else {})
    assert told.scales == ({1.0 if name in ("lokr", "tucker") else 0.5: 2} if scaled else {})


@pytest.mark.parametrize("name", one_layer())
def test_norms_are_those_of_the_dense_changes(tmp_path, name):
    path = write_layer(tmp_path / "a.safetensors", one_layer()[name], prefixes=("a.b", "c.d"))
    save_file(base_tensors("a.b") | base_tensors("c.d"), tmp_path / "base.safetensors")
    told = inspect_file(path, norms=True, base=tmp_path / "base.safetensors").norms
    with open_finetune(path, tmp_path / "base.safetensors") as tune:
        truth = sum(float(delta.dense().double().norm()) ** 2 for _, delta in tune.deltas()) ** 0.5
    assert told.total == pytest.approx(truth, rel=1e-4) and told.blocks == {"all": told.total}
    without = inspect_file(path, norms=True).norms
    assert without.needs_base in (0, 2) and (without.needs_base == 2) == (without.total == 0)


def test_layers_that_cannot_be_decoded_have_no_norm(tmp_path):
    path = write_layer(
        tmp_path / "a.safetensors", {**one_layer()["lora"], "lora_up.weight": torch.full((OUT, 2), float("nan"))}
    )
    told = inspect_file(path, norms=True)
    assert list(told.norms.failed) == ["net.0.proj"] and told.norms.total == 0


def test_json_has_every_field_with_its_type(tmp_path):
    path = write_layer(tmp_path / "a.safetensors", one_layer()["lora"], **{"modelspec.title": "mine", "other": "x"})
    told = json.loads(json.dumps(plain(inspect_file(path, norms=True, hashes=True))))
    kinds = {"path": str, "container": str, "size": int, "techniques": dict, "evidence": str, "layers": int}
    kinds |= {"ranks": dict, "scales": dict, "warnings": list, "unread_keys": list, "blocks": dict, "hashes": dict}
    assert {key: type(told[key]) for key in kinds} == kinds
    assert told["family"] is told["dialect"] is None
    assert told["ranks"] == {"2": 1} and told["metadata"] == {"modelspec.title": "mine"}
    assert set(told["hashes"]) >= {"sha256", "autov2", "addnet", "tensors"} and "modelspec.title" in HIGHLIGHTS


def test_words_and_their_family_are_told(tmp_path):
    save_file({"clip_l": torch.ones(3, 768), "clip_g": torch.ones(3, 1280)}, tmp_path / "me.safetensors")
    told = inspect_file(tmp_path / "me.safetensors")
    assert (told.family, told.techniques, told.layers) == ("sdxl", {"textual inversion": 1}, 0)
    assert told.words[0].token == "me" and told.words[0].vectors == {"text_encoder": 3, "text_encoder_2": 3}


def test_a_whole_model_is_described_without_reading_it(tmp_path):
    save_file({**base_tensors("a"), "x.weight": torch.full((2, 2), float("nan"))}, tmp_path / "model.safetensors")
    told = inspect_file(tmp_path / "model.safetensors")
    assert (told.techniques, told.family, told.warnings) == ({"full model": 2}, None, ())
    with_norms = inspect_file(tmp_path / "model.safetensors", norms=True).norms
    assert with_norms.needs_base == 2


def test_folders_that_are_one_model_are_reported(tmp_path):
    save_file({"net.0.proj.lora_A.weight": torch.ones(2, 8), "net.0.proj.lora_B.weight": torch.ones(16, 2)},
              tmp_path / "adapter_model.safetensors")  # fmt: skip
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 8}))
    told = inspect_file(tmp_path, hashes=True)
    assert (told.container, told.scales, told.hashes) == ("folder", {4.0: 1}, None)


def test_settings_of_another_file_are_refused_by_name(tmp_path):
    path = write_layer(tmp_path / "adapter_model.safetensors", one_layer()["lora"])
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 7}))
    with pytest.raises(FileError, match=r"adapter_model.safetensors"):
        inspect_file(path)


def test_settings_say_nothing_of_other_files_beside_them(tmp_path):
    path = write_layer(tmp_path / "a.safetensors", one_layer()["lora"])
    alone = inspect_file(path)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 7}))
    assert inspect_file(path) == alone


def inspected_in_a_new_process(path):
    code = (
        "import sys; from eleven.cli.main import run; code = run(['inspect', '--json', sys.argv[1]]); "
        "print(code, 'torch' in sys.modules, 'rich' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)[0], done.stderr.split()


@pytest.mark.parametrize("rank", [1, pytest.param(128, marks=pytest.mark.slow)])
def test_a_lora_of_all_of_sdxl_is_inspected_without_torch(tmp_path, rank):
    path = write_header(tmp_path / "a.safetensors", sdxl_lora(rank), block=struct.pack("<e", 0.01) * 1000)
    told, (code, torch_loaded, rich_loaded) = inspected_in_a_new_process(path)
    assert (code, torch_loaded, rich_loaded) == ("0", "False", "False")
    assert (told["family"], told["dialect"], told["layers"]) == ("sdxl", "kohya", 986)
    assert told["components"] == {"unet": 722, "text_encoder_2": 192, "text_encoder": 72}
    assert told["ranks"] == {str(rank): 986} and told["unread_keys"] == [] and told["warnings"] == []
    assert rank < 128 or path.stat().st_size > 900e6
