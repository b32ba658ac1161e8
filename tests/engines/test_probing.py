"""What models change in predictions: all of it alike with themselves, none of it with their opposite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_adapters import lora, targets, word

from eleven.engines.additivity import additivity, concluded
from eleven.engines.diffusers import DiffusersEngine, Settings
from eleven.engines.engine import Shot
from eleven.engines.inputs import BANDS, EACH, can_be_noised, noised, recorded
from eleven.engines.opening import Setup
from eleven.engines.probing import clear_ratios, inputs_for, open_probe, probe, products, together
from eleven.errors import FileError, UsageError
from eleven.lab.shipped import concept_folder
from eleven.mix import Mix, Part
from eleven.suggestions.probe import least_squares, mean_overlap, overlap
from eleven.suggestions.suggesting import examine

PROMPT = "photo of cat"
PHOTOS = [np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8) for seed in range(4)]
KINDS = ("sd1", "sd2", "sdxl", "sd3", "flux")


def mix(path, strength=1.0):
    return Mix(parts=(Part(file=str(path), strength=strength),))


def last_layer(path, seed):
    """A whole difference of the denoiser's last layer, in which predictions are linear."""
    drawn = torch.randn(4, 16, 3, 3, generator=torch.Generator().manual_seed(seed)) * 0.1
    save_file({"lora_unet_conv_out.diff": drawn}, path)
    return path


@pytest.fixture
def opened(base_of, monkeypatch):
    """An engine on a tiny base that is made for small pictures."""
    engines = []

    def make(family, batch=4):
        base = base_of(family)
        monkeypatch.setitem(vars(base), "size", (32, 32))
        engines.append(DiffusersEngine(base, Settings(batch=batch)))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def adapters(tmp_path):
    def make(engine, *seeds):
        found = targets(engine.weights.family, "kohya")
        return [mix(lora(tmp_path / f"{seed}.safetensors", found, seed=seed)) for seed in seeds]

    return make


@pytest.fixture
def linear(opened, tmp_path):
    """An engine, two models that change one linear layer, and inputs."""
    engine = opened("sd1")
    mixes = [mix(last_layer(tmp_path / f"{seed}.safetensors", seed)) for seed in (1, 2)]
    return engine, mixes, noised(engine, PHOTOS, PROMPT)


@pytest.mark.parametrize("family", KINDS)
def test_every_family_is_probed_in_every_band(opened, adapters, family):
    engine = opened(family)
    before = {name: weight.clone() for name, weight in engine.weights.parameters.items()}
    found = probe(engine, adapters(engine, 1, 2), noised(engine, PHOTOS, PROMPT))
    assert [(band.name, band.low, band.high) for band in found.bands] == list(BANDS)
    for band in found.bands:
        gram = np.array(band.gram)
        assert np.array_equal(gram, gram.T)
        assert np.linalg.eigvalsh(gram).min() > 0
        assert len(band.target) == 2
        assert band.error > 0
    engine.switch(None)
    assert all(torch.equal(before[name], weight) for name, weight in engine.weights.parameters.items())


def test_a_model_is_like_itself_and_unlike_its_opposite(linear):
    engine, (one, _), inputs = linear
    assert mean_overlap(probe(engine, [one, one], inputs)) == pytest.approx(1, abs=1e-6)
    opposite = together([one], [-1])
    assert mean_overlap(probe(engine, [one, opposite], inputs)) == pytest.approx(-1, abs=1e-5)


def test_strength_scales_the_change(linear, opened, adapters):
    engine, (one, _), inputs = linear
    (small,) = adapters(engine, 3)
    for given, near in ((one, 1e-3), (together([small], [0.02]), 0.1)):
        whole, half = (np.array(probe(engine, [together([given], [by])], inputs).bands[1].gram) for by in (1, 0.5))
        assert whole[0, 0] > 0
        assert half / whole == pytest.approx(0.25, rel=near)


@pytest.mark.parametrize("family", ["sd2", "flux"])
def test_probes_are_the_same_each_time_and_in_any_batch(opened, adapters, family):
    found = []
    for batch in (1, 5, 5):
        engine = opened(family, batch)
        found.append(products(engine, adapters(engine, 1, 2), noised(engine, PHOTOS, PROMPT)))
        engine.close()
    alone, several, again = found
    assert np.array_equal(several.grams, again.grams)
    assert np.array_equal(alone.sources, several.sources)
    assert np.allclose(alone.grams, several.grams, rtol=1e-4)
    assert np.allclose(alone.targets, several.targets, rtol=1e-3, atol=1e-4)


def test_photos_of_other_shapes_lie_in_batches_of_their_own(opened, adapters):
    engine = opened("sdxl")
    wide = np.zeros((16, 64, 3), np.uint8)
    inputs = noised(engine, [*PHOTOS, wide], PROMPT)
    assert sum(len(batch.sources) for batch in inputs) == EACH * len(BANDS)
    assert {tuple(batch.latents.shape[2:]) for batch in inputs} == {(16, 16), (8, 32)}
    assert len(probe(engine, adapters(engine, 1), inputs).bands) == 3


def test_text_encoders_and_words_count(opened, tmp_path):
    engine = opened("sd1")
    found = targets(engine.weights.family, "kohya", ("q_proj", "v_proj"), parts=["text_encoder"])
    reader = mix(lora(tmp_path / "reader.safetensors", found, seed=1))
    taught = mix(word(tmp_path / "cat.safetensors", {"emb_params": 32}, seed=2))
    gram = np.array(probe(engine, [reader, taught], noised(engine, PHOTOS, "photo of cat")).bands[0].gram)
    assert gram.diagonal().min() > 0
    gram = np.array(probe(engine, [reader, taught], noised(engine, PHOTOS, "photo")).bands[0].gram)
    assert gram[0, 0] > 0 == gram[1, 1]


def test_least_squares_finds_the_mix_that_made_the_truth(linear):
    engine, mixes, inputs = linear
    engine.switch(engine.combination(together(mixes, [0.6, 0.2])))
    with torch.no_grad():
        made = [replace(batch, truth=batch.predict(engine)) for batch in inputs]
    found = products(engine, mixes, made)
    assert least_squares(found.probe()) == pytest.approx((0.6, 0.2), abs=1e-3)
    assert clear_ratios(found) == pytest.approx((0.625, 0.375), abs=1e-3)


def test_ratios_are_told_only_where_they_are_clear(linear):
    engine, (one, other), inputs = linear
    assert clear_ratios(products(engine, [one, one], inputs)) == ()
    assert clear_ratios(products(engine, [one], inputs)) == ()
    pictures = recorded(engine, one, [Shot(PROMPT, seed, steps=3) for seed in range(3)])
    assert clear_ratios(products(engine, [one, other], pictures)) == ()


def test_what_pictures_are_made_from_is_recorded_by_band(linear):
    engine, (one, other), _ = linear
    inputs = recorded(engine, one, [Shot(PROMPT, seed, steps=6, guidance=3.0, sampler="DDIM") for seed in range(2)])
    assert [batch.band for batch in inputs] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(len(batch.sources) == 2 for batch in inputs)
    found = probe(engine, [one, one, other], inputs)
    alike = np.array(overlap(found))
    assert alike[0, 1] == pytest.approx(1, abs=1e-6)
    assert abs(alike[0, 2]) < 0.9
    assert all(band.target == () and band.error == 0 for band in found.bands)


def test_without_photos_pictures_stand_for_them(linear, monkeypatch):
    engine, mixes, _ = linear
    shot = Shot(PROMPT, 5, steps=3)
    assert {type(one).__name__ for one in inputs_for(engine, mixes, PHOTOS, shot)} == {"Noised"}
    assert {type(one).__name__ for one in inputs_for(engine, mixes, [], shot)} == {"Recorded"}
    monkeypatch.setattr(engine.base.pipeline, "vae", None)
    assert not can_be_noised(engine)
    with pytest.raises(UsageError, match="single predictions"):
        noised(engine, PHOTOS, PROMPT)


def test_one_linear_layer_adds_up(linear):
    engine, mixes, inputs = linear
    half, whole = additivity(engine, mixes, [2, 1], [0.7, 1.4], inputs)
    assert max(half.non_additivity, whole.non_additivity) < 1e-4
    assert whole.gain == pytest.approx(2 * half.gain, rel=1e-3)
    assert whole.along == pytest.approx(2 * half.along, rel=1e-2)
    (alone,) = additivity(engine, mixes[:1], [1], [1.0], inputs)
    assert alone.gain == pytest.approx(1)


def test_many_layers_do_not_add_up(opened, adapters):
    engine = opened("sd1")
    small, large = additivity(engine, adapters(engine, 1, 2), [1, 1], [1.0, 3.0], noised(engine, PHOTOS, PROMPT))
    assert 0 < small.non_additivity < large.non_additivity


def test_what_cannot_be_probed_is_told(linear, tmp_path):
    engine, mixes, inputs = linear
    with pytest.raises(UsageError, match="0 models"):
        probe(engine, [], inputs)
    with pytest.raises(UsageError, match="on 0 inputs"):
        probe(engine, mixes, [])
    with pytest.raises(UsageError, match="no photos"):
        noised(engine, [], PROMPT)
    for shares in ([1.0], [1.0, -1.0], [0.0, 0.0], []):
        with pytest.raises(UsageError, match="do not fit 2 models"):
            additivity(engine, mixes, shares, [1.0], inputs)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(FileError, match=r"broken\.png"), open_probe(Setup("lab"), [], tmp_path, "", print, print):
        pass


def test_a_base_is_probed_by_name(tmp_path):
    models = [concept_folder("ada") / f"ada-{kind}.safetensors" for kind in ("lora-a", "lora-b")]
    heard = []
    setup, photos = Setup("lab", "cpu", batch=24), concept_folder("ada") / "references"
    with open_probe(setup, models, photos, "sks person", heard.append, lambda *now: heard.append(now)) as asked:
        found, reading = asked.probe, concluded(examine(models), asked).reading
    assert heard == [(number, 9) for number in range(1, 10)]
    assert 0.3 < mean_overlap(found) < 0.9
    assert sum(least_squares(found)) > 0.1
    assert reading is not None
    assert 0 < (reading.additivity or 0) < 1
    assert reading.gain == pytest.approx(reading.effect, rel=0.2)
