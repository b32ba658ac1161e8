"""Arithmetic of a bake: every technique and type against float64 written out densely."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from checkpoints_for_tests import (
    COMMON,
    CONV,
    LINEAR,
    NORM,
    SHAPES,
    SQUARE,
    Tensors,
    assert_rounded_once,
    bake_into,
    lora,
    metadata,
    missed,
    normal,
    read,
    save,
    unknown_model,
)

from eleven.errors import TensorError

TYPES = (torch.float16, torch.bfloat16, torch.float32)


def locon(w: Tensors) -> tuple[Tensors, Tensors]:
    up, down = normal(12, 3, 1, 1, seed=20, size=0.1), normal(3, 8, 3, 3, seed=21, size=0.1)
    tensors = {f"{CONV}.lora_up.weight": up, f"{CONV}.lora_down.weight": down, f"{CONV}.alpha": torch.tensor(1.5)}
    return tensors, {f"{CONV}.weight": 0.5 * torch.einsum("or...,rikl->oikl", up[..., 0, 0].double(), down.double())}


def linear(w: Tensors) -> tuple[Tensors, Tensors]:
    first, one = lora(LINEAR, 24, 16, seed=22)
    second, other = lora(SQUARE, 24, 24, seed=24)
    return first | second, {f"{LINEAR}.weight": one, f"{SQUARE}.weight": other}


def loha(w: Tensors) -> tuple[Tensors, Tensors]:
    parts = {"hada_w1_a": (24, 2), "hada_w1_b": (2, 16), "hada_w2_a": (24, 2), "hada_w2_b": (2, 16)}
    at = {end: normal(*shape, seed=30 + seed, size=0.4) for seed, (end, shape) in enumerate(parts.items())}
    a, b, c, d = (tensor.double() for tensor in at.values())
    at["alpha"] = torch.tensor(1.0)
    return {f"{LINEAR}.{end}": tensor for end, tensor in at.items()}, {f"{LINEAR}.weight": 0.5 * (a @ b) * (c @ d)}


def lokr(w: Tensors) -> tuple[Tensors, Tensors]:
    one, two = normal(4, 4, seed=40, size=0.3), normal(6, 4, seed=41, size=0.3)
    tensors = {f"{LINEAR}.lokr_w1": one, f"{LINEAR}.lokr_w2": two, f"{LINEAR}.alpha": torch.tensor(1.0)}
    return tensors, {f"{LINEAR}.weight": torch.kron(one.double(), two.double())}


def ia3(w: Tensors) -> tuple[Tensors, Tensors]:
    on_rows, on_columns = normal(24, 1, seed=50, size=0.1), normal(1, 8, 1, 1, seed=51, size=0.1)
    tensors = {f"{SQUARE}.weight": on_rows, f"{SQUARE}.on_input": torch.tensor(False)}
    tensors |= {f"{CONV}.weight": on_columns, f"{CONV}.on_input": torch.tensor(True)}
    changes = {SQUARE: on_rows.double() * w[f"{SQUARE}.weight"], CONV: w[f"{CONV}.weight"] * on_columns.double()}
    return tensors, {f"{name}.weight": change for name, change in changes.items()}


def oft(w: Tensors) -> tuple[Tensors, Tensors]:
    blocks = normal(4, 6, 6, seed=60, size=0.1)
    skew = blocks.double() - blocks.double().mT
    eye = torch.eye(6, dtype=torch.float64)
    turn = torch.block_diag(*((eye + skew) @ torch.linalg.inv(eye - skew))).T
    weight = w[f"{LINEAR}.weight"]
    return {f"{LINEAR}.oft_blocks": blocks, f"{LINEAR}.alpha": torch.tensor(0.0)}, {
        f"{LINEAR}.weight": turn @ weight - weight
    }


def dora(w: Tensors) -> tuple[Tensors, Tensors]:
    tensors, change = lora(SQUARE, 24, 24, seed=70)
    scale = 1 + normal(24, 1, seed=71, size=0.2).abs()
    whole = w[f"{SQUARE}.weight"] + change
    moved = whole * scale.double() / whole.norm(dim=1, keepdim=True) - w[f"{SQUARE}.weight"]
    return tensors | {f"{SQUARE}.dora_scale": scale}, {f"{SQUARE}.weight": moved}


def glora(w: Tensors) -> tuple[Tensors, Tensors]:
    shapes = {"a1": (16, 3), "a2": (3, 16), "b1": (24, 3), "b2": (3, 16)}
    at = {end: normal(*shape, seed=80 + seed, size=0.2) for seed, (end, shape) in enumerate(shapes.items())}
    a1, a2, b1, b2 = (tensor.double() for tensor in at.values())
    tensors = {f"{LINEAR}.{end}.weight": tensor for end, tensor in at.items()}
    return tensors, {f"{LINEAR}.weight": w[f"{LINEAR}.weight"] @ a1 @ a2 + b1 @ b2}


def full(w: Tensors) -> tuple[Tensors, Tensors]:
    shapes = {f"{LINEAR}.diff_b": (24,), f"{NORM}.w_norm": (12,), f"{NORM}.b_norm": (12,), f"{CONV}.diff": SHAPES[CONV]}
    tensors = {key: normal(*shape, seed=90 + seed, size=0.2) for seed, (key, shape) in enumerate(shapes.items())}
    ends = {"diff": "weight", "diff_b": "bias", "w_norm": "weight", "b_norm": "bias"}
    names = {key: f"{key.rpartition('.')[0]}.{ends[key.rpartition('.')[2]]}" for key in tensors}
    return tensors, {names[key]: tensor.double() for key, tensor in tensors.items()}


def tuned(w: Tensors) -> tuple[Tensors, Tensors]:
    moved = {key: normal(*w[key].shape, seed=95, size=0.1) for key in (f"{LINEAR}.weight", f"{NORM}.bias")}
    whole = {key: (tensor + moved.get(key, 0)).float() for key, tensor in w.items()}
    return whole, {key: whole[key].double() - w[key] for key in moved}


PARTS = {part.__name__: part for part in (locon, linear, loha, lokr, ia3, oft, dora, glora, full)}


def files(folder, names, dtype):
    """The base, the parts' paths with their strengths, and the truth of every touched tensor."""
    model = unknown_model(dtype)
    base = save(folder / "base.safetensors", model)
    exact = {key: tensor.double() for key, tensor in model.items() if key.split(".")[0] == "blocks"}
    truth: Tensors = {}
    paths = {}
    for number, name in enumerate(names):
        tensors, changes = PARTS[name](exact)
        shared, change = lora(COMMON, 6, 5, rank=1, seed=100 + number)
        tensors, changes = tensors | shared, changes | {f"{COMMON}.weight": change}
        strength = 0.9 - 0.17 * number
        paths[save(folder / f"{name}.safetensors", tensors)] = strength
        for key, change in changes.items():
            truth[key] = truth.get(key, exact[key]) + strength * change
    return base, paths, truth


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("name", PARTS)
def test_every_technique_is_added_with_one_rounding(name, dtype, tmp_path):
    base, paths, truth = files(tmp_path, [name], dtype)
    bake_into(paths, base, tmp_path / "out.safetensors")
    out = read(tmp_path / "out.safetensors")
    for key, wanted in truth.items():
        assert_rounded_once(out[key], wanted)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_all_techniques_in_one_mix_change_the_original_weight(dtype, tmp_path):
    base, paths, truth = files(tmp_path, PARTS, dtype)
    bake_into(paths, base, tmp_path / "out.safetensors")
    before, out = read(base), read(tmp_path / "out.safetensors")
    assert len(truth) == 7
    for key, wanted in truth.items():
        assert_rounded_once(out[key], wanted, sums=8)
    assert list(out) == list(before)
    for key in before.keys() - truth.keys():
        assert out[key].dtype == before[key].dtype
        assert out[key].shape == before[key].shape
        assert out[key].reshape(-1).view(torch.uint8).equal(before[key].reshape(-1).view(torch.uint8)), key


def test_a_dreambooth_difference_mixes_with_adapters(tmp_path):
    base, paths, truth = files(tmp_path, ["linear", "ia3"], torch.float16)
    exact = {key: tensor.double() for key, tensor in read(base).items() if key.startswith("blocks")}
    whole, changes = tuned(exact)
    paths[save(tmp_path / "tuned.safetensors", read(base) | whole)] = 0.31
    for key, change in changes.items():
        truth[key] = truth.get(key, exact[key]) + 0.31 * change
    bake_into(paths, base, tmp_path / "out.safetensors")
    for key, wanted in truth.items():
        assert_rounded_once(read(tmp_path / "out.safetensors")[key], wanted)


def test_any_order_of_the_parts_gives_the_same_bytes(tmp_path):
    base, paths, _ = files(tmp_path, ["linear", "loha", "lokr", "dora", "oft"], torch.float16)
    found = set()
    for number, order in enumerate(itertools.islice(itertools.permutations(paths.items()), 0, 120, 17)):
        to = tmp_path / str(number) / "out.safetensors"
        to.parent.mkdir()
        bake_into(dict(order), base, to)
        found.add(to.read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_the_proof_is_the_error_that_float64_measures(dtype, tmp_path):
    base, paths, truth = files(tmp_path, PARTS, dtype)
    proof = bake_into(paths, base, tmp_path / "out.safetensors")
    before, out = read(base), read(tmp_path / "out.safetensors")
    asked = {key: missed(before[key], wanted) for key, wanted in truth.items()}
    lost = {key: missed(out[key], wanted) for key, wanted in truth.items()}
    error = (sum(lost.values()) / sum(asked.values())) ** 0.5
    assert proof.error == pytest.approx(error, rel=0.15 if dtype == torch.float32 else 0.005)
    for layer in proof.layers:
        assert layer.asked == pytest.approx(asked[layer.layer], rel=1e-4)
        assert layer.error == pytest.approx((lost[layer.layer] / asked[layer.layer]) ** 0.5, rel=0.4)
    assert {layer.layer for layer in proof.layers} == truth.keys()
    told = json.loads(metadata(tmp_path / "out.safetensors")["eleven.proof"])
    assert told == proof.summary()


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
def test_small_changes_that_rounding_swallows_are_reported_as_lost(dtype, tmp_path):
    base = save(tmp_path / "base.safetensors", {"a.weight": torch.ones(64, 32, dtype=dtype)})
    part = save(tmp_path / "part.safetensors", {"a.diff": torch.full((64, 32), 2.0**-13)})
    proof = bake_into({part: 1.0}, base, tmp_path / "out.safetensors")
    assert proof.error == pytest.approx(1.0)
    assert proof.kept == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "shape", [(1, 3_000_000), (3_000_000,), (700, 1500), (1, 5, 700_001), (2, 2, 2, 2, 2)], ids=str
)
def test_tensors_of_any_shape_are_patched(shape, tmp_path):
    base = save(tmp_path / "base.safetensors", {"a.weight": normal(*shape).half(), "b.weight": normal(2, 2)})
    whole = {"a.weight": normal(*shape).half() + normal(*shape, seed=3).half(), "b.weight": normal(2, 2)}
    bake_into({save(tmp_path / "tuned.safetensors", whole): 1.0}, base, tmp_path / "out.safetensors")
    assert read(tmp_path / "out.safetensors")["a.weight"].equal(whole["a.weight"])


def test_overflow_names_the_layer(tmp_path):
    base = save(tmp_path / "base.safetensors", {"a.weight": torch.full((4, 4), 6e4, dtype=torch.float16)})
    part = save(tmp_path / "part.safetensors", {"a.diff": torch.full((4, 4), 6e4)})
    with pytest.raises(TensorError, match=r"a\.weight overflows F16"):
        bake_into({part: 1.0}, base, tmp_path / "out.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.safetensors", "part.safetensors"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("end", ["lora_up.weight", "lora_down.weight"])
def test_what_is_no_number_in_a_part_names_part_and_layer(end, bad, tmp_path):
    base = save(tmp_path / "base.safetensors", unknown_model())
    tensors, _ = lora(LINEAR, 24, 16)
    tensors[f"{LINEAR}.{end}"][1, 1] = bad
    good, broken = (save(tmp_path / name, some) for name, some in (("good", lora(LINEAR, 24, 16)[0]), ("bad", tensors)))
    with pytest.raises(TensorError) as caught:
        bake_into({good: 1.0, broken: 0.5}, base, tmp_path / "out.safetensors")
    assert "bad" in str(caught.value)
    assert LINEAR in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "base.safetensors", "good"]


def test_a_base_that_holds_nan_is_not_called_an_overflow(tmp_path):
    model = unknown_model()
    model[f"{LINEAR}.weight"][3, 3] = float("nan")
    base = save(tmp_path / "base.safetensors", model)
    part = save(tmp_path / "part.safetensors", lora(LINEAR, 24, 16)[0])
    with pytest.raises(TensorError, match=r"base\.safetensors.*NaN"):
        bake_into({part: 1.0}, base, tmp_path / "out.safetensors")


def test_a_change_that_the_base_has_no_tensor_for_is_reported(tmp_path):
    model = unknown_model()
    del model[f"{LINEAR}.bias"]
    base = save(tmp_path / "base.safetensors", model)
    tensors = lora(LINEAR, 24, 16)[0] | {f"{LINEAR}.diff_b": normal(24)} | lora("blocks.9.gone", 24, 16)[0]
    proof = bake_into({save(tmp_path / "part.safetensors", tensors): 1.0}, base, tmp_path / "out.safetensors")
    assert {name for name, _ in proof.skipped} == {f"{LINEAR}.bias", "blocks.9.gone"}
    assert proof.summary()["not_applied"] == 2
