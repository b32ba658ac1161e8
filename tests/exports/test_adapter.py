"""A baked adapter holds the mix that was asked for, as other programs' own readers read it."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
import torch
from files_for_tests import (
    REAL,
    SMALL,
    TECHNIQUES,
    bake_files,
    full,
    lora,
    normal,
    read,
    relative,
    save,
    sd1_base,
    small_base,
    stored_change,
    write,
)
from torch import nn

from eleven.compress import Target
from eleven.errors import TensorError, UsageError
from eleven.exports.forms import Form
from eleven.layers.dialect import spell
from eleven.layers.family import family

STRENGTHS = {"lora": 0.7, "locon": -0.4, "loha": 0.9, "lokr": 0.3, "ia3": 1.2, "oft": 0.8, "dora": 0.6, "full": 0.5}
TUNED = 0.45


class World:
    """A base, one file of each technique, and the dense sum of all at their strengths."""

    def __init__(self, folder: Path, base: dict[str, torch.Tensor], shapes: dict, prefixes: dict) -> None:
        self.folder, self.tensors, self.prefixes = folder, base, prefixes
        self.base = save(folder / "base.safetensors", base)
        self.files: dict[Path, float] = {}
        self.truth = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}
        for at, (technique, make) in enumerate(TECHNIQUES.items()):
            modules = {}
            for name, shape in shapes.items():
                tensors, change = make(shape, base[f"{name}.weight"].double(), 100 * at)
                modules[prefixes[name]] = tensors
                self.truth[name] += STRENGTHS[technique] * change
            self.files[write(folder / f"{technique}.safetensors", modules)] = STRENGTHS[technique]

    def add_tuned(self) -> None:
        tuned = dict(self.tensors)
        for name, truth in self.truth.items():
            key = f"{name}.weight"
            tuned[key] = tuned[key] + normal(*truth.shape, seed=77, size=0.01)
            truth += TUNED * (tuned[key].double() - self.tensors[key].double())
        self.files[save(self.folder / "tuned.safetensors", tuned)] = TUNED

    def bake(self, to: str, form: Form, files: dict[Path, float] | None = None):
        return bake_files(files or self.files, self.folder / to, form, self.base)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An unknown model whose modules the parts name with dots, so that a checkpoint can be among them."""
    world = World(tmp_path_factory.mktemp("small"), small_base(), SMALL, {name: name for name in SMALL})
    world.add_tuned()
    return world


@pytest.fixture(scope="module")
def sd1(tmp_path_factory):
    known = family("sd1")
    assert known is not None
    prefixes = {name: spell(known, name, "kohya") for name in REAL}
    world = World(tmp_path_factory.mktemp("sd1"), sd1_base(), REAL, prefixes)
    world.add_tuned()
    return world


@pytest.mark.parametrize("which", ["small", "sd1"])
def test_every_technique_and_a_checkpoint_in_one_mix_is_their_dense_sum(which, request):
    world = request.getfixturevalue(which)
    proof = world.bake("fp32.safetensors", Form(dtype="fp32"))
    tensors = read(world.folder / "fp32.safetensors")
    for name, truth in world.truth.items():
        assert relative(stored_change(tensors, world.prefixes[name]), truth) < 1e-6
    assert len(proof.layers) == len(world.truth)
    assert proof.error < 1e-6
    assert proof.skipped == ()


@pytest.mark.parametrize(("dtype", "half"), [("fp16", 2**-11), ("bf16", 2**-8)])
def test_half_precision_is_one_rounding_away(sd1, dtype, half):
    proof = sd1.bake(f"{dtype}.safetensors", Form(dtype=dtype))
    tensors = read(sd1.folder / f"{dtype}.safetensors")
    for name, truth in sd1.truth.items():
        assert f"{sd1.prefixes[name]}.diff" in tensors
        assert relative(stored_change(tensors, sd1.prefixes[name]), truth) < 1.01 * half
    assert proof.error < 1.01 * half


def test_half_precision_of_factors_is_one_rounding_of_each(tmp_path):
    """Each entry of up and down is off by at most 2⁻¹¹ of itself, so the product by 2⁻¹⁰ of |up|·|down|."""
    made = [lora((320, 320), torch.zeros(()), seed) for seed in (1, 11, 21)]
    files = {write(tmp_path / f"{at}.safetensors", {"x.to_q": tensors}): 0.6 for at, (tensors, _) in enumerate(made)}
    bake_files(files, tmp_path / "out.safetensors", Form(dtype="fp16"))
    tensors = read(tmp_path / "out.safetensors")
    truth = 0.6 * sum(change for _, change in made)
    up, down = tensors["x.to_q.lora_up.weight"].double(), tensors["x.to_q.lora_down.weight"].double()
    assert up.shape == (320, 9)
    bound = (up.abs() @ down.abs()) * (2.0**-10 + 2.0**-20) + 1e-9
    assert bool(((up @ down - truth).abs() <= bound).all())
    assert relative(up @ down, truth) < 2**-10


def test_parts_in_any_order_give_the_same_bytes(small):
    three = list(small.files.items())[:3]
    both = [dict(order) for order in permutations(three)] + [dict(three)]
    written = set()
    for at, files in enumerate(both):
        folder = small.folder / str(at)
        folder.mkdir()
        small.bake(f"{at}/same.safetensors", Form(), files)
        written.add((folder / "same.safetensors").read_bytes())
    small.bake("1/all.safetensors", Form(Target(4)))
    small.bake("2/all.safetensors", Form(Target(4)), dict(reversed(small.files.items())))
    assert len(written) == 1
    assert (small.folder / "1/all.safetensors").read_bytes() == (small.folder / "2/all.safetensors").read_bytes()


class Block(nn.Module):
    """The modules of SMALL."""

    def __init__(self) -> None:
        super().__init__()
        first = nn.ModuleDict({"fc": nn.Linear(16, 24), "square": nn.Linear(24, 24)})
        second = nn.ModuleDict({"conv": nn.Conv2d(8, 12, 3), "one": nn.Conv2d(12, 8, 1)})
        self.blocks = nn.ModuleList([first, second])
        self.load_state_dict(small_base())
        self.requires_grad_(False)


def test_lycoris_reads_the_same_change_from_the_whole_file(tmp_path):
    wrapper = pytest.importorskip("lycoris.wrapper")
    names = {name: "lycoris_" + name.replace(".", "_") for name in SMALL}
    world = World(tmp_path, small_base(), SMALL, names)
    world.bake("all.safetensors", Form(dtype="fp32"))
    world.bake("thin.safetensors", Form(Target(5), dtype="fp32"))
    thin = read(tmp_path / "thin.safetensors")
    for file, truths in (
        ("all", world.truth),
        ("thin", {name: stored_change(thin, prefix) for name, prefix in names.items()}),
    ):
        model = Block()
        network, _ = wrapper.create_lycoris_from_weights(1.0, str(tmp_path / f"{file}.safetensors"), model)
        assert len(network.loras) == len(SMALL)
        for module in network.loras:
            name = next(name for name, prefix in names.items() if prefix == module.lora_name)
            weight, _ = module.get_diff_weight(1.0)
            assert relative(weight, truths[name]) < 1e-6


def test_peft_reads_the_same_change_from_diffusers_names(tmp_path):
    peft = pytest.importorskip("peft")
    truth = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in SMALL.items()}
    files: dict[Path, float] = {}
    for at, strength in enumerate((0.7, -0.3)):
        modules = {}
        for name, shape in SMALL.items():
            tensors, change = lora(shape, torch.zeros(()), 10 * at)
            modules[f"base_model.model.{name}"] = tensors
            truth[name] += strength * change
        files[write(tmp_path / f"{at}.safetensors", modules)] = strength
    bake_files(files, tmp_path / "out.safetensors", Form(dialect="diffusers", dtype="fp32"))
    tensors = read(tmp_path / "out.safetensors")
    assert all(key.endswith((".lora_A.weight", ".lora_B.weight")) for key in tensors)
    ranks = {name: len(tensors[f"base_model.model.{name}.lora_A.weight"]) for name in SMALL}
    config = peft.LoraConfig(target_modules=list(SMALL), rank_pattern=ranks, alpha_pattern=ranks)
    model = peft.get_peft_model(Block(), config)
    told = peft.set_peft_model_state_dict(model, tensors)
    assert not told.unexpected_keys
    for name, change in truth.items():
        layer = model.base_model.model.get_submodule(name)
        assert relative(layer.get_delta_weight("default"), change) < 1e-6


def test_diffusers_names_hold_a_full_change_as_factors_of_full_rank(small):
    small.bake("names.safetensors", Form(dialect="diffusers", dtype="fp32"))
    tensors = read(small.folder / "names.safetensors")
    for name, truth in small.truth.items():
        assert len(tensors[f"{name}.lora_A.weight"]) == min(truth.flatten(1).shape)
        assert relative(stored_change(tensors, name), truth) < 1e-6


def optimum(truth: torch.Tensor, rank: int) -> float:
    return float(torch.linalg.svdvals(truth.flatten(1))[rank:].norm() / truth.norm())


def test_mixes_of_factors_are_truncated_as_well_as_can_be(tmp_path):
    shapes = {"x.to_q": (320, 320), "x.conv": (64, 64, 3, 3), "x.ff": (96, 640)}
    truth = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}
    files: dict[Path, float] = {}
    for at, make in enumerate((lora, lora, TECHNIQUES["locon"], TECHNIQUES["loha"], TECHNIQUES["lokr"])):
        modules = {}
        for name, shape in shapes.items():
            modules[name], change = make(shape, torch.zeros(()), 10 * at)
            truth[name] += (0.5 + at / 10) * change
        files[write(tmp_path / f"{at}.safetensors", modules)] = 0.5 + at / 10
    proof = bake_files(files, tmp_path / "out.safetensors", Form(Target(6), dtype="fp32"))
    tensors = read(tmp_path / "out.safetensors")
    for layer in proof.layers:
        name = layer.layer.removesuffix(".weight")
        assert len(tensors[f"{name}.lora_down.weight"]) == 6
        error = relative(stored_change(tensors, name), truth[name])
        assert error == pytest.approx(optimum(truth[name], 6), rel=1e-5)
        assert layer.error == pytest.approx(error, rel=1e-3)


def test_mixes_with_full_differences_are_truncated_within_half_a_thousandth(sd1):
    proof = sd1.bake("rank.safetensors", Form(Target(8), dtype="fp32"))
    tensors = read(sd1.folder / "rank.safetensors")
    for name, truth in sd1.truth.items():
        error = relative(stored_change(tensors, sd1.prefixes[name]), truth)
        assert error <= 1.0005 * optimum(truth, 8)
    assert 0 < proof.error < 1


@pytest.mark.parametrize("energy", [0.5, 0.9, 0.99])
def test_energy_takes_the_smallest_rank_that_keeps_its_share(small, energy):
    small.bake(f"{energy}.safetensors", Form(Target(1 << 20, energy), dtype="fp32"))
    tensors = read(small.folder / f"{energy}.safetensors")
    for name, truth in small.truth.items():
        shares = torch.linalg.svdvals(truth.flatten(1)).square().cumsum(0) / truth.square().sum()
        needed = int((shares < energy).sum()) + 1
        assert len(tensors[f"{name}.lora_down.weight"]) == needed


def test_what_overflows_half_precision_is_refused(tmp_path):
    tensors = {"diff": torch.full((8, 8), 70000.0)}
    file = write(tmp_path / "a.safetensors", {"x.to_q": tensors})
    with pytest.raises(TensorError, match=r"x\.to_q: diff is too large for fp16\. Use --dtype bf16 or fp32\."):
        bake_files({file: 1.0}, tmp_path / "out.safetensors", Form())
    assert {path.name for path in tmp_path.iterdir()} == {"a.safetensors"}
    bake_files({file: 1.0}, tmp_path / "out.safetensors", Form(dtype="bf16"))


@pytest.mark.parametrize("suffix", ["lora_up.weight", "lora_down.weight"])
def test_nan_in_one_part_is_told_with_part_and_layer(tmp_path, suffix):
    good, bad = lora((8, 8), torch.zeros(()), 1)[0], lora((8, 8), torch.zeros(()), 2)[0]
    bad[suffix].view(-1)[3] = float("nan")
    files = [write(tmp_path / "good.safetensors", {"x.a": good, "x.b": good})]
    files.append(write(tmp_path / "bad.safetensors", {"x.a": good, "x.b": bad}))
    with pytest.raises(TensorError, match=rf"^bad\.safetensors: x\.b: {suffix} holds NaN"):
        bake_files(dict.fromkeys(files, 1.0), tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_nan_in_a_checkpoint_is_told_with_part_and_layer(tmp_path):
    base = save(tmp_path / "base.safetensors", small_base())
    broken = small_base()
    broken["blocks.1.conv.weight"][0, 0, 0, 0] = float("inf")
    tuned = save(tmp_path / "tuned.safetensors", broken)
    with pytest.raises(TensorError, match=r"^tuned\.safetensors: blocks\.1\.conv\.weight holds NaN"):
        bake_files({tuned: 1.0}, tmp_path / "out.safetensors", base=base)


@pytest.mark.parametrize("kind", ["nothing moved", "strength 0", "no change"])
def test_a_mix_that_changes_nothing_is_refused(tmp_path, kind):
    base, zero = save(tmp_path / "base.safetensors", small_base()), torch.zeros(8, 2)
    files = {
        "nothing moved": {save(tmp_path / "same.safetensors", small_base()): 1.0},
        "strength 0": {write(tmp_path / "a.safetensors", {"x": full((8, 8), zero, 1)[0]}): 0.0},
        "no change": {
            write(tmp_path / "b.safetensors", {"x": {"lora_up.weight": zero, "lora_down.weight": zero.T}}): 1.0
        },
    }[kind]
    with pytest.raises(UsageError, match="the mix changes nothing"):
        bake_files(files, tmp_path / "out.safetensors", base=base)
    assert not (tmp_path / "out.safetensors").exists()
