"""Strengths that rise over the steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tiny_adapters as tiny
import torch
from pictures import SHOTS, furthest, mix_of
from test_switching import is_as_remembered, remembered

from eleven.engines.diffusers import DiffusersEngine, Settings
from eleven.engines.encoding import Conditions
from eleven.engines.ensembling import EnsemblingEngine
from eleven.engines.noise import draw, generators
from eleven.engines.phases import PHASES, phase_of, shares_of
from eleven.engines.samplers import make_scheduler
from eleven.engines.weights import Weights
from eleven.mix import Part

STEPS = 6
LONG = [replace(shot, steps=STEPS, sampler="DDIM") for shot in SHOTS]


def risen(mix, *rises):
    parts = tuple(part.model_copy(update={"rise": rise}) for part, rise in zip(mix.parts, rises, strict=True))
    return mix.model_copy(update={"parts": parts})


@pytest.fixture(scope="module")
def adapters(base_of, tmp_path_factory):
    to = tmp_path_factory.mktemp("adapters")
    own = Weights(base_of("sd1").components, hint="sd1").family
    found = tiny.targets(own, "kohya", ("to_q", "to_v", "q_proj", "conv1"))
    return [tiny.lora(to / f"{seed}.safetensors", found, seed=seed) for seed in (1, 2)]


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7, 12, 20, 30, 50])
@pytest.mark.parametrize("rise", [-1.0, 0.3, 1.0])
def test_the_mean_strength_over_the_steps_is_the_strength(steps, rise):
    shares, part = shares_of(steps), Part(file="a", strength=0.7, at={"IN04": 0.2, "te": 0.4}, rise=rise)
    phases = [part.at_share(share) for share in shares]
    every = [phases[phase_of(step, steps)] for step in range(steps)]
    assert len(phases) == min(PHASES, steps)
    assert np.mean([one.strength_at("unet", "MID") for one in every]) == pytest.approx(0.7)
    assert np.mean([one.strength_at("unet", "IN04") for one in every]) == pytest.approx(0.2)
    assert {one.strength_at("text_encoder", "TE") for one in every} == {0.4}
    assert all((later.strength - earlier.strength) * rise > 0 for earlier, later in pairwise(phases))


def test_text_encoders_and_the_picture_decoder_keep_their_strength():
    part = Part(file="a", strength=0.7, at={"unet": 0.5, "te2": 0.3}, rise=0.8).at_share(0.0)
    places = [("text_encoder", "TE"), ("text_encoder_2", "TE2"), ("vae", "VAE"), ("unet", "MID")]
    assert [part.strength_at(*place) for place in places] == pytest.approx([0.7, 0.3, 0.5, 0.1])
    assert Part(file="a", strength=0.7).at_share(0.0).strength == 0.7


def test_without_a_rise_pictures_are_the_same_bit_for_bit(base_of, adapters):
    plain = mix_of((adapters[0], 0.8), (adapters[1], 0.5))
    with DiffusersEngine(base_of("sd1")) as engine:
        first = list(engine.take(plain, LONG))
        steps = []
        engine.switch, whole = (lambda one: steps.append(one) or whole(one)), engine.switch
        second = list(engine.take(risen(plain, 0.0, 0.0), LONG))
        assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(first, second, strict=True))
        assert len(steps) == 2


@torch.no_grad()
def by_hand(engine: DiffusersEngine, conditions: Conditions, seed: int, change):
    """The picture of an own loop over the scheduler's steps; `change` puts the weights of a step in place."""
    pipeline = engine.base.pipeline
    scheduler = make_scheduler(pipeline.scheduler, LONG[0].sampler, "")
    scheduler.set_timesteps(STEPS)
    latents = draw(pipeline, (16, 16), generators([seed])) * scheduler.init_noise_sigma
    words = torch.cat([conditions["negative_prompt_embeds"], conditions["prompt_embeds"]])
    for step, time in enumerate(scheduler.timesteps):
        change(step)
        given = scheduler.scale_model_input(torch.cat([latents, latents]), time)
        without, beside = pipeline.unet(given, time, encoder_hidden_states=words).sample.chunk(2)
        latents = scheduler.step(without + LONG[0].guidance * (beside - without), time, latents).prev_sample
    shown = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample[0]
    return (shown.permute(1, 2, 0) / 2 + 0.5).clamp(0, 1).mul(255).round().numpy().astype("uint8")


def test_a_risen_mix_is_the_picture_of_a_loop_that_changes_the_weights(base_of, adapters):
    mix = risen(mix_of((adapters[0], 0.8), (adapters[1], 0.5)), 1.0, -0.6)
    base = base_of("sd1")
    before = remembered(base)
    with DiffusersEngine(base, Settings(batch=2)) as engine:
        made = list(engine.take(mix, LONG))
        engine.switch(engine.combination(mix))
        conditions, shares = engine.conditions(LONG[0]), shares_of(STEPS)

        def change(step: int) -> None:
            engine.weights.apply(engine.combination(mix).at_share(shares[phase_of(step, STEPS)]))

        expected = by_hand(engine, conditions, LONG[0].seed, change)
        plain = next(engine.take(risen(mix, 0.0, 0.0), LONG[:1]))
        alone = next(engine.take(mix, LONG[:1]))
        engine.switch(None)
        assert is_as_remembered(base, before)
    assert furthest(made[0].pixels, expected) <= 1
    assert furthest(made[0].pixels, plain.pixels) > 3
    assert furthest(made[0].pixels, alone.pixels) <= 1


@pytest.mark.parametrize("sampler", ["Euler a", "Heun", "DPM2", "PLMS", "DPM++ 2M"])
def test_every_kind_of_sampler_has_its_phases_in_order(base_of, adapters, sampler):
    mix = risen(mix_of((adapters[0], 0.8)), 0.5)
    shot = replace(LONG[0], sampler=sampler, steps=8)
    with DiffusersEngine(base_of("sd1")) as engine:
        seen, whole = [], engine.weights.apply
        engine.weights.apply = lambda changes: (
            (seen.append(changes.mix.parts[0].strength) if changes else None) or whole(changes)
        )
        list(engine.take(mix, [shot]))
    assert seen == pytest.approx([0.8 * (1 + 0.5 * at) for at in (-0.75, -0.25, 0.25, 0.75)])


def test_risen_mixes_share_batches_with_others(base_of, adapters):
    plain = mix_of((adapters[0], 0.8), (adapters[1], 0.5))
    wanted = [
        (mix, shot) for mix in (risen(plain, 1.0, 0.0), plain, None, risen(plain, -0.5, 0.7)) for shot in LONG[:1]
    ]
    with DiffusersEngine(base_of("sd1")) as engine:
        together = list(engine.take_each(wanted))
        alone = [next(engine.take(mix, [shot])) for mix, shot in wanted]
    assert max(furthest(one.pixels, two.pixels) for one, two in zip(together, alone, strict=True)) <= 1
    assert furthest(together[0].pixels, together[1].pixels) > 3


def test_predictions_rise_as_weights_do(base_of, tmp_path):
    """A change of the last layer is mixed alike in weights and in predictions."""
    own = Weights(base_of("sd1").components, hint="sd1").family
    last = tiny.lora(tmp_path / "last.safetensors", tiny.targets(own, "kohya", ("conv_out",)), seed=3)
    plain = mix_of((last, 0.7))
    with DiffusersEngine(base_of("sd1")) as engine:
        for mix in (plain, risen(plain, 0.9)):
            one, two = (next(each.take(mix, LONG[:1])) for each in (EnsemblingEngine(engine), engine))
            assert furthest(one.pixels, two.pixels) <= 1
