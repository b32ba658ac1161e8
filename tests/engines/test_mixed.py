"""Pictures of different mixes in one batch."""

from __future__ import annotations

import pytest
import tiny_adapters as tiny
import torch
from pictures import SHOTS, furthest, mix_of

from eleven.engines import mixed
from eleven.engines.diffusers import DiffusersEngine, Settings
from eleven.engines.ensembling import EnsemblingEngine
from eleven.engines.weights import Weights
from eleven.errors import UsageError

LAYERS = ("to_q", "to_v", "to_out.0", "q_proj", "conv1", "proj_in", "conv_in", "linear_1", "norm1.linear")


@pytest.fixture(scope="module")
def batches(monkeypatch_module):
    """How many pictures each batch of several mixes had."""
    sizes = []
    whole = mixed.together
    monkeypatch_module.setattr(
        mixed, "together", lambda engine, found, some: sizes.append(len(some)) or whole(engine, found, some)
    )
    return sizes


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3", "flux"])
def test_mixed_batches_give_the_pictures_of_one_mix_at_a_time(base_of, tmp_path, batches, family):
    own = Weights(base_of(family).components, hint=family).family
    found = tiny.targets(own, "diffusers", LAYERS)
    one, two = (tiny.lora(tmp_path / f"{at}.safetensors", found[at:], seed=at, names=tiny.DIFFUSERS) for at in (0, 1))
    mixes = [mix_of((one, 0.8)), None, mix_of((one, 0.4), (two, -0.6)), mix_of((two, 1.0, {"te": 0.0}))]
    wanted = [(mix, SHOTS[at % 2]) for at, mix in enumerate(mixes)]
    batches.clear()
    with DiffusersEngine(base_of(family), Settings(batch=4)) as engine:
        before = [one.detach().clone() for one in engine.weights.parameters.values()]
        made = list(engine.take_each(wanted))
        alone = [next(engine.take(mix, [shot])) for mix, shot in wanted]
        engine.switch(None)
        assert all(torch.equal(*pair) for pair in zip(before, engine.weights.parameters.values(), strict=True))
    assert batches == [4]
    for one_of, other, (mix, shot) in zip(made, alone, wanted, strict=True):
        assert (one_of.mix, one_of.shot) == (mix, shot)
        assert furthest(one_of.pixels, other.pixels) <= 1
    assert furthest(made[0].pixels, made[2].pixels) > 5


def test_mixes_without_factors_are_taken_alone_and_come_in_order(base_of, tmp_path, batches):
    own = Weights(base_of("sd1").components, hint="sd1").family
    found = tiny.targets(own, "kohya", ("to_q", "to_v", "norm1"))
    thin = tiny.lora(tmp_path / "thin.safetensors", [at for at in found if len(at.shape) > 1], seed=1)
    whole = tiny.full(tmp_path / "whole.safetensors", found, seed=2)
    mixes = [mix_of((whole, 0.5)), mix_of((thin, 0.5)), mix_of((thin, 1.0)), mix_of((thin, 0.4), (whole, 0.2)),
             mix_of((thin, 0.5), (whole, 0.2), method="ties")]  # fmt: skip
    wanted = [(mix, SHOTS[0]) for mix in mixes]
    batches.clear()
    with DiffusersEngine(base_of("sd1")) as engine:
        made = list(engine.take_each(wanted))
        alone = [next(engine.take(mix, [shot])) for mix, shot in wanted]
    assert batches == [2]
    assert [picture.mix for picture in made] == mixes
    assert max(furthest(*(one.pixels for one in pair)) for pair in zip(made, alone, strict=True)) <= 1


def test_an_engine_may_be_used_between_pictures_of_mixed_batches(base_of, tmp_path):
    own = Weights(base_of("sd1").components, hint="sd1").family
    file = tiny.lora(tmp_path / "a.safetensors", tiny.targets(own, "kohya"), seed=1)
    wanted = [(mix_of((file, strength)), shot) for strength in (0.5, 1.0) for shot in SHOTS[:2]]
    with DiffusersEngine(base_of("sd1"), Settings(batch=2)) as engine:
        undisturbed = list(engine.take_each(wanted))
        base = next(engine.take(None, SHOTS[:1]))
        for picture, same in zip(engine.take_each(wanted), undisturbed, strict=True):
            assert furthest(picture.pixels, same.pixels) == 0
            assert furthest(next(engine.take(None, SHOTS[:1])).pixels, base.pixels) == 0
            next(engine.take(mix_of((file, 0.3)), SHOTS[:1]))


def test_ensembling_adds_predictions(base_of, tmp_path):
    """One model alone at strength 1 is itself; a change of the last layer is mixed alike in weights and predictions."""
    base = base_of("sd1")
    own = Weights(base.components, hint="sd1").family
    denoiser = tiny.lora(tmp_path / "a.safetensors", tiny.targets(own, "kohya", parts=["unet"]), seed=1)
    last = [
        tiny.lora(tmp_path / f"{at}.safetensors", tiny.targets(own, "kohya", ("conv_out",)), seed=at) for at in (2, 3)
    ]
    with DiffusersEngine(base) as engine:
        slow = EnsemblingEngine(engine)
        for mix in (None, mix_of((denoiser, 1.0)), mix_of((last[0], 0.7), (last[1], 0.5))):
            one, other = (next(each.take(mix, SHOTS[:1])) for each in (slow, engine))
            assert furthest(one.pixels, other.pixels) <= 1
        half = mix_of((denoiser, 0.5))
        one, other = (next(each.take(half, SHOTS[:1])) for each in (slow, engine))
        assert furthest(one.pixels, other.pixels) > 1
        assert "forward" not in vars(base.components["unet"])
        with pytest.raises(UsageError, match="by block"):
            next(slow.take(mix_of((denoiser, 0.5, {"MID": 1.0})), SHOTS[:1]))
        with pytest.raises(UsageError, match="mixed by ties"):
            next(slow.take(mix_of((denoiser, 0.5), method="ties"), SHOTS[:1]))
