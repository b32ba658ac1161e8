"""Bakes into diffusers folders: the same numbers as in a single file, everything else copied, whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from checkpoints_for_tests import Tensors, assert_rounded_once, bake_into, lora, read, save, skeleton

from eleven.errors import OutputError
from eleven.exports.folder import PROOF_FILE, RECIPE_FILE
from eleven.files.atomic import AtomicFile
from eleven.layers.family import family

TO_Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight"
Q_PROJ = "text_model.encoder.layers.3.self_attn.q_proj.weight"
UNET, TEXT = Path("unet/diffusion_pytorch_model.safetensors"), Path("text_encoder/model.safetensors")
SINGLE = {
    "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight": (640, 640),
    "cond_stage_model.transformer.text_model.encoder.layers.3.self_attn.q_proj.weight": (768, 768),
}


def components() -> dict[str, Tensors]:
    """An SD 1 model by component in diffusers' names, with the values of the single file of the same seeds."""
    sd1 = family("sd1")
    assert sd1 is not None
    whole = skeleton("sd1", SINGLE)
    found: dict[str, Tensors] = {}
    for name, source in sd1.sources().items():
        if source.key in whole:
            folder, _, key = name.partition(".")
            found.setdefault(folder, {})[key] = whole[source.key]
    return found


@pytest.fixture
def part(tmp_path: Path) -> Path:
    unet = lora("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", 640, 640)[0]
    return save(
        tmp_path / "part.safetensors", unet | lora("lora_te_text_model_encoder_layers_3_self_attn_q_proj", 768, 768)[0]
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    parts = components()
    save(folder / UNET, parts["unet"], {"format": "pt"})
    save(folder / TEXT, parts["text_encoder"])
    save(folder / "vae/diffusion_pytorch_model.safetensors", parts["vae"])
    (folder / "unet/config.json").write_text('{"sample_size": 64}')
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer/merges.txt").write_text("a b\n")
    listed = {name: ["diffusers", "Model"] for name in ("unet", "text_encoder", "vae")}
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline", **listed}))
    return folder


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def left(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()} - {"base", "part.safetensors", "out"}


def test_a_folder_gets_the_numbers_of_a_single_file(base, part, tmp_path):
    single = save(tmp_path / "single.safetensors", skeleton("sd1", SINGLE))
    one = bake_into({part: 0.8}, single, tmp_path / "one.safetensors")
    proof = bake_into({part: 0.8}, base, tmp_path / "out")
    whole, (unet, text) = read(tmp_path / "one.safetensors"), SINGLE
    assert read(tmp_path / "out" / UNET)[TO_Q].equal(whole[unet])
    assert read(tmp_path / "out" / TEXT)[Q_PROJ].equal(whole[text])
    assert proof.error == one.error
    assert_rounded_once(whole[unet], read(single)[unet].double() + 0.8 * lora("", 640, 640)[1])


def test_all_else_is_copied_and_recipe_and_proof_lie_beside(base, part, tmp_path):
    bake_into({part: 0.8}, base, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(base) | {PROOF_FILE, RECIPE_FILE}
    for name in files_of(base):
        if name not in (UNET.as_posix(), TEXT.as_posix()):
            old, new = base / name, tmp_path / "out" / name
            same = read(old).items() if name.endswith(".safetensors") else ()
            assert all(tensor.equal(read(new)[key]) for key, tensor in same)
            assert same or old.read_bytes() == new.read_bytes()
    proof = json.loads((tmp_path / "out" / PROOF_FILE).read_text())
    assert {layer["layer"] for layer in proof["layers"]} == {f"unet.{TO_Q}", f"text_encoder.{Q_PROJ}"}
    recipe = json.loads((tmp_path / "out" / RECIPE_FILE).read_text())
    assert recipe["parts"][0]["strength"] == 0.8
    assert not left(tmp_path)


def test_variants_of_rewritten_weights_are_not_left_beside_the_new_ones(base, part, tmp_path):
    stale = (
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bf16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model-00001-of-00002.bin",
        "unet/diffusion_flax_model.msgpack",
        "text_encoder/pytorch_model.bin",
        "text_encoder/tf_model.h5",
        "text_encoder/model.onnx",
    )
    for name in stale:
        (base / name).write_bytes(b"old")
    proof = bake_into({part: 1.0}, base, tmp_path / "out")
    assert files_of(tmp_path / "out") | set(stale) == files_of(base) | {PROOF_FILE, RECIPE_FILE}
    assert not set(stale) & files_of(tmp_path / "out")
    assert not proof.skipped


def test_unrelated_weights_are_copied(base, part, tmp_path):
    others = ("vae.pt", "learned_embeds.bin", "unet/projector.bin", "text_encoder/head.safetensors", "model.onnx")
    for name in others:
        (base / name).write_bytes(name.encode())
    save(base / "eve.safetensors", {"emb_params": torch.ones(2, 768)})
    save(base / "other_lora.safetensors", read(part))
    proof = bake_into({part: 1.0}, base, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(base) | {PROOF_FILE, RECIPE_FILE}
    assert all((tmp_path / "out" / name).read_bytes() == name.encode() for name in others)
    assert not proof.skipped


def test_the_model_without_the_mix_is_left_out_and_listed(base, part, tmp_path):
    save(base / "v1-5-pruned.safetensors", skeleton("sd1", SINGLE))
    torch.save({"state_dict": skeleton("sd1", SINGLE)}, base / "v1-5-pruned.ckpt")
    save(base / "unet/older.safetensors", read(base / UNET))
    proof = bake_into({part: 1.0}, base, tmp_path / "out")
    stale = {"v1-5-pruned.safetensors", "v1-5-pruned.ckpt", "unet/older.safetensors"}
    assert dict(proof.skipped) == dict.fromkeys(stale, "it holds the model without the mix, so it was left out")
    assert files_of(tmp_path / "out") == files_of(base) - stale | {PROOF_FILE, RECIPE_FILE}


def test_pickled_components_become_safetensors_under_the_names_that_are_looked_for(base, part, tmp_path):
    torch.save(read(base / TEXT), base / "text_encoder/pytorch_model.bin")
    torch.save(read(base / UNET), base / "unet/diffusion_pytorch_model.bin")
    bake_into({part: 1.0}, base, tmp_path / "expected")
    (base / TEXT).unlink()
    (base / UNET).unlink()
    bake_into({part: 1.0}, base, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "expected")
    for name in (UNET, TEXT):
        out, expected = read(tmp_path / "out" / name), read(tmp_path / "expected" / name)
        assert out.keys() == expected.keys()
        assert all(tensor.equal(expected[key]) for key, tensor in out.items())


@pytest.mark.parametrize("variant", ["", ".fp16"])
@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_sharded_components_stay_sharded_with_an_index_that_fits(ending, variant, base, part, tmp_path):
    weights = read(base / UNET)
    (base / UNET).unlink()
    halves = {1: dict(list(weights.items())[::2]), 2: dict(list(weights.items())[1::2])}
    names = {number: f"diffusion_pytorch_model-0000{number}-of-00002.{ending}" for number in halves}
    for number, some in halves.items():
        (save if ending == "safetensors" else lambda path, some: torch.save(some, path))(
            base / "unet" / names[number], some
        )
    homes = {key: names[number] for number, some in halves.items() for key in some}
    index = base / f"unet/diffusion_pytorch_model.{ending}.index{variant}.json"
    index.write_text(json.dumps({"metadata": {"total_size": 7}, "weight_map": homes}))
    proof = bake_into({part: 1.0}, base, tmp_path / "out")
    assert len(proof.layers) == 2
    told = json.loads((tmp_path / f"out/unet/diffusion_pytorch_model.safetensors.index{variant}.json").read_text())
    assert told["metadata"] == {"total_size": 7}
    found = {key: read(tmp_path / "out/unet" / name)[key] for key, name in told["weight_map"].items()}
    assert found.keys() == weights.keys()
    assert {key for key, tensor in found.items() if not tensor.equal(weights[key])} == {TO_Q}
    assert not any(".bin" in name for name in files_of(tmp_path / "out"))


def test_an_index_of_other_weights_is_not_copied(base, part, tmp_path):
    index = {"weight_map": {"a": "model-00001-of-00001.bin"}}
    for ending in ("bin.index.json", "bin.index.fp16.json"):
        (base / f"text_encoder/pytorch_model.{ending}").write_text(json.dumps(index))
    bake_into({part: 1.0}, base, tmp_path / "out")
    assert files_of(tmp_path / "out/text_encoder") == {"model.safetensors"}


def test_linked_files_are_copied_as_files(base, part, tmp_path):
    store = tmp_path / "base" / "blobs"
    store.mkdir()
    for name in (UNET, TEXT):
        blob = store / name.name
        os.replace(base / name, blob)
        (base / name).symlink_to(blob)
    bake_into({part: 1.0}, base, tmp_path / "out")
    assert not any((tmp_path / "out" / name).is_symlink() for name in (UNET, TEXT))


def test_an_error_leaves_nothing(base, part, tmp_path, monkeypatch):
    write, count = AtomicFile.write, []

    def fail(self, position, data):
        count.append(position)
        if len(count) == 3:
            raise self.failure(OSError(28, "No space left on device"))
        write(self, position, data)

    monkeypatch.setattr(AtomicFile, "write", fail)
    with pytest.raises(OutputError, match="No space left") as caught:
        bake_into({part: 1.0}, base, tmp_path / "out")
    assert str(caught.value).startswith(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert not left(tmp_path)


def test_what_a_killed_bake_left_is_taken_away(base, part, tmp_path):
    (tmp_path / ".out.part/unet").mkdir(parents=True)
    (tmp_path / ".out.part/unet/half.safetensors").write_bytes(b"half")
    bake_into({part: 1.0}, base, tmp_path / "out")
    assert not left(tmp_path)
    assert "unet/half.safetensors" not in files_of(tmp_path / "out")


def test_an_existing_folder_stays_unless_forced(base, part, tmp_path):
    bake_into({part: 1.0}, base, tmp_path / "out")
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        bake_into({part: 0.5}, base, tmp_path / "out")
    assert (tmp_path / "out/mine.txt").exists()
    bake_into({part: 0.5}, base, tmp_path / "out", force=True)
    assert files_of(tmp_path / "out") == files_of(base) | {PROOF_FILE, RECIPE_FILE}
    assert not left(tmp_path)


def test_force_replaces_models_only(base, part, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.png").write_bytes(b"cat")
    (tmp_path / "notes.txt").write_text("notes")
    for name in ("photos", "notes.txt"):
        with pytest.raises(OutputError, match="no model's folder"):
            bake_into({part: 1.0}, base, tmp_path / name, force=True)
    assert (tmp_path / "photos/cat.png").exists()
    assert (tmp_path / "notes.txt").read_text() == "notes"


def test_the_base_is_never_replaced_from_inside_or_outside(base, part, tmp_path):
    was = {name: (base / name).read_bytes() for name in files_of(base)}
    for to in (base, base / "unet", base / "new", base / "new/deeper", tmp_path):
        with pytest.raises(OutputError):
            bake_into({part: 1.0}, base, to, force=True)
    assert {name: (base / name).read_bytes() for name in files_of(base)} == was


def test_too_little_space_is_told_before_anything_is_copied(base, part, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 3_000_000}))
    with pytest.raises(OutputError, match="has 3,000,000 left"):
        bake_into({part: 1.0}, base, tmp_path / "out")
    assert not left(tmp_path)


def test_one_component_alone_is_a_model_too(base, part, tmp_path):
    proof = bake_into({part: 1.0}, base / "unet", tmp_path / "out")
    assert files_of(tmp_path / "out") == {UNET.name, "config.json", PROOF_FILE, RECIPE_FILE}
    assert len(proof.layers) == len(proof.skipped) == 1
