"""Folders of every family open as whole pipelines; what is no base is told as what it is."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file
from tiny_pipelines import FAMILIES, tiny_pipeline

from eleven.bases.opening import open_base
from eleven.bases.options import BaseOptions, Offload
from eleven.errors import FamilyMismatch, FileError, OutOfMemory, UsageError
from eleven.files.hashes import identity
from eleven.layers.family import family


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("bases")
    return {name: tiny_pipeline(name, place / name) for name in FAMILIES}


@pytest.fixture
def copied(folders, tmp_path):
    """A folder of Stable Diffusion 1 that a test may damage."""
    return shutil.copytree(folders["sd1"], tmp_path / "copy")


def picture(pipeline):
    noise = torch.Generator().manual_seed(5)
    told = {"num_inference_steps": 2, "height": 32, "width": 32, "generator": noise, "output_type": "np"}
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of numpy, in diffusers' samplers
        return pipeline("a photo of a cat", **told).images[0]


def change(path, **values):
    """Rewrites entries of a JSON file; None takes one out."""
    told = json.loads(path.read_text("utf-8")) | values
    path.write_text(json.dumps({key: value for key, value in told.items() if value is not None}), "utf-8")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_folder_opens_as_diffusers_opens_it(folders, name, capfd):
    base = open_base(folders[name])
    assert (base.name, base.source, base.family_name) == (name, str(folders[name]), name)
    assert family(base.family_name) is not None
    assert (base.device.type, base.dtype) == ("cpu", torch.float32)
    assert base.digest == identity(folders[name])
    assert capfd.readouterr() == ("", "")
    theirs = DiffusionPipeline.from_pretrained(folders[name], local_files_only=True)
    assert set(base.pipeline.components) == set(theirs.components)
    assert np.array_equal(picture(base.pipeline), picture(theirs))


def test_the_components_are_what_fine_tunes_change(folders):
    parts = {name: list(open_base(folder).components) for name, folder in folders.items()}
    assert parts["sd1"] == parts["sd2"] == ["unet", "text_encoder"]
    assert parts["sdxl"] == ["unet", "text_encoder", "text_encoder_2"]
    assert parts["sd3"] == ["transformer", "text_encoder", "text_encoder_2", "text_encoder_3"]
    assert parts["flux"] == ["transformer", "text_encoder", "text_encoder_2"]


def test_nothing_trains_and_no_progress_is_shown(folders, capfd):
    base = open_base(folders["sdxl"])
    modules = [part for part in base.pipeline.components.values() if isinstance(part, torch.nn.Module)]
    assert len(modules) == 4
    assert not any(module.training for part in modules for module in part.modules())
    assert not any(parameter.requires_grad for part in modules for parameter in part.parameters())
    capfd.readouterr()
    picture(base.pipeline)
    assert capfd.readouterr() == ("", "")


def test_the_size_is_the_denoisers_own(folders):
    assert open_base(folders["sd1"]).size == (32, 32)
    assert open_base(folders["sd3"]).size == (32, 32)
    assert open_base(folders["flux"]).size == (256, 256)


def test_a_size_may_be_told_for_each_side(copied):
    change(copied / "unet" / "config.json", sample_size=[8, 24])
    assert open_base(copied).size == (48, 16)


def test_weights_have_the_type_asked_for(folders):
    base = open_base(folders["sd1"], device="cpu", dtype="bf16")
    assert base.dtype == torch.bfloat16
    assert {one.dtype for part in base.components.values() for one in part.parameters()} == {torch.bfloat16}


def test_variants_and_old_names_of_the_vae_are_read(copied, folders):
    path = copied / "vae" / "diffusion_pytorch_model.safetensors"
    new = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(path)
    for there, before in new.items():
        tensors = {key.replace(f".{there}.", f".{before}."): tensor for key, tensor in tensors.items()}
    assert any(".proj_attn." in key for key in tensors)
    save_file(tensors, path)
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert np.array_equal(picture(open_base(copied).pipeline), picture(open_base(folders["sd1"]).pipeline))


def test_pickled_weights_are_read_without_running_them(copied, folders):
    path = copied / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    assert np.array_equal(picture(open_base(copied).pipeline), picture(open_base(folders["sd1"]).pipeline))
    path.with_suffix(".bin").write_bytes(b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR.")
    with pytest.raises(FileError, match="system"):
        open_base(copied)


def test_the_safety_checker_is_left_out(copied):
    checker = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    processor = ["transformers", "CLIPImageProcessor"]
    change(copied / "model_index.json", safety_checker=checker, feature_extractor=processor)
    change(copied / "model_index.json", requires_safety_checker=True)
    parts = open_base(copied).pipeline.components
    assert parts["safety_checker"] is None
    assert parts["feature_extractor"] is None


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_missing_weight_is_told(copied, part):
    path = next((copied / part).glob("*.safetensors"))
    tensors = load_file(path)
    lost = tensors.popitem()[0]
    save_file(tensors, path)
    with pytest.raises(FileError, match="lacks 1 of the model's weights") as told:
        open_base(copied)
    assert lost.rpartition(".")[0] in str(told.value)
    assert str(copied / part) in str(told.value)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_truncated_and_missing_files_are_told(copied, part):
    path = next((copied / part).glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match=path.name):
        open_base(copied)
    path.unlink()
    with pytest.raises(FileError, match=f"{part}: holds no model"):
        open_base(copied)
    shutil.rmtree(copied / part)
    with pytest.raises(FileError, match=f"{part}: is missing"):
        open_base(copied)


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_weights_of_another_shape_are_told(copied, part):
    path = next((copied / part).glob("*.safetensors"))
    tensors = load_file(path)
    key = next(key for key in tensors if key.endswith("fc1.weight") or key == "conv_in.weight")
    save_file(tensors | {key: torch.zeros(3, 5)}, path)
    with pytest.raises(FamilyMismatch, match="other shapes"):
        open_base(copied)


@pytest.mark.parametrize(
    "lost",
    [
        *("tokenizer", "tokenizer/tokenizer.json", "scheduler", "scheduler/scheduler_config.json"),
        *("unet/config.json", "text_encoder/config.json", "vae/config.json"),
    ],
)
def test_a_missing_configuration_is_told(copied, lost):
    path = copied / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(FileError, match=str(copied)):
        open_base(copied)


def test_a_broken_configuration_is_told(copied):
    (copied / "unet" / "config.json").write_text("{", "utf-8")
    with pytest.raises(FileError, match="unet"):
        open_base(copied)
    (copied / "model_index.json").write_text("{", "utf-8")
    with pytest.raises(FileError, match="model_index.json is not JSON"):
        open_base(copied)


def test_a_folder_without_an_index_is_no_pipeline(copied, tmp_path):
    for folder in (tmp_path, copied / "unet"):
        with pytest.raises(FileError, match=r"no diffusers pipeline: it has no model_index.json"):
            open_base(folder)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("StableDiffusionInpaintPipeline", "works on"),
        ("StableDiffusionXLImg2ImgPipeline", "works on image"),
        ("TextToVideoSDPipeline", "works on num frames"),
    ],
)
def test_pipelines_that_need_more_than_words_are_refused(copied, kind, reason):
    change(copied / "model_index.json", _class_name=kind)
    with pytest.raises(FamilyMismatch, match=reason):
        open_base(copied)


def test_a_denoiser_for_inpainting_is_refused(copied):
    path = copied / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(path) | {"conv_in.weight": torch.zeros(16, 9, 3, 3)}, path)
    change(copied / "unet" / "config.json", in_channels=9)
    with pytest.raises(FamilyMismatch, match="takes 9 channels rather than 4"):
        open_base(copied)


@pytest.mark.parametrize("kind", ["MyPipeline", ["pipeline", "MyPipeline"], "UNet2DConditionModel", None])
def test_a_pipeline_of_its_own_code_is_refused(copied, kind):
    change(copied / "model_index.json", _class_name=kind)
    with pytest.raises(FileError, match="describes a pipeline"):
        open_base(copied)


@pytest.mark.parametrize("listed", [["my_code", "UNet"], ["diffusers", "MyUNet"], ["os", "system"], []])
def test_a_component_of_its_own_code_is_refused(copied, listed):
    change(copied / "model_index.json", unet=listed)
    with pytest.raises(FileError):
        open_base(copied)


def test_options_reach_the_pipeline(folders):
    base = open_base(folders["sd1"], options=BaseOptions(attention_slicing=True, vae_slicing=True, vae_tiling=True))
    assert base.pipeline.vae.use_slicing
    assert base.pipeline.vae.use_tiling
    plain = open_base(folders["sd1"])
    assert not plain.pipeline.vae.use_slicing
    assert np.abs(picture(base.pipeline) - picture(plain.pipeline)).max() < 1e-4


def test_options_that_cannot_be_followed_are_refused(folders):
    with pytest.raises(UsageError, match="FluxPipeline has no attention to slice"):
        open_base(folders["flux"], options=BaseOptions(attention_slicing=True))
    for offload in (Offload.MODEL, Offload.SEQUENTIAL):
        with pytest.raises(UsageError, match="needs an accelerator"):
            open_base(folders["sd1"], device="cpu", options=BaseOptions(offload=offload))


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("opening.place_on", torch.OutOfMemoryError("CUDA out of memory")),
        ("opening.place_on", RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)")),
        ("components._denoiser", MemoryError()),
        ("components._denoiser", RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")),
    ],
)
def test_too_little_memory_is_told_with_advice(folders, monkeypatch, error, where):
    def fail(*_):
        raise error

    monkeypatch.setattr(f"eleven.bases.{where}", fail)
    with pytest.raises(OutOfMemory, match="does not fit into the memory of cpu") as told:
        open_base(folders["sd1"])
    assert "offload" in told.value.hint
