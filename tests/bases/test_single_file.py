"""Single files open offline with every weight in its place; what is no base of a known family is told as what it is."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file
from small_checkpoints import narrow_configurations, narrow_family, original_tensors, random_models

from eleven.bases.opening import open_base
from eleven.bases.options import BaseOptions, Prediction
from eleven.bases.quiet import quiet
from eleven.errors import FamilyMismatch, FileError
from eleven.files.hashes import identity
from eleven.finetunes.checkpoint import as_checkpoint
from eleven.layers.family import family
from models import one_layer, write_layer

NAMES = ("sd1", "sd2", "sdxl")
V = BaseOptions(prediction=Prediction.V)
EPSILON = BaseOptions(prediction=Prediction.EPSILON)


@dataclass
class Narrow:
    """Narrow models of a family, and what a file in the original layout holds of them."""

    models: dict[str, torch.nn.Module]
    tensors: dict[str, torch.Tensor]
    family: object


@pytest.fixture(scope="module")
def configurations(tmp_path_factory):
    return narrow_configurations(tmp_path_factory.mktemp("narrow") / "configurations")


@pytest.fixture(scope="module")
def narrow(configurations):
    made = {}
    for name in NAMES:
        models = random_models(configurations / name)
        small = narrow_family(name, models, configurations.parent)
        made[name] = Narrow(models, original_tensors(small, models), small)
    return made


@pytest.fixture(autouse=True)
def narrow_world(configurations, narrow, monkeypatch):
    """Eleven knows narrow families in place of the real ones."""
    known = (*(narrow[name].family for name in NAMES), family("flux"))
    monkeypatch.setattr("eleven.bases.single_file.CONFIGURATIONS", configurations)
    monkeypatch.setattr("eleven.bases.single_file.as_checkpoint", partial(as_checkpoint, families=known))


@pytest.fixture
def write(narrow, tmp_path):
    """Writes the checkpoint of a family, some tensors changed or taken out (None)."""

    def written(name, metadata=None, **changed):
        tensors = narrow[name].tensors | {key.replace("__", "."): tensor for key, tensor in changed.items()}
        path = tmp_path / f"{name}_model.safetensors"
        save_file({key: value.contiguous() for key, value in tensors.items() if value is not None}, path, metadata)
        return path

    return written


def picture(pipeline):
    told = {"num_inference_steps": 2, "height": 64, "width": 64, "output_type": "np"}
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of numpy, in diffusers' samplers
        return pipeline("a photo of a cat", generator=torch.Generator().manual_seed(5), **told).images[0]


def weights(module):
    return {key.removeprefix("text_model."): value for key, value in module.state_dict().items()}


def predicts(base):
    return base.pipeline.components["scheduler"].config["prediction_type"]


@pytest.mark.parametrize(
    ("name", "size", "prediction"), [("sd1", 512, "epsilon"), ("sd2", 768, "v_prediction"), ("sdxl", 1024, "epsilon")]
)
def test_every_weight_is_in_its_place(narrow, write, name, size, prediction, capfd):
    path = write(name)
    base = open_base(path)
    assert (base.name, base.family_name, base.digest) == (f"{name}_model", name, identity(path))
    assert (base.size, predicts(base)) == ((size, size), prediction)
    assert capfd.readouterr() == ("", "")
    for part, model in narrow[name].models.items():
        mine, theirs = weights(base.pipeline.components[part]), weights(model)
        assert list(mine) == list(theirs)
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs), part
    assert np.isfinite(picture(base.pipeline)).all()
    words = [part for key, part in base.pipeline.components.items() if key.startswith("tokenizer")]
    # what short prompts are filled up with, as each encoder learned it
    assert [one.pad_token_id for one in words] == {"sd1": [49407], "sd2": [0], "sdxl": [49407, 0]}[name]
    assert {one.model_max_length for one in words} == {77}


def test_diffusers_reads_the_same_from_the_file(configurations, write, tmp_path):
    path = write("sd1")
    mine = open_base(path).pipeline
    folder = shutil.copytree(configurations / "sd1", tmp_path / "with_words")
    mine.components["tokenizer"].save_pretrained(folder / "tokenizer")
    with quiet():
        theirs = StableDiffusionPipeline.from_single_file(str(path), config=str(folder), local_files_only=True)
    theirs.set_progress_bar_config(disable=True)
    for part in ("unet", "vae", "text_encoder"):
        expected = weights(theirs.components[part])
        assert all(torch.equal(value, expected[key]) for key, value in weights(mine.components[part]).items())
    assert np.abs(picture(mine) - picture(theirs)).max() < 1e-5


def test_old_checkpoints_are_read_without_running_them(narrow, tmp_path):
    path = tmp_path / "old.ckpt"
    copies = {"model_ema.decay": torch.tensor(0.9), "alphas_cumprod": torch.rand(1000)}
    torch.save({"state_dict": narrow["sd1"].tensors | copies, "global_step": 5}, path)
    mine = weights(open_base(path).pipeline.components["unet"])
    assert all(torch.equal(mine[key], value) for key, value in weights(narrow["sd1"].models["unet"]).items())
    path.write_bytes(b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR.")
    with pytest.raises(FileError, match="system"):
        open_base(path)


def test_weights_are_converted_to_the_type_asked_for(write):
    base = open_base(write("sd1"), dtype="float16", device="cpu")
    parts = [part for part in base.pipeline.components.values() if isinstance(part, torch.nn.Module)]
    assert {one.dtype for part in parts for one in part.parameters()} == {torch.float16}


def test_stable_diffusion_2_is_assumed_to_predict_velocity_and_says_so(write):
    base = open_base(write("sd2"))
    assert predicts(base) == "v_prediction"
    assert "velocity is assumed" in base.notes[0]
    told = open_base(write("sd2"), options=EPSILON)
    assert (predicts(told), told.size, told.notes) == ("epsilon", (512, 512), ())
    assert predicts(open_base(write("sd1"), options=V)) == "v_prediction"
    assert open_base(write("sd1")).notes == ()


def test_the_configuration_beside_the_file_tells_the_prediction(write):
    path = write("sd2")
    path.with_suffix(".yaml").write_text("params:\n  timesteps: 9\n", "utf-8")
    base = open_base(path)
    assert (predicts(base), base.notes) == ("epsilon", ())


def test_keys_tell_velocity_and_pure_noise_at_the_start(write):
    base = open_base(write("sdxl", v_pred=torch.tensor([]), ztsnr=torch.tensor([])))
    settings = base.pipeline.components["scheduler"].config
    assert settings["prediction_type"] == "v_prediction"
    assert (settings["rescale_betas_zero_snr"], settings["timestep_spacing"]) == (True, "trailing")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_file_without_one_component_is_told(narrow, write, part):
    small = next(one for one in narrow["sd1"].family.components if one.folder == part)
    keys = [source.key for source in small.keys(*small.checkpoints[0]).values()]
    with pytest.raises(FileError, match=f"sd1_model.safetensors: {part}: is missing"):
        open_base(write("sd1", **dict.fromkeys(keys)))


def test_one_missing_weight_is_told(write):
    lost = "model.diffusion_model.out.2.bias"
    with pytest.raises(FileError, match=r"unet: lacks 1 of the model's weights \(conv_out.bias\)"):
        open_base(write("sd1", **{lost: None}))


def test_a_truncated_file_is_told(write):
    path = write("sd1")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(FileError, match=path.name):
        open_base(path)


def test_a_checkpoint_for_inpainting_is_refused(narrow, write):
    key = "model.diffusion_model.input_blocks.0.0.weight"
    wide = torch.zeros(narrow["sd1"].tensors[key].shape[0], 9, 3, 3)
    with pytest.raises(FamilyMismatch, match="takes 9 channels rather than 4"):
        open_base(write("sd1", **{key: wide}))


def test_an_adapter_is_no_base(tmp_path):
    path = write_layer(tmp_path / "lora.safetensors", one_layer()["lora"], prefixes=["lora_unet_mid_block_attn"])
    with pytest.raises(FileError, match="lora.safetensors: holds no whole model, but perhaps an adapter"):
        open_base(path)


def test_files_of_other_families_are_refused_with_the_way_out(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"encoder.block.weight": torch.ones(3, 3)}, path)
    with pytest.raises(FamilyMismatch, match="no family that Eleven knows; they are read of sd1, sd2, sdxl") as told:
        open_base(path)
    assert "diffusers folder" in told.value.hint


@pytest.mark.parametrize("name", ["none.safetensors", "folder/none.ckpt"])
def test_a_path_that_is_not_there_is_told(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=Path(name).name):
        open_base(name)
