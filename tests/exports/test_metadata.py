"""What baked files say about themselves: ModelSpec, kohya's keys, the recipe, trigger words, tags."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
import torch
from files_for_tests import bake_files, header, lora, write
from safetensors import safe_open

import eleven
from eleven.compress import Target
from eleven.exports.forms import Form
from eleven.mix import Mix
from eleven.reports.inspection import inspect_file

NONE = torch.zeros(())
SD1 = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", (320, 320)
SDXL = "lora_unet_input_blocks_7_1_transformer_blocks_5_attn1_to_q", (1280, 1280)
FLUX = "lora_unet_double_blocks_0_img_attn_proj", (3072, 3072)
TAGS = json.dumps({"10_eve secret": {"eve": 20, "smile": 4}})


def part(folder, name, at=SD1, seed=1, **metadata):
    return write(folder / f"{name}.safetensors", {at[0]: lora(at[1], NONE, seed)[0]}, **metadata)


def baked(folder, files, form=None):
    bake_files(files, folder / "both.safetensors", form or Form())
    return header(folder / "both.safetensors")


@pytest.fixture
def two(tmp_path):
    told = {"ss_tag_frequency": TAGS, "modelspec.trigger_phrase": "eve_a", "ss_base_model_version": "sd_v1"}
    first = part(tmp_path, "a", **told, **{"modelspec.license": "CC0"})
    more = json.dumps({"10_eve secret": {"eve": 5}, "reg": {"woman": 2, "x": "y"}})
    return {first: 0.7, part(tmp_path, "b", seed=2, ss_tag_frequency=more, ss_output_name="eve_b"): -0.5}


def test_every_key_that_tools_rely_on_is_there(tmp_path, two):
    found = baked(tmp_path, two)
    assert found["modelspec.sai_model_spec"] == "1.0.1"
    assert found["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert found["modelspec.implementation"] == "https://github.com/Stability-AI/generative-models"
    assert found["modelspec.title"] == found["ss_output_name"] == "both"
    assert found["modelspec.resolution"] == "512x512"
    assert sorted(found["modelspec.merged_from"].split(", ")) == ["a", "b"]
    assert found["modelspec.license"] == "CC0"
    assert found["ss_base_model_version"] == "sd_v1"
    assert found["ss_network_module"] == "networks.lora"
    assert found["ss_network_dim"] == found["ss_network_alpha"] == "6"
    assert json.loads(found["eleven.proof"]).keys() == {"error", "kept", "applied", "not_applied"}


def test_hashes_are_those_of_the_data_behind_the_header(tmp_path, two):
    found = baked(tmp_path, two)
    raw = (tmp_path / "both.safetensors").read_bytes()
    digest = sha256(raw[8 + int.from_bytes(raw[:8], "little") :]).hexdigest()
    assert found["sshs_model_hash"] == digest
    assert found["modelspec.hash_sha256"] == f"0x{digest}"


@pytest.mark.parametrize(
    ("at", "architecture", "version"),
    [
        (SDXL, "stable-diffusion-xl-v1-base/lora", "sdxl_base_v1-0"),
        (FLUX, "flux-1-dev/lora", "flux1"),
    ],
)
def test_other_families_are_told_as_forge_looks_for_them(tmp_path, at, architecture, version):
    found = baked(tmp_path, {part(tmp_path, "a", at): 1.0})
    assert found["modelspec.architecture"] == architecture
    assert found["ss_base_model_version"] == version
    assert found["modelspec.resolution"] == "1024x1024"
    assert ("black-forest-labs" in found["modelspec.implementation"]) == (at is FLUX)
    found = header_of(tmp_path, at)
    assert found["modelspec.implementation"] == "diffusers"


def header_of(folder, at):
    bake_files({part(folder, "c", at): 1.0}, folder / "names.safetensors", Form(dialect="diffusers"))
    return header(folder / "names.safetensors")


def test_recipe_reads_back_as_the_mix_with_hashes_and_without_paths(tmp_path, two):
    found = baked(tmp_path, two)
    mix = Mix.from_json(found["eleven.recipe"])
    assert {part.file: (part.sha256, part.strength) for part in mix.parts} == {
        path.name: (sha256(path.read_bytes()).hexdigest(), strength) for path, strength in two.items()
    }
    assert str(tmp_path) not in json.dumps(found)


def test_trigger_words_of_all_parts_survive_also_a_second_bake(tmp_path, two):
    found = baked(tmp_path, two)
    assert set(found["modelspec.trigger_phrase"].split(", ")) == {"eve_a", "eve"}
    third = part(tmp_path, "third", seed=3, ss_output_name="smith")
    bake_files({tmp_path / "both.safetensors": 1.0, third: 0.5}, tmp_path / "three.safetensors", Form())
    assert set(header(tmp_path / "three.safetensors")["modelspec.trigger_phrase"].split(", ")) == {
        "eve_a",
        "eve",
        "smith",
    }


def test_sidecars_are_asked_for_trigger_words_first(tmp_path, two):
    (tmp_path / "a.json").write_text(json.dumps({"activation text": "eve woman, blue eyes"}))
    assert "eve woman, blue eyes" in baked(tmp_path, two)["modelspec.trigger_phrase"]


def test_tags_are_added_up_and_left_out_on_request(tmp_path, two):
    assert json.loads(baked(tmp_path, two)["ss_tag_frequency"]) == {
        "10_eve secret": {"eve": 25, "smile": 4},
        "reg": {"woman": 2},
    }
    bake_files(two, tmp_path / "private.safetensors", Form(private=True))
    assert "secret" not in json.dumps(header(tmp_path / "private.safetensors"))


@pytest.mark.parametrize("name", ["größe 图", 'quote " and \\ back', "line\nbreak", "half \udc80 byte"])
def test_any_file_name_is_told(tmp_path, name):
    try:
        file = part(tmp_path, "a").rename(tmp_path / f"{name}.safetensors")
    except (OSError, UnicodeError):
        pytest.skip("this system has no such names")
    found = baked(tmp_path, {file: 1.0})
    clean = name.encode("utf-8", "replace").decode()
    assert found["modelspec.merged_from"] == clean
    assert Mix.from_json(found["eleven.recipe"]).parts[0].file == f"{clean}.safetensors"


@pytest.mark.parametrize("dialect", ["kohya", "diffusers", "comfyui"])
@pytest.mark.parametrize("target", [None, Target(2)])
def test_safetensors_and_eleven_itself_open_what_is_written(tmp_path, two, dialect, target):
    baked(tmp_path, two, Form(target, dialect))
    with safe_open(tmp_path / "both.safetensors", "pt") as file:
        assert all(bool(file.get_tensor(key).isfinite().all()) for key in file.keys())  # noqa: SIM118
    with eleven.open(tmp_path / "both.safetensors") as found:
        assert not found.unread
        assert not found.faults
        assert found.family_name == "Stable Diffusion 1"
    told = inspect_file(tmp_path / "both.safetensors")
    assert not told.unread_keys
    assert [fault.kind for fault in told.warnings] == (["alpha-missing"] if dialect == "diffusers" else [])


def test_parts_at_strength_0_are_not_told(tmp_path, two):
    found = baked(tmp_path, {**two, part(tmp_path, "idle", seed=5, ss_output_name="idle"): 0.0})
    assert "idle" not in found["modelspec.merged_from"]
    assert "idle" not in found["modelspec.trigger_phrase"]


def test_a_lokr_says_that_it_is_one(two, tmp_path):
    told = baked(tmp_path, two, Form(Target(8), technique="lokr"))
    assert told["ss_network_module"] == "lycoris.kohya"
    assert json.loads(told["ss_network_args"]) == {"algo": "lokr"}
