"""The negative prompt's prediction with strengths of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny_adapters as tiny
import torch
from pictures import SHOTS, furthest, mix_of
from test_phases import risen
from test_switching import is_as_remembered, remembered

from eleven.engines.diffusers import DiffusersEngine, Settings
from eleven.engines.ensembling import EnsemblingEngine
from eleven.engines.noise import draw, generators
from eleven.engines.samplers import make_scheduler
from eleven.engines.weights import Weights
from eleven.errors import UsageError
from eleven.exports.baking import Request, bake
from eleven.exports.forms import Form
from eleven.mix import Part

STEPS = 4
LONG = [replace(shot, steps=STEPS, sampler="DDIM") for shot in SHOTS]


def weaker(mix, *shares):
    parts = tuple(part.model_copy(update={"negative": share}) for part, share in zip(mix.parts, shares, strict=True))
    return mix.model_copy(update={"parts": parts})


def adapters_for(base, to, dialect="kohya"):
    to.mkdir(exist_ok=True)
    own = Weights(base.components, hint=base.family_name).family
    found = tiny.targets(own, dialect, ("to_q", "to_v", "q_proj", "conv1"))
    return [tiny.lora(to / f"{seed}.safetensors", found, seed=seed) for seed in (1, 2)]


@torch.no_grad()
def by_hand(engine, mix, negative):
    """The picture of an own loop that predicts twice a step, each time with other weights."""
    pipeline, shot = engine.base.pipeline, LONG[0]
    engine.switch(engine.combination(mix))
    conditions = engine.conditions(shot)
    scheduler = make_scheduler(pipeline.scheduler, shot.sampler, "")
    scheduler.set_timesteps(STEPS)
    latents = draw(pipeline, (16, 16), generators([shot.seed])) * scheduler.init_noise_sigma
    for time in scheduler.timesteps:
        given = scheduler.scale_model_input(latents, time)
        found = []
        for one, words in ((negative, "negative_prompt_embeds"), (mix, "prompt_embeds")):
            engine.weights.apply(engine.combination(one))
            found.append(pipeline.unet(given, time, encoder_hidden_states=conditions[words]).sample)
        latents = scheduler.step(found[0] + shot.guidance * (found[1] - found[0]), time, latents).prev_sample
    shown = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample[0]
    return (shown.permute(1, 2, 0) / 2 + 0.5).clamp(0, 1).mul(255).round().numpy().astype("uint8")


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.5, 0.5), (-0.5, 1.0)])
def test_the_picture_is_that_of_a_loop_with_two_sets_of_weights(base_of, tmp_path, shares):
    base = base_of("sd1")
    files = adapters_for(base, tmp_path)
    before = remembered(base)
    mix = mix_of((files[0], 0.8), (files[1], 0.5))
    negative = mix_of((files[0], 0.8 * shares[0]), (files[1], 0.5 * shares[1]))
    with DiffusersEngine(base, Settings(batch=2)) as engine:
        made = list(engine.take(weaker(mix, *shares), LONG))
        alone = next(engine.take(weaker(mix, *shares), LONG[:1]))
        plain = next(engine.take(mix, LONG[:1]))
        expected = by_hand(engine, mix, negative)
        engine.switch(None)
        assert is_as_remembered(base, before)
    assert furthest(made[0].pixels, expected) <= 1
    assert furthest(made[0].pixels, alone.pixels) <= 1
    assert furthest(made[0].pixels, plain.pixels) > 3


def test_all_of_the_strengths_is_plain_guidance_bit_for_bit(base_of, tmp_path):
    files = adapters_for(base_of("sd1"), tmp_path)
    plain = mix_of((files[0], 0.8))
    assert weaker(plain, 1.0).digest == plain.digest
    assert weaker(plain, 0.5).digest != plain.digest
    with DiffusersEngine(base_of("sd1")) as engine:
        first, second = (list(engine.take(mix, LONG)) for mix in (plain, weaker(plain, 1.0)))
    assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(first, second, strict=True))


def test_without_guidance_there_is_no_negative_prediction(base_of, tmp_path):
    files = adapters_for(base_of("sd1"), tmp_path)
    plain, shot = mix_of((files[0], 0.8)), replace(LONG[0], guidance=1.0)
    with DiffusersEngine(base_of("sd1")) as engine:
        first, second = (next(engine.take(mix, [shot])) for mix in (plain, weaker(plain, 0.0)))
    assert np.array_equal(first.pixels, second.pixels)


def test_mixes_with_shares_of_their_own_lie_in_one_batch(base_of, tmp_path):
    files = adapters_for(base_of("sd1"), tmp_path)
    plain = mix_of((files[0], 0.8), (files[1], 0.5))
    mixes = (weaker(plain, 0.0, 0.5), plain, None, risen(weaker(plain, 0.3, 0.3), 1.0, -0.5))
    wanted = [(mix, LONG[0]) for mix in mixes]
    with DiffusersEngine(base_of("sd1")) as engine:
        together = list(engine.take_each(wanted))
        alone = [next(engine.take(mix, [shot])) for mix, shot in wanted]
    assert max(furthest(one.pixels, two.pixels) for one, two in zip(together, alone, strict=True)) <= 1
    assert furthest(together[0].pixels, together[1].pixels) > 3


def test_it_may_be_the_first_picture_that_a_pipeline_makes(base_of, tmp_path):
    base = base_of("sd1")
    mix = weaker(mix_of((adapters_for(base, tmp_path)[0], 0.8)), 0.5)
    vars(base.pipeline).pop("_guidance_scale", None)
    with DiffusersEngine(base) as engine:
        assert len(list(engine.take(mix, LONG[:1]))) == 1


def test_the_baked_file_with_the_share_gives_the_picture_of_the_mix(base_of, tmp_path):
    files = adapters_for(base_of("sd1"), tmp_path)
    mix = weaker(mix_of((files[0], 0.8), (files[1], 0.5)), 0.3, 0.3)
    plain, share = mix.filed
    bake(plain, Request(tmp_path / "mix.safetensors", Form(dtype="fp32")))
    whole = weaker(mix_of((tmp_path / "mix.safetensors", 1.0)), share)
    with DiffusersEngine(base_of("sd1")) as engine:
        first, second, unlike = (next(engine.take(one, LONG)).pixels for one in (mix, whole, plain))
    assert furthest(first, second) <= 1
    assert furthest(first, unlike) > 3


@pytest.mark.parametrize("family", ["sdxl", "sd3"])
def test_other_families_guide_so_too(base_of, tmp_path, family):
    base = base_of(family)
    files = adapters_for(base, tmp_path, "diffusers" if family == "sd3" else "kohya")
    plain = mix_of((files[0], 1.0))
    shot = replace(SHOTS[0], steps=3, guidance=4.0)
    with DiffusersEngine(base) as engine:
        first, second, none = (next(engine.take(mix, [shot])) for mix in (plain, weaker(plain, 0.0), None))
    assert furthest(first.pixels, second.pixels) > 0
    assert furthest(none.pixels, second.pixels) > 0


def test_what_cannot_be_done_is_refused(base_of, tmp_path):
    files = adapters_for(base_of("sd1"), tmp_path)
    with DiffusersEngine(base_of("sd1")) as engine, pytest.raises(UsageError, match="negative prompt"):
        list(EnsemblingEngine(engine).take(weaker(mix_of((files[0], 0.8)), 0.5), LONG[:1]))
    flux = adapters_for(base_of("flux"), tmp_path / "flux", "diffusers")
    mix = weaker(mix_of((flux[0], 0.8)), 0.5)
    with DiffusersEngine(base_of("flux")) as engine, pytest.raises(UsageError, match="does not guide"):
        list(engine.take(mix, [replace(SHOTS[0], steps=2)]))


def test_text_encoders_keep_their_strength():
    part = Part(file="a", strength=0.7, at={"unet": 0.5, "IN04": 0.2, "te2": 0.3}, negative=0.5).for_negative
    places = [("text_encoder", "TE"), ("text_encoder_2", "TE2"), ("vae", "VAE"), ("unet", "MID"), ("unet", "IN04")]
    assert [part.strength_at(*place) for place in places] == pytest.approx([0.7, 0.3, 0.5, 0.25, 0.1])
    assert part.negative == 1
