"""What a file fuses (q, k and v in one) lands in the right layers with the right rows, for every technique."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from eleven.files.opening import open_container
from eleven.finetunes.checkpoint import Checkpoint
from eleven.finetunes.opening import open_finetune
from eleven.layers.dialect import spell
from eleven.layers.family import Source, family
from eleven.testing import relative_error
from models import drawn

SD3, WIDTH = family("sd3"), 1536
ATTENTION = "transformer.transformer_blocks.0.attn."
PARTS = ("to_q", "to_k", "to_v")
QKV = spell(SD3, f"{ATTENTION}to_q", "kohya")


def fused(**shapes):
    return drawn(3, **shapes) | {"alpha": torch.tensor(1.0)}


def opened_rows(path, base=None):
    """Each part's change by its layer's name."""
    with open_finetune(path, base) as tune:
        assert tune.family is SD3 and not tune.unread
        return {layer.name: delta.dense() for layer, delta in tune.deltas()}


def saved(path, tensors):
    save_file({f"{QKV}.{suffix}": tensor for suffix, tensor in tensors.items()}, path)
    return path


def check_parts(found, whole, tolerance=1e-6):
    assert list(found) == [f"{ATTENTION}{part}.weight" for part in PARTS]
    for part, rows in zip(found.values(), whole.split(WIDTH), strict=True):
        assert relative_error(part, rows) < tolerance


def lora():
    return fused(lora_up__weight=(3 * WIDTH, 2), lora_down__weight=(2, WIDTH))


def lora_truth(tensors):
    return tensors["lora_up.weight"].double() @ tensors["lora_down.weight"].double() / 2


def test_all_parts_share_one_prefix():
    assert {spell(SD3, f"{ATTENTION}{part}", "kohya") for part in PARTS} == {QKV}


def test_a_fused_lora_is_cut_into_its_parts(tmp_path):
    tensors = lora()
    check_parts(opened_rows(saved(tmp_path / "a.safetensors", tensors)), lora_truth(tensors))


def test_a_block_sparse_up_changes_each_part_alone(tmp_path):
    tensors = fused(lora_up__weight=(3 * WIDTH, 6), lora_down__weight=(6, WIDTH))
    mask = torch.block_diag(*(torch.ones(WIDTH, 2) for _ in PARTS))
    tensors["lora_up.weight"] *= mask
    found = opened_rows(saved(tmp_path / "a.safetensors", tensors))
    for number, part in enumerate(PARTS):
        up = tensors["lora_up.weight"][number * WIDTH : (number + 1) * WIDTH, 2 * number : 2 * number + 2].double()
        down = tensors["lora_down.weight"][2 * number : 2 * number + 2].double()
        assert relative_error(found[f"{ATTENTION}{part}.weight"], up @ down / 6) < 1e-6


@pytest.mark.parametrize("rows", [3, 32])
def test_a_fused_lokr_is_cut_where_its_blocks_do_not_end(tmp_path, rows):
    tensors = fused(lokr_w1=(rows, 4), lokr_w2_a=(3 * WIDTH // rows, 2), lokr_w2_b=(2, WIDTH // 4))
    whole = torch.kron(tensors["lokr_w1"].double(), tensors["lokr_w2_a"].double() @ tensors["lokr_w2_b"].double()) / 2
    check_parts(opened_rows(saved(tmp_path / "a.safetensors", tensors)), whole)


def test_a_fused_loha_is_cut_into_its_parts(tmp_path):
    up, down = (3 * WIDTH, 2), (2, WIDTH)
    tensors = fused(hada_w1_a=up, hada_w1_b=down, hada_w2_a=up, hada_w2_b=down)
    first, second = (tensors[f"hada_w{n}_a"].double() @ tensors[f"hada_w{n}_b"].double() for n in (1, 2))
    check_parts(opened_rows(saved(tmp_path / "a.safetensors", tensors)), first * second / 2)


@pytest.mark.parametrize("side", ["output", "input"])
def test_a_dora_over_fused_parts_is_taken_from_the_fused_weight(tmp_path, side):
    parts = drawn(5, **dict.fromkeys(PARTS, (WIDTH, WIDTH)))
    save_file(parts, tmp_path / "base.safetensors")
    shape = (3 * WIDTH, 1) if side == "output" else (1, WIDTH)
    tensors = lora() | {"dora_scale": torch.rand(shape, generator=torch.Generator().manual_seed(1)) + 20}
    path = saved(tmp_path / "a.safetensors", tensors)
    with open_container(tmp_path / "base.safetensors") as file:
        sources = {f"{ATTENTION}{part}.weight": Source(part) for part in PARTS}
        found = opened_rows(path, Checkpoint(file, SD3, "", sources))
    weight = torch.cat([parts[part] for part in PARTS]).double()
    moved = weight + lora_truth(tensors)
    lengths = moved.norm(dim=1 if side == "output" else 0, keepdim=True)
    check_parts(found, moved * tensors["dora_scale"].double() / lengths - weight)
