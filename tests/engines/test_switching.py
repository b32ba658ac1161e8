"""Mixes come and go, and the base is what it was, bit for bit."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import tiny_adapters as tiny
import torch
from pictures import SHOTS, furthest, mix_of
from safetensors.torch import load_file, save_file

from eleven.bases.opening import open_base
from eleven.delta import Sum
from eleven.engines.diffusers import DiffusersEngine, Settings
from eleven.engines.unfused import both_of
from eleven.engines.weights import Weights
from eleven.errors import FamilyMismatch, FileError, OutOfMemory, TensorError, UsageError
from eleven.exports.baking import Request, bake
from eleven.exports.forms import Form
from eleven.testing import check_engine

LINEAR = ("to_q", "to_v", "to_out.0", "q_proj")
EVERY = (
    "to_k",
    "to_q",
    "q_proj",
    "token_embedding",
    "conv1",
    "norm1",
    "conv_in",
    "time_emb_proj",
    "conv_norm_out",
    "layer_norm1",
    "fc2",
    "conv_shortcut",
)


def remembered(base):
    """Every parameter's object and a copy of its numbers."""
    return [(one, one.detach().clone()) for part in base.components.values() for one in part.parameters()]


def is_as_remembered(base, before):
    now = [one for part in base.components.values() for one in part.parameters()]
    return all(one is old and torch.equal(one, kept) for one, (old, kept) in zip(now, before, strict=True))


@pytest.fixture(scope="module")
def files(base_of, tmp_path_factory):
    """One file of each kind for the tiny SD 1."""
    to = tmp_path_factory.mktemp("files")
    own = Weights(base_of("sd1").components, hint="sd1").family
    linear, every = tiny.targets(own, "kohya", LINEAR), tiny.targets(own, "kohya", EVERY)
    return {
        "lora": tiny.lora(to / "lora.safetensors", tiny.targets(own, "kohya", (*LINEAR, "conv2")), seed=1),
        "loha": tiny.loha(to / "loha.safetensors", linear, seed=2),
        "lokr": tiny.lokr(to / "lokr.safetensors", linear, seed=3),
        "dora": tiny.dora(to / "dora.safetensors", linear, seed=4),
        "full": tiny.full(to / "full.safetensors", every, seed=5),
    }


def test_the_engine_passes_the_battery(base_of, files):
    mixes = [mix_of((files["lora"], 0.8), (files["lokr"], strength)) for strength in (0.3, 0.9)]
    mixes.append(mix_of((files["lora"], 0.8, {"te": 0.0})))
    with DiffusersEngine(base_of("sd1"), Settings(batch=2)) as engine:
        check_engine(engine, mixes, SHOTS)


def test_after_fifty_switches_the_base_is_bit_identical(base_of, files):
    base = base_of("sd1")
    before, chance = remembered(base), random.Random(1)
    with DiffusersEngine(base) as engine:
        first = next(engine.take(None, SHOTS[:1]))
        for _ in range(50):
            chosen = chance.sample(sorted(files), chance.randint(1, 3))
            mix = mix_of(*((files[name], round(chance.uniform(0.1, 1.2), 2)) for name in chosen))
            engine.switch(engine.combination(mix))
        assert not is_as_remembered(base, before)
        none = mix_of(*((file, 0.0) for file in files.values()))
        assert furthest(next(engine.take(none, SHOTS[:1])).pixels, first.pixels) == 0
        assert is_as_remembered(base, before)
        engine.switch(engine.combination(mix_of((files["lora"], 1.0))))
    assert is_as_remembered(base, before)


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr", "dora", "full"])
def test_weights_are_the_originals_plus_every_change_in_float64(base_of, files, kind):
    base = base_of("sd1")
    with DiffusersEngine(base) as engine:
        combination = engine.combination(mix_of((files[kind], 0.6)))
        before = {name: one.detach().clone().double() for name, one in engine.weights.parameters.items()}
        engine.switch(combination)
        changed = dict(combination)
        assert changed
        for layer, delta in changed.items():
            both = both_of(delta)
            moved = both[0].double() @ both[1].double() if both else delta.dense().double()
            truth = before[layer.name] + moved.reshape(before[layer.name].shape)
            assert torch.equal(engine.weights.parameters[layer.name], truth.float())
        names = {layer.name for layer in changed}
        left = [name for name in before if name not in names]
        assert all(torch.equal(engine.weights.parameters[name], before[name].float()) for name in left)


def test_a_live_mix_is_the_picture_of_its_exact_bake(base_of, files, tmp_path):
    mix = mix_of((files["lora"], 0.7), (files["loha"], 0.5), (files["lokr"], -0.4))
    bake(mix, Request(tmp_path / "baked.safetensors", Form(dtype="fp32")))
    with DiffusersEngine(base_of("sd1")) as engine:
        live = next(engine.take(mix, SHOTS[:1]))
        baked = next(engine.take(mix_of((tmp_path / "baked.safetensors", 1.0)), SHOTS[:1]))
        plain = next(engine.take(None, SHOTS[:1]))
    assert furthest(live.pixels, baked.pixels) <= 1
    assert furthest(live.pixels, plain.pixels) > 9


def test_channels_last_and_half_precision_come_back_too(folder_of, files):
    base = open_base(folder_of("sd1"), device="cpu", dtype="fp16")
    base.components["unet"].to(memory_format=torch.channels_last)
    before = remembered(base)
    weights = Weights(base.components, hint="sd1")
    with DiffusersEngine(base) as engine:
        combination = engine.combination(mix_of((files["lora"], 0.5), (files["full"], 0.5)))
        weights.apply(combination)
        for layer, delta in combination:
            kept = weights.original(layer.name).float()
            told = (kept + delta.dense().reshape(kept.shape)).half()
            assert torch.allclose(weights.parameters[layer.name], told, atol=0, rtol=1e-3)
        assert not is_as_remembered(base, before)
        weights.restore()
        assert is_as_remembered(base, before)
        with pytest.raises(TensorError, match="overflows float16"):
            weights.apply([(layer, Sum(((1e9, delta),))) for layer, delta in combination])
        weights.restore()
    assert is_as_remembered(base, before)


def test_what_is_kept_decoded_ends_with_the_budget(base_of, files):
    with DiffusersEngine(base_of("sd1"), Settings(memory=0)) as engine:
        small = next(engine.take(mix_of((files["dora"], 0.6)), SHOTS[:1]))
    with DiffusersEngine(base_of("sd1")) as engine:
        large = next(engine.take(mix_of((files["dora"], 0.6)), SHOTS[:1]))
    assert furthest(small.pixels, large.pixels) == 0


def test_a_checkpoint_is_taken_as_its_difference_to_the_base(base_of, folder_of, tmp_path):
    base = base_of("sd1")
    tensors = {}
    for part in ("unet", "text_encoder", "vae"):
        (file,) = (folder_of("sd1") / part).glob("*.safetensors")
        tensors |= {f"{part}.{name}": one for name, one in load_file(file).items()}
    moved = {name: one + 0.05 * one.std() if "to_q" in name or "fc1" in name else one for name, one in tensors.items()}
    save_file(moved, tmp_path / "tuned.safetensors")
    with DiffusersEngine(base) as engine:
        engine.switch(engine.combination(mix_of((tmp_path / "tuned.safetensors", 1.0))))
        live = {
            f"{part}.{name}": one for part, model in base.components.items() for name, one in model.named_parameters()
        }
        for name, one in live.items():
            wanted = moved.get(name, moved.get(name.replace("text_encoder.", "text_encoder.text_model.")))
            assert torch.allclose(one, wanted, atol=1e-7), name


def test_an_adapter_of_another_family_is_refused_and_nothing_stays_changed(base_of, files, tmp_path):
    own = Weights(base_of("sd3").components, hint="sd3").family
    other = tiny.lora(tmp_path / "other.safetensors", tiny.targets(own, "diffusers"), seed=1, names=tiny.DIFFUSERS)
    base = base_of("sd1")
    before = remembered(base)
    with DiffusersEngine(base) as engine:
        with pytest.raises(FamilyMismatch, match=r"other\.safetensors is for .*, the base is Stable Diffusion 1"):
            next(engine.take(mix_of((other, 1.0)), SHOTS[:1]))
        with pytest.raises(FamilyMismatch):
            next(engine.take(mix_of((files["lora"], 1.0), (other, 1.0)), SHOTS[:1]))
        assert is_as_remembered(base, before)


def test_files_are_known_by_their_hash(base_of, files):
    with DiffusersEngine(base_of("sd1")) as engine:
        mix = mix_of((files["lora"], 1.0))
        wrong = mix.model_copy(update={"parts": (mix.parts[0].model_copy(update={"sha256": "0" * 64}),)})
        with pytest.raises(FileError, match="not the file that the recipe was made with"):
            next(engine.take(wrong, SHOTS[:1]))
        with pytest.raises(FileError, match="cannot be opened"):
            next(engine.take(mix_of(("nowhere.safetensors", 1.0)), SHOTS[:1]))


def test_a_file_that_was_written_anew_is_read_anew(base_of, tmp_path):
    own = Weights(base_of("sd1").components, hint="sd1").family
    found = tiny.targets(own, "kohya")
    file = tiny.lora(tmp_path / "a.safetensors", found, seed=1)
    with DiffusersEngine(base_of("sd1")) as engine:
        first = next(engine.take(mix_of((file, 1.0)), SHOTS[:1]))
        tiny.lora(file, [*found[:-1]], seed=2)
        second = next(engine.take(mix_of((file, 1.0)), SHOTS[:1]))
    assert furthest(first.pixels, second.pixels) > 1


def test_too_little_memory_is_told_with_advice(base_of, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(base_of("sd1").pipeline.unet, "forward", fail)
    with DiffusersEngine(base_of("sd1")) as engine, pytest.raises(OutOfMemory, match="for 3 pictures at once") as told:
        next(engine.take(None, SHOTS))
    assert "smaller batch" in told.value.hint


def test_sizes_and_seeds_that_cannot_be_are_refused(base_of):
    with DiffusersEngine(base_of("sd1")) as engine:
        with pytest.raises(UsageError, match="Use 16x16"):
            next(engine.take(None, [replace(SHOTS[0], height=17)]))
        with pytest.raises(UsageError, match="-1 is not a seed"):
            next(engine.take(None, [replace(SHOTS[0], seed=-1)]))
        assert next(engine.take(None, [replace(SHOTS[0], width=0, height=0)])).pixels.shape == (32, 32, 3)
    with pytest.raises(UsageError, match="0 pictures"):
        Settings(batch=0)
