"""How a layer's change is stored: shapes beside convolutions, norms and biases, alphas, Kronecker products."""

from __future__ import annotations

import pytest
import torch
from files_for_tests import bake_files, full, header, lora, normal, read, relative, save, sd1_base, write

from eleven.compress import Target
from eleven.delta import Dense, LowRank
from eleven.errors import UsageError
from eleven.exports.forms import Form, as_exact, as_kronecker, kept, rounded
from eleven.exports.fusing import Asked
from eleven.kronecker import nearest_kronecker
from eleven.techniques import decode
from eleven.testing import Given

NONE = torch.zeros(())
NORM, OUT = "lora_unet_down_blocks_0_resnets_0_norm1", "lora_unet_down_blocks_0_attentions_0_proj_out"
QUERY = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


def bake_one(folder, modules, form, strength=1.0):
    file = write(folder / "part.safetensors", modules)
    proof = bake_files({file: strength}, folder / "out.safetensors", form)
    return proof, read(folder / "out.safetensors")


@pytest.mark.parametrize("shape", [(12, 8), (12, 8, 3, 3), (12, 8, 1, 1), (12, 8, 3), (12, 8, 2, 3, 3)])
@pytest.mark.parametrize("dialect", ["kohya", "comfyui", "diffusers"])
@pytest.mark.parametrize("target", [None, Target(2)])
def test_factors_have_the_shapes_that_programs_expect(tmp_path, shape, dialect, target):
    tensors, change = lora(shape, NONE, 1)
    _, found = bake_one(tmp_path, {"x": tensors}, Form(target, dialect, "fp32"))
    up, down = ("lora_B.weight", "lora_A.weight") if dialect == "diffusers" else ("lora_up.weight", "lora_down.weight")
    rank = len(found[f"x.{down}"])
    assert found[f"x.{up}"].shape == (12, rank, *(1 for _ in shape[2:]))
    assert found[f"x.{down}"].shape == (rank, *shape[1:])
    assert rank == (2 if target else 3 if change.flatten(1).shape[1] > 8 else rank)


@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
@pytest.mark.parametrize("rank", [1, 256, 257, 2049])
def test_rank_that_the_type_cannot_hold_costs_no_accuracy(dtype, rank):
    up, down = normal(40, rank, seed=1), normal(rank, 30, seed=2)
    form = Form(dtype=dtype)
    tensors = kept(as_exact(LowRank(up, down)).tensors, form)
    written = rounded(tensors, {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[dtype])
    scale = float(written["alpha"]) / rank
    bound = {"fp16": 3e-4, "bf16": 2.4e-3, "fp32": 5e-7}[dtype]
    assert relative(written["lora_up.weight"].double() * scale, up.double()) < bound
    assert relative(decode(written, Given())["weight"].dense(), up.double() @ down.double()) < 2 * bound


def test_norms_are_written_in_pairs_as_a1111_asks(tmp_path):
    lone = {"w_norm": normal(320, seed=1)}
    _, found = bake_one(tmp_path, {NORM: lone, OUT: {"diff_b": normal(320, seed=2)}}, Form(dtype="fp32"), 0.5)
    assert set(found) == {f"{NORM}.w_norm", f"{NORM}.b_norm", f"{OUT}.diff_b"}
    assert found[f"{NORM}.w_norm"].equal(lone["w_norm"] * 0.5)
    assert not found[f"{NORM}.b_norm"].any()


def test_norm_whose_bias_alone_changed_gets_a_weight_of_zeros(tmp_path):
    proof, found = bake_one(tmp_path, {NORM: {"b_norm": normal(320, seed=1)}}, Form(dtype="fp32"))
    assert not found[f"{NORM}.w_norm"].any()
    assert found[f"{NORM}.b_norm"].equal(normal(320, seed=1))
    assert [layer.layer for layer in proof.layers] == [f"{NORM}.bias"]


def test_checkpoint_difference_carries_biases_and_norms(tmp_path):
    base, tuned = sd1_base(), sd1_base()
    moved = {
        "unet.down_blocks.0.resnets.0.norm1.weight": f"{NORM}.w_norm",
        "unet.down_blocks.0.resnets.0.norm1.bias": f"{NORM}.b_norm",
        "unet.down_blocks.0.attentions.0.proj_out.bias": f"{OUT}.diff_b",
        "unet.down_blocks.0.attentions.0.proj_in.weight": "lora_unet_down_blocks_0_attentions_0_proj_in.diff",
    }
    for at, name in enumerate(moved):
        tuned[name] = tuned[name] + normal(*tuned[name].shape, seed=at, size=0.1)
    files = {save(tmp_path / "tuned.safetensors", tuned): -0.5}
    bake_files(files, tmp_path / "out.safetensors", base=save(tmp_path / "base.safetensors", base))
    found = read(tmp_path / "out.safetensors")
    assert set(found) == set(moved.values())
    for name, key in moved.items():
        assert found[key].shape == base[name].shape
        assert relative(found[key], -0.5 * (tuned[name].double() - base[name].double())) < 1e-6


def test_what_diffusers_has_no_place_for_is_listed_and_counted_as_missed(tmp_path):
    query = lora((320, 320), NONE, 1)[0]
    modules = {NORM: {"w_norm": normal(320, seed=1)}, OUT: {"diff_b": normal(320, seed=2)}, QUERY: query}
    proof, found = bake_one(tmp_path, modules, Form(dialect="diffusers", dtype="fp32"))
    assert {key.rpartition(".lora_")[0] for key in found} == {
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    }
    assert len(proof.skipped) == 2
    assert all(reason == "diffusers has no place for it" for _, reason in proof.skipped)
    told = {layer.layer.rpartition("0.")[2]: layer.error for layer in proof.layers}
    assert told["norm1.weight"] == told["proj_out.bias"] == 1
    assert proof.error > 0.9
    assert '"not_applied":2' in header(tmp_path / "out.safetensors")["eleven.proof"]


def test_bias_beside_a_factor_is_kept_for_diffusers(tmp_path):
    tensors = lora((320, 320, 1, 1), NONE, 1)[0] | {"lora_up.bias": normal(320, seed=3)}
    proof, found = bake_one(tmp_path, {OUT: tensors}, Form(dialect="diffusers", dtype="fp32"), 0.5)
    bias = next(tensor for key, tensor in found.items() if key.endswith("lora_B.bias"))
    assert relative(bias, tensors["lora_up.bias"].double() * 0.5 * 2 / 3) < 1e-6
    assert proof.error < 1e-6


@pytest.mark.parametrize("shape", [(320, 4, 3, 3), (32, 24), (15, 7), (12, 18, 3), (5, 9, 3, 3)])
@pytest.mark.parametrize("target", [None, Target(2)])
def test_kronecker_products_keep_kernels_whole_and_lycoris_reads_them(shape, target):
    functional = pytest.importorskip("lycoris.functional.lokr")
    matrix = full(shape, NONE, 1)[1].float().flatten(1)
    found = as_kronecker(Asked(shape, Dense(matrix)), target, torch.Generator()).tensors
    ours = decode(found, Given())["weight"].dense()
    second = found["lokr_w2"] if "lokr_w2" in found else found["lokr_w2_a"] @ found["lokr_w2_b"]
    columns = shape[1] // found["lokr_w1"].shape[1]
    theirs = functional.make_kron(found["lokr_w1"], second.reshape(-1, columns, *shape[2:]), 1.0)
    assert theirs.shape == shape
    assert relative(ours, theirs.double().flatten(1)) < 1e-6
    first, whole = nearest_kronecker(matrix, kernel=matrix.shape[1] // shape[1])
    assert relative(torch.kron(first.matrix, whole.matrix), matrix.double()) <= relative(ours, matrix.double()) + 1e-6


def test_unknown_forms_are_refused_with_the_choices():
    with pytest.raises(UsageError, match="'fp8'.*Choose from fp32, fp16, bf16"):
        Form(dtype="fp8")
    with pytest.raises(UsageError, match="'peft'.*Choose from kohya, comfyui, diffusers"):
        Form(dialect="peft")
    with pytest.raises(UsageError, match="'boft'.*Choose from lora, lokr"):
        Form(technique="boft")
    with pytest.raises(UsageError, match="diffusers has no LoKr"):
        Form(technique="lokr", dialect="diffusers")
