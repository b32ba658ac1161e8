"""Pictures are diffusers' own, where diffusers can make them."""

from __future__ import annotations

import warnings

import pytest
import tiny_adapters as tiny
from pictures import SHOTS, furthest, mix_of, of_diffusers

from eleven.bases.opening import open_base
from eleven.bases.quiet import quiet
from eleven.engines.diffusers import DiffusersEngine, Settings

FAMILIES = ("sd1", "sd2", "sdxl", "sd3", "flux")


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_without_a_mix_are_the_pipelines_own(base_of, family):
    base = base_of(family)
    with DiffusersEngine(base, Settings(batch=2)) as engine:
        made = list(engine.take(None, SHOTS))
    assert [picture.shot for picture in made] == SHOTS
    for picture in made:
        assert furthest(picture.pixels, of_diffusers(base.pipeline, picture.shot)) <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_loras_give_the_pictures_of_diffusers_own_adapters(base_of, folder_of, tmp_path, family):
    with DiffusersEngine(base_of(family)) as engine:
        found = tiny.targets(engine.weights.family, "diffusers")
        files = [tiny.lora(tmp_path / f"{at}.safetensors", found, seed=at, names=tiny.DIFFUSERS) for at in (1, 2)]
        made = next(engine.take(mix_of(*zip(files, (0.7, -0.5), strict=True)), SHOTS[:1]))
        plain = next(engine.take(None, SHOTS[:1]))
    other = open_base(folder_of(family), device="cpu").pipeline
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, file in zip("ab", files, strict=True):
            other.load_lora_weights(file, adapter_name=name)
    other.set_adapters(["a", "b"], [0.7, -0.5])
    assert furthest(made.pixels, of_diffusers(other, SHOTS[0])) <= 1
    assert furthest(made.pixels, plain.pixels) > 9


@pytest.mark.parametrize("family", FAMILIES)
def test_kohyas_files_give_the_pictures_of_the_same_changes_in_diffusers_names(base_of, tmp_path, family):
    """Diffusers itself reads no kohya file of text encoders beside transformers 5, and none of such small models."""
    with DiffusersEngine(base_of(family)) as engine:
        own = engine.weights.family
        kohya = tiny.lora(tmp_path / "kohya.safetensors", tiny.targets(own, "kohya"), seed=1)
        renamed = tmp_path / "renamed.safetensors"
        tiny.renamed(kohya, renamed, own)
        first, second = (next(engine.take(mix_of((file, 0.8)), SHOTS[:1])) for file in (kohya, renamed))
        plain = next(engine.take(None, SHOTS[:1]))
    assert furthest(first.pixels, second.pixels) <= 1
    assert furthest(first.pixels, plain.pixels) > 9


@pytest.mark.parametrize("family", FAMILIES)
def test_lycoris_files_give_the_pictures_of_the_same_changes_as_a_lora(base_of, tmp_path, family):
    """Kronecker products, also of kohya's fused q, k and v, beside their own rows written out."""
    with DiffusersEngine(base_of(family)) as engine:
        own = engine.weights.family
        found = [at for at in tiny.targets(own, "kohya", ("to_q", "fc1", "ff.net.2")) if len(at.shape) == 2]
        lycoris = tiny.lokr(tmp_path / "lokr.safetensors", found, seed=1)
        written_out = tiny.written_out(lycoris, tmp_path / "whole.safetensors", own)
        first, second = (next(engine.take(mix_of((file, 0.8)), SHOTS[:1])) for file in (lycoris, written_out))
        plain = next(engine.take(None, SHOTS[:1]))
    assert furthest(first.pixels, second.pixels) <= 1
    assert furthest(first.pixels, plain.pixels) > 2
