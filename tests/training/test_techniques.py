"""Every technique trains, and its file holds exactly what was trained."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from skeletons import skeleton_pipeline
from trained import applied, photos_of, prediction, same_bytes_as, short_plan, train_briefly

import eleven
from eleven.errors import OutOfMemory, TensorError, UsageError
from eleven.layers.claims import claimed
from eleven.layers.family import family
from eleven.training.changes import KINDS
from eleven.training.metadata import trained_metadata
from eleven.training.naming import names_for
from eleven.training.plan import DEFAULTS
from eleven.training.runs import TRAINEES, Job, train
from eleven.training.trainee import Trainee

CAPTION = "photo of ohwx cat"


def test_every_technique_has_defaults():
    assert TRAINEES.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("technique", [*KINDS, "dreambooth"])
def test_the_file_is_what_was_trained(technique, base_of, photos, tmp_path):
    base = base_of("sd1")
    before, plain = same_bytes_as(base), prediction(base.pipeline, CAPTION)
    found, seen = train_briefly(base, photos, tmp_path / "a.safetensors", technique)
    assert all(torch.equal(one, before[key]) for key, one in same_bytes_as(base).items())
    assert torch.equal(prediction(base.pipeline, CAPTION), plain)
    with applied(base.pipeline, found.path) as count:
        again = prediction(base.pipeline, CAPTION)
    assert count > 20
    assert (seen - plain).abs().max() > 100 * (seen - again).abs().max()
    torch.testing.assert_close(again, seen, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("technique", [technique for technique in (*KINDS, "dreambooth") if technique != "ia3"])
def test_no_key_is_unread(technique, base_of, folder_of, photos, tmp_path):
    found, _ = train_briefly(
        base_of("sd1"), photos, tmp_path / "a.safetensors", technique, steps=1, text_learning_rate=0
    )
    with eleven.open(found.path, folder_of("sd1")) as file:
        assert not file.unread
        assert not file.faults
        assert all(module.startswith("lora_unet_") for module in file.modules)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "sd3", "flux"])
def test_diffusers_reads_a_lora_of_every_family(family, base_of, photos, tmp_path):
    base = base_of(family)
    found, seen = train_briefly(base, photos, tmp_path / "a.safetensors", text_learning_rate=0, alpha=1.0)
    plain = prediction(base.pipeline, CAPTION)
    base.pipeline.load_lora_weights(found.path.parent, weight_name=found.path.name)
    again = prediction(base.pipeline, CAPTION)
    base.pipeline.unload_lora_weights()
    assert (seen - plain).abs().max() > 1e-3
    torch.testing.assert_close(again, seen, rtol=1e-4, atol=1e-5)
    with applied(base.pipeline, found.path):
        torch.testing.assert_close(prediction(base.pipeline, CAPTION), seen, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("technique", ["lokr", "dreambooth"])
@pytest.mark.parametrize("family", ["sdxl", "flux"])
def test_other_techniques_train_on_other_families(technique, family, base_of, photos, tmp_path):
    base = base_of(family)
    found, seen = train_briefly(base, photos, tmp_path / "a.safetensors", technique, text_learning_rate=0)
    with applied(base.pipeline, found.path):
        torch.testing.assert_close(prediction(base.pipeline, CAPTION), seen, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_words_are_read_by_diffusers(family, base_of, photos, tmp_path):
    base = base_of(family)
    pipeline = base.pipeline
    plan = short_plan("textual-inversion", rank=3)
    seen = []
    train(
        base,
        Job(plan, photos_of(photos), tmp_path / "ohwx.safetensors"),
        lambda told: seen.append(prediction(pipeline, "photo of <eleven-0> <eleven-1> <eleven-2> cat")),
    )
    with eleven.open(tmp_path / "ohwx.safetensors") as file:
        assert [word.token for word in file.words] == ["ohwx"]
        assert all(rows.shape == (3, 32) for rows in file.words[0].vectors.values())
        assert not file.unread
    before = len(pipeline.tokenizer)
    assert "<eleven-0>" not in pipeline.tokenizer.get_vocab()
    if family == "sd1":
        pipeline.load_textual_inversion(tmp_path / "ohwx.safetensors", token="ohwx")
        torch.testing.assert_close(prediction(pipeline, "photo of ohwx cat"), seen[-1], rtol=1e-4, atol=1e-5)
        pipeline.unload_textual_inversion()
    assert len(pipeline.tokenizer) == before


def test_words_need_a_word(base_of, photos, tmp_path):
    plan = short_plan("textual-inversion", trigger="")
    with pytest.raises(UsageError, match="--trigger"):
        train(base_of("sd1"), Job(plan, photos_of(photos), tmp_path / "a.safetensors"))


def test_the_file_says_how_it_was_made(base_of, photos, tmp_path):
    base = base_of("sd1")
    found, _ = train_briefly(base, photos, tmp_path / "cat.safetensors", "loha", alpha=1.0, dtype="fp16")
    with safe_open(found.path, "pt") as file:
        told = file.metadata()
    assert told["ss_network_module"] == "lycoris.kohya"
    assert json.loads(told["ss_network_args"]) == {"algo": "loha"}
    assert (told["ss_network_dim"], told["ss_network_alpha"], told["ss_output_name"]) == ("2", "1", "cat")
    assert told["modelspec.trigger_phrase"] == "ohwx cat"
    assert json.loads(told["ss_tag_frequency"]) == {"cat": {"photo of ohwx cat": 6}}
    assert told["modelspec.hash_sha256"] == f"0x{told['sshs_model_hash']}"
    training = json.loads(told["eleven.training"])
    assert training["plan"]["batch"] == 2
    assert (training["base_sha256"], training["base_folder"]) == (base.digest, base.path.is_dir())
    assert found.curve.read_text().startswith("<svg")


@pytest.mark.parametrize("technique", ["lora", "ia3"])
def test_a_file_trained_on_the_lab_says_so(technique):
    lab = family("lab")
    names = names_for(skeleton_pipeline(lab), KINDS[technique].suffixes)
    plan = short_plan(technique)
    trainee = Trainee({}, {}, dict, lambda: None, texts=False, family=names.family)
    told = trained_metadata("ada", plan, trainee, [], {})
    assert told["modelspec.architecture"] == "eleven-lab-v1/lora"
    assert told["modelspec.resolution"] == "96x96"
    assert claimed(told) is claimed({"ss_base_model_version": told["ss_base_model_version"]}) is lab
    assert names.key("text_encoder", "text_model.encoder.layers.0.mlp.fc1", "alpha").startswith("lora_te_text_model_")


def test_too_little_memory_is_told_with_advice(base_of, photos, tmp_path):
    def fail(_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    with pytest.raises(OutOfMemory, match="too small to train lora") as told:
        train(base_of("sd1"), Job(short_plan("lora"), photos_of(photos), tmp_path / "a.safetensors"), fail)
    assert "--resolution" in told.value.hint


def test_a_training_that_diverges_is_told(base_of, photos, tmp_path):
    plan = short_plan("dreambooth", learning_rate=1e30, text_learning_rate=0.0, warmup=0.0, steps=20)
    with pytest.raises(TensorError, match="diverged at step"):
        train(base_of("sd1"), Job(plan, photos_of(photos), tmp_path / "a.safetensors"))
    pipeline = base_of("sd1").pipeline
    assert prediction(pipeline, CAPTION).isfinite().all()
    assert all(one.grad is None for one in pipeline.unet.parameters())
