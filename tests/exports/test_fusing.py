"""Layers that one dialect fuses and another splits (FLUX), and the text encoders of SDXL, baked and read back."""

from __future__ import annotations

import pytest
import torch
from files_for_tests import bake_files, full, lora, normal, read, write

from eleven.algebra import distance, norm
from eleven.compress import Target
from eleven.delta import Dense, LowRank, Rows
from eleven.exports.baking import Request, opened
from eleven.exports.forms import Form
from eleven.exports.fusing import fuse
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part

NONE = torch.zeros(())
WIDE = 3072
QKV, LINEAR = "lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_single_blocks_3_linear1"
SPLIT = {
    QKV: tuple(f"transformer.transformer_blocks.0.attn.{part}" for part in ("to_q", "to_k", "to_v")),
    LINEAR: tuple(
        f"transformer.single_transformer_blocks.3.{part}"
        for part in ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    ),
}
ROWS = {QKV: (0, 3072, 6144, 9216), LINEAR: (0, 3072, 6144, 9216, 21504)}


def pair(rows, seed, rank=2):
    return {
        "lora_up.weight": normal(rows, rank, seed=seed),
        "lora_down.weight": normal(rank, WIDE, seed=seed + 1, size=0.1),
    }


def fused(folder, name, seed):
    return write(folder / f"{name}.safetensors", {prefix: pair(rows[-1], seed) for prefix, rows in ROWS.items()})


def split(folder, name, seed, leave_out=()):
    """In diffusers' names, each part with its own down."""
    modules = {}
    for at, (prefix, parts) in enumerate(SPLIT.items()):
        for nth, part in enumerate(parts):
            rows = ROWS[prefix][nth + 1] - ROWS[prefix][nth]
            if part not in leave_out:
                one = pair(rows, seed + 10 * at + 2 * nth)
                modules[part] = {"lora_B.weight": one["lora_up.weight"], "lora_A.weight": one["lora_down.weight"]}
    return write(folder / f"{name}.safetensors", modules)


def product(tensors, prefix, probe):
    """A module's change times a few vectors, by its definition; zero where the file leaves it alone."""
    found = {
        key.removeprefix(f"{prefix}."): tensor.double()
        for key, tensor in tensors.items()
        if key.startswith(f"{prefix}.")
    }
    up = found.get("lora_up.weight", found.get("lora_B.weight"))
    down = found.get("lora_down.weight", found.get("lora_A.weight"))
    scale = float(found["alpha"]) / len(down) if "alpha" in found else 1.0
    return up @ (down @ probe) * scale


def asked(files, prefix, probe):
    """The mix by its definition, fused: rows of parts that a file leaves alone are zero."""
    total = torch.zeros(ROWS[prefix][-1], probe.shape[1], dtype=torch.float64)
    for path, strength in files.items():
        tensors = read(path)
        if any(key.startswith(prefix) for key in tensors):
            total += strength * product(tensors, prefix, probe)
            continue
        for nth, part in enumerate(SPLIT[prefix]):
            if any(key.startswith(f"{part}.") for key in tensors):
                total[ROWS[prefix][nth] : ROWS[prefix][nth + 1]] += strength * product(tensors, part, probe)
    return total


def check(files, to, form, ranks, tolerance=1e-6):
    probe = normal(WIDE, 4, seed=99).double()
    proof = bake_files(files, to, form)
    tensors = read(to)
    assert {key.partition(".")[0] for key in tensors} == set(ROWS)
    for prefix in ROWS:
        truth = asked(files, prefix, probe)
        assert float((product(tensors, prefix, probe) - truth).norm() / truth.norm()) < tolerance
    assert [len(tensors[f"{prefix}.lora_down.weight"]) for prefix in ROWS] == ranks
    assert proof.error < tolerance


def test_downs_that_all_parts_share_stay_as_they_are(tmp_path):
    files = {fused(tmp_path, "a", 1): 0.7, fused(tmp_path, "b", 31): -0.4}
    check(files, tmp_path / "out.safetensors", Form(dtype="fp32"), [4, 4])


def test_parts_with_downs_of_their_own_lie_block_by_block(tmp_path):
    files = {split(tmp_path, "a", 1): 0.8}
    check(files, tmp_path / "out.safetensors", Form(dtype="fp32"), [6, 8])
    up = read(tmp_path / "out.safetensors")[f"{QKV}.lora_up.weight"]
    assert not up[:3072, 2:].any()
    assert not up[3072:6144, :2].any()
    assert up[6144:, 4:].all()


def test_fused_and_split_files_mix(tmp_path):
    left_out = [SPLIT[QKV][1], *SPLIT[LINEAR][:2]]
    files = {fused(tmp_path, "a", 1): 0.7, split(tmp_path, "b", 31, left_out): 0.5}
    proof = bake_files(files, tmp_path / "out.safetensors", Form(dtype="fp32"))
    assert proof.error < 1e-6
    probe = normal(WIDE, 4, seed=98).double()
    tensors = read(tmp_path / "out.safetensors")
    for prefix in ROWS:
        truth = asked(files, prefix, probe)
        assert float((product(tensors, prefix, probe) - truth).norm() / truth.norm()) < 1e-6


def test_parts_that_no_file_changes_are_zero(tmp_path):
    files = {split(tmp_path, "a", 1, [SPLIT[QKV][1], *SPLIT[LINEAR][:2]]): 1.0}
    check(files, tmp_path / "out.safetensors", Form(dtype="fp32"), [4, 4])
    up = read(tmp_path / "out.safetensors")[f"{QKV}.lora_up.weight"]
    assert not up[3072:6144].any()


def test_split_names_get_the_rows_of_a_fused_file(tmp_path):
    file = fused(tmp_path, "a", 1)
    proof = bake_files({file: 0.5}, tmp_path / "out.safetensors", Form(dialect="diffusers", dtype="fp32"))
    tensors, probe = read(tmp_path / "out.safetensors"), normal(WIDE, 4, seed=97).double()
    assert proof.error < 1e-6
    for prefix, parts in SPLIT.items():
        truth = asked({file: 0.5}, prefix, probe)
        got = torch.cat([product(tensors, part, probe) for part in parts])
        assert float((got - truth).norm() / truth.norm()) < 1e-6


def test_fused_layer_is_compressed_as_a_whole(tmp_path):
    files = {split(tmp_path, "a", 1): 0.8}
    proof = bake_files(files, tmp_path / "out.safetensors", Form(Target(3), dtype="fp32"))
    tensors = read(tmp_path / "out.safetensors")
    assert [len(tensors[f"{prefix}.lora_down.weight"]) for prefix in ROWS] == [3, 3]
    parts = [read(next(iter(files))), SPLIT[QKV]]
    ups = torch.block_diag(*(parts[0][f"{part}.lora_B.weight"] for part in parts[1])).double()
    downs = torch.cat([parts[0][f"{part}.lora_A.weight"] for part in parts[1]]).double()
    values = torch.linalg.svdvals(torch.linalg.qr(ups).R @ torch.linalg.qr(downs.T).R.T)
    told = next(layer for layer in proof.layers if layer.layer == f"{QKV}.weight")
    assert told.error == pytest.approx(float(values[3:].norm() / values.norm()), rel=1e-5)


@pytest.mark.parametrize("dialect", ["kohya", "comfyui", "diffusers"])
def test_what_is_written_opens_again_as_the_same_mix(tmp_path, dialect):
    files = [fused(tmp_path, "a", 1), split(tmp_path, "b", 31)]
    bake_files(dict.fromkeys(files, 0.5), tmp_path / "out.safetensors", Form(dialect=dialect, dtype="fp32"))
    mix = Mix(parts=tuple(Part(file=str(path), strength=0.5) for path in files))
    with opened(mix, Request(tmp_path)) as (combination, _), open_finetune(tmp_path / "out.safetensors") as baked:
        found = {layer.name: delta for layer, delta in baked.deltas()}
        wanted = {layer.name: delta for layer, delta in combination}
        assert found.keys() == wanted.keys()
        assert len(found) == 7
        for name, delta in wanted.items():
            assert distance(delta, found[name]) < 1e-6 * norm(delta)
        assert not baked.unread
        assert not baked.faults


def test_pieces_without_factors_are_fused_entry_by_entry():
    whole = normal(10, 4, seed=1)
    pieces = [(((0, 3), (6, 10)), Dense(torch.cat([whole[:3], whole[6:]]))), (((3, 6),), Dense(whole[3:6]))]
    assert fuse(pieces, 10).dense().equal(whole)
    thin = LowRank(normal(40, 1, seed=2), normal(1, 30, seed=3))
    halves = [(((0, 20),), Rows(thin, ((0, 20),))), (((20, 40),), Rows(thin, ((20, 40),)))]
    both = fuse(halves, 40)
    assert isinstance(both, LowRank)
    assert both.down.shape == (1, 30)
    assert both.dense().equal(thin.dense())


def test_both_text_encoders_of_sdxl_are_written(tmp_path):
    modules = {
        "lora_te1_text_model_encoder_layers_0_mlp_fc1": lora((3072, 768), NONE, 1)[0],
        "lora_te2_text_model_encoder_layers_31_self_attn_q_proj": lora((1280, 1280), NONE, 2)[0],
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q": lora((640, 640), NONE, 3)[0],
        "lora_unet_input_blocks_4_0_in_layers_2": lora((640, 320, 3, 3), NONE, 4)[0],
        "lora_unet_input_blocks_4_0_skip_connection": full((640, 320, 1, 1), NONE, 5)[0],
    }
    file = write(tmp_path / "a.safetensors", modules)
    proof = bake_files({file: 0.5}, tmp_path / "out.safetensors", Form(dtype="fp32"))
    found = read(tmp_path / "out.safetensors")
    assert {key.partition(".")[0] for key in found} == set(modules)
    assert found["lora_unet_input_blocks_4_0_in_layers_2.lora_down.weight"].shape == (3, 320, 3, 3)
    assert found["lora_unet_input_blocks_4_0_skip_connection.diff"].shape == (640, 320, 1, 1)
    assert proof.error < 1e-6
    bake_files({file: 0.5}, tmp_path / "names.safetensors", Form(dialect="diffusers", dtype="fp32"))
    names = {key.rpartition(".lora_")[0] for key in read(tmp_path / "names.safetensors")}
    assert "text_encoder.text_model.encoder.layers.0.mlp.fc1" in names
    assert "text_encoder_2.text_model.encoder.layers.31.self_attn.q_proj" in names
    assert "unet.down_blocks.1.resnets.0.conv1" in names
