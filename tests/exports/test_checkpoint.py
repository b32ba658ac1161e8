"""Where a bake puts each layer: real key names of each family, written by hand; the rest stays as it was."""

from __future__ import annotations

import json

import pytest
import torch
from checkpoints_for_tests import (
    LINEAR,
    Tensors,
    assert_rounded_once,
    bake_into,
    lora,
    metadata,
    normal,
    read,
    save,
    skeleton,
    unknown_model,
)
from places_for_tests import BIASES, FAMILIES, TE2, UNET, At

from eleven.errors import FamilyMismatch, OutputError, TensorError, UsageError
from eleven.techniques.loha import Hadamard


def part_and_changes(name: str) -> tuple[Tensors, dict[str, list[tuple[At, torch.Tensor]]]]:
    """An adapter of all places of one family, and what it adds where."""
    tensors: Tensors = {}
    changes: dict[str, list[tuple[At, torch.Tensor]]] = {}
    for seed, at in enumerate((*FAMILIES[name][1], *BIASES[name])):
        out, *columns = at.shape
        if not columns or at.full:
            change = normal(*at.shape, seed=seed, size=0.05)
            tensors[f"{at.adapter}.{'diff' if columns else 'diff_b'}"] = change
            change = change.double()
        else:
            both, change = lora(at.adapter, out, torch.Size(columns).numel(), rank=2, seed=seed)
            if len(columns) > 1:
                both[f"{at.adapter}.lora_up.weight"] = both[f"{at.adapter}.lora_up.weight"][:, :, None, None]
                down = both[f"{at.adapter}.lora_down.weight"]
                both[f"{at.adapter}.lora_down.weight"] = down.reshape(2, *columns)
            tensors |= both
        changes.setdefault(at.key, []).append((at, change.reshape(at.shape)))
    return tensors, changes


def added(weight: torch.Tensor, changes: list[tuple[At, torch.Tensor]], strength: float) -> torch.Tensor:
    """The weight with all changes at their rows, float64."""
    whole = weight.double()
    for at, change in changes:
        start = 0
        for first, last in at.rows or ((0, len(change)),):
            whole[first:last] += strength * (change.mT if at.turned else change)[start : start + last - first]
            start += last - first
    return whole


def same_bits(first: torch.Tensor, second: torch.Tensor) -> bool:
    flat = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (first, second)]
    return first.dtype == second.dtype and first.shape == second.shape and flat[0].equal(flat[1])


@pytest.mark.parametrize("name", FAMILIES)
def test_layers_lie_where_the_original_layout_keeps_them(name, tmp_path):
    dtype = torch.bfloat16 if name in ("flux", "sd3") else torch.float16
    noise = {f"{UNET}extra.position_ids": torch.arange(7), "logit_scale": torch.tensor(4.6)}
    base = save(tmp_path / "base.safetensors", skeleton(name, FAMILIES[name][0], dtype) | noise)
    tensors, changes = part_and_changes(name)
    proof = bake_into({save(tmp_path / "part.safetensors", tensors): 0.8}, base, tmp_path / "out.safetensors")
    before, after = read(base), read(tmp_path / "out.safetensors")
    assert list(before) == list(after)
    for key, old in before.items():
        if key in changes:
            assert_rounded_once(after[key], added(old, changes[key], 0.8))
        else:
            assert same_bits(old, after[key]), key
    assert {layer.layer for layer in proof.layers} == changes.keys()
    assert not proof.skipped


def test_rows_of_a_fused_layer_that_the_mix_leaves_alone_keep_their_bits(tmp_path):
    base = save(tmp_path / "base.safetensors", skeleton("sdxl", FAMILIES["sdxl"][0]))
    tensors, _ = part_and_changes("sdxl")
    bake_into({save(tmp_path / "part.safetensors", tensors): 0.8}, base, tmp_path / "out.safetensors")
    key = f"{TE2}transformer.resblocks.5.attn.in_proj_weight"
    before, after = read(base)[key], read(tmp_path / "out.safetensors")[key]
    assert same_bits(before[1280:2560], after[1280:2560])
    assert not same_bits(before[:1280], after[:1280])


def test_layers_that_the_base_lacks_are_counted(tmp_path):
    weights = dict(list(FAMILIES["sdxl"][0].items())[:1])
    base = save(tmp_path / "base.safetensors", skeleton("sdxl", weights))
    tensors, _ = part_and_changes("sdxl")
    proof = bake_into({save(tmp_path / "part.safetensors", tensors): 1.0}, base, tmp_path / "out.safetensors")
    assert len(proof.skipped) == 4
    assert json.loads(metadata(tmp_path / "out.safetensors")["eleven.proof"])["not_applied"] == 4


def test_files_that_torch_wrote_without_alignment_become_valid_files(tmp_path):
    model = {"a.bias": normal(3).half(), "b.bias": normal(5), "ids": torch.arange(7), "a.weight": normal(3, 4).half()}
    torch.save({"state_dict": model, "global_step": 7}, tmp_path / "base.ckpt")
    part = save(tmp_path / "part.safetensors", lora("a", 3, 4, rank=1)[0])
    bake_into({part: 1.0}, tmp_path / "base.ckpt", tmp_path / "out.safetensors")
    out = read(tmp_path / "out.safetensors")
    assert_rounded_once(out["a.weight"], model["a.weight"].double() + lora("a", 3, 4, rank=1)[1])
    assert all(same_bits(out[key], model[key]) for key in ("a.bias", "b.bias", "ids"))


def test_metadata_of_the_base_stays_but_its_hashes_go(tmp_path):
    told = {"modelspec.hash_sha256": "0x1", "sshs_model_hash": "2", "format": "pt", "licence": "mine"}
    base = save(tmp_path / "base.safetensors", unknown_model(), told)
    part = save(tmp_path / "eve.safetensors", lora(LINEAR, 24, 16)[0], {"modelspec.trigger_phrase": "eve"})
    bake_into({part: 0.6}, base, tmp_path / "out.safetensors")
    found = metadata(tmp_path / "out.safetensors")
    assert found["licence"] == "mine"
    assert found["format"] == "pt"
    assert not {"modelspec.hash_sha256", "sshs_model_hash"} & found.keys()
    assert found["modelspec.merged_from"] == "eve"
    assert found["modelspec.trigger_phrase"] == "eve"
    recipe = json.loads(found["eleven.recipe"])["parts"]
    assert [(part["file"], part["strength"], len(part["sha256"])) for part in recipe] == [("eve.safetensors", 0.6, 64)]


def test_two_bakes_are_the_same_bytes_and_inputs_are_left_alone(tmp_path):
    base = save(tmp_path / "base.safetensors", unknown_model())
    part = save(tmp_path / "part.safetensors", lora(LINEAR, 24, 16)[0])
    was = base.read_bytes(), part.read_bytes()
    found = set()
    for number in range(2):
        to = tmp_path / str(number) / "out.safetensors"
        to.parent.mkdir()
        bake_into({part: 1.0}, base, to)
        found.add(to.read_bytes())
    assert len(found) == 1
    assert (base.read_bytes(), part.read_bytes()) == was


def test_another_family_is_refused(tmp_path):
    base = save(tmp_path / "base.safetensors", skeleton("sdxl", FAMILIES["sdxl"][0]))
    part = save(tmp_path / "part.safetensors", part_and_changes("sd1")[0])
    with pytest.raises(FamilyMismatch, match=r"Stable Diffusion 1, base\.safetensors is not"):
        bake_into({part: 1.0}, base, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_base_without_any_of_the_layers_is_refused(tmp_path):
    base = save(tmp_path / "base.safetensors", unknown_model())
    part = save(tmp_path / "part.safetensors", lora("other", 24, 16)[0])
    with pytest.raises(FamilyMismatch, match="none of the layers"):
        bake_into({part: 1.0}, base, tmp_path / "out.safetensors")


def test_a_layer_of_another_shape_names_both_shapes(tmp_path):
    base = save(tmp_path / "base.safetensors", unknown_model())
    part = save(tmp_path / "part.safetensors", lora(LINEAR, 24, 17)[0])
    with pytest.raises(TensorError, match=r"\[24, 16\], its change \[24, 17\]"):
        bake_into({part: 1.0}, base, tmp_path / "out.safetensors")


def test_whole_numbers_cannot_be_added_to(tmp_path):
    base = save(tmp_path / "base.safetensors", {"a.weight": torch.ones(3, 4, dtype=torch.int8)})
    part = save(tmp_path / "part.safetensors", lora("a", 3, 4, rank=1)[0])
    with pytest.raises(TensorError, match=r"a\.weight is stored as I8"):
        bake_into({part: 1.0}, base, tmp_path / "out.safetensors")


@pytest.mark.parametrize("force", [False, True])
def test_an_input_is_never_overwritten(force, tmp_path):
    base = save(tmp_path / "base.safetensors", unknown_model())
    part = save(tmp_path / "part.safetensors", lora(LINEAR, 24, 16)[0])
    link = tmp_path / "link.safetensors"
    link.symlink_to(base)
    was = base.read_bytes(), part.read_bytes()
    for to in (base, part, link):
        with pytest.raises(OutputError):
            bake_into({part: 1.0}, base, to, force=force)
    assert (base.read_bytes(), part.read_bytes()) == was


def test_an_existing_file_stays_unless_forced(tmp_path):
    base = save(tmp_path / "base.safetensors", unknown_model())
    part = save(tmp_path / "part.safetensors", lora(LINEAR, 24, 16)[0])
    to = tmp_path / "out.safetensors"
    to.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        bake_into({part: 1.0}, base, to)
    assert to.read_bytes() == b"mine"
    bake_into({part: 1.0}, base, to, force=True)
    assert read(to).keys() == read(base).keys()


def test_embeddings_are_listed_as_skipped_and_not_promised(tmp_path):
    base = save(tmp_path / "base.safetensors", unknown_model())
    part = save(tmp_path / "part.safetensors", lora(LINEAR, 24, 16)[0], {"modelspec.trigger_phrase": "portrait, eve"})
    word = save(tmp_path / "eve.safetensors", {"emb_params": normal(2, 768)}, {"modelspec.trigger_phrase": "eve woman"})
    proof = bake_into({part: 1.0, word: 1.0}, base, tmp_path / "out.safetensors")
    assert dict(proof.skipped) == {"eve": "a checkpoint has no place for an embedding; keep the file beside it"}
    found = metadata(tmp_path / "out.safetensors")
    assert found["modelspec.trigger_phrase"] == "portrait"
    assert json.loads(found["eleven.proof"])["not_applied"] == 1


def test_embeddings_alone_cannot_be_baked_into_a_checkpoint(tmp_path):
    base = save(tmp_path / "base.safetensors", unknown_model())
    word = save(tmp_path / "eve.safetensors", {"emb_params": normal(2, 768)})
    with pytest.raises(UsageError, match=r"an embedding cannot be baked into a checkpoint \(eve\)"):
        bake_into({word: 1.0}, base, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_change_without_factors_is_worked_out_once(tmp_path, monkeypatch):
    base = save(tmp_path / "base.safetensors", unknown_model())
    sizes = {"hada_w1_a": (24, 5), "hada_w1_b": (5, 16), "hada_w2_a": (24, 5), "hada_w2_b": (5, 16)}
    files = {
        save(tmp_path / f"{seed}.safetensors", {f"{LINEAR}.{end}": normal(*at, seed=seed) for end, at in sizes.items()})
        for seed in range(3)
    }
    dense, count = Hadamard.dense, []

    def counted(self):
        count.append(self)
        return dense(self)

    monkeypatch.setattr(Hadamard, "dense", counted)
    bake_into(dict.fromkeys(files, 0.01), base, tmp_path / "out.safetensors")
    assert len(count) == 3
