"""What ships of the lab: a base that plain diffusers loads and draws with, and an eye that sees what it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from eleven.bases.opening import open_base
from eleven.engines.diffusers import DiffusersEngine, Settings
from eleven.engines.engine import Shot
from eleven.lab.captions import caption, surroundings
from eleven.lab.eye import QUESTIONS, blurred, open_eye
from eleven.lab.person import draw_person, look_alike
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import BACKGROUNDS, draw_scene
from eleven.lab.shipped import base_folder
from eleven.layers.recognise import recognise

PEOPLE = range(9_500_000, 9_500_060)


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def portraits(offset=0, change=lambda person, seed: person):
    return np.stack([draw_portrait(change(draw_person(seed), seed), draw_scene(seed + offset)) for seed in PEOPLE])


@pytest.fixture(scope="module")
def eye():
    return open_eye()


def test_base_and_eye_are_small():
    assert size_of(base_folder()) <= 25e6
    assert (base_folder().parent / "eye.safetensors").stat().st_size <= 5e6


def test_plain_diffusers_loads_the_base():
    pipe = StableDiffusionPipeline.from_pretrained(base_folder())
    pipe.set_progress_bar_config(disable=True)
    with torch.no_grad():
        drawn = pipe("photo of a cat", num_inference_steps=2, generator=torch.Generator().manual_seed(1))
    assert drawn.images[0].size == (96, 96)


def test_the_lab_is_a_base_by_its_name_and_its_layers_are_those_of_the_family():
    with_name = open_base("lab", device="cpu")
    assert with_name.size == (96, 96)
    unet = {name: tuple(weight.shape) for name, weight in with_name.components["unet"].named_parameters()}
    modules = {f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}": (shape[0], int(np.prod(shape[1:])))
               for name, shape in unet.items() if name.endswith("to_q.weight")}  # fmt: skip
    found = recognise(modules)
    assert found.family is not None
    assert found.family.name == "lab"


def test_the_base_draws_what_it_is_told():
    engine, eye = DiffusersEngine(open_base("lab", device="cpu"), Settings(batch=16)), open_eye()
    scenes = [replace(draw_scene(seed), hat="") for seed in range(9_600_000, 9_600_016)]
    prompts = [", ".join(["photo of a person", *surroundings(scene)]) for scene in scenes]
    shots = [Shot(prompt, seed, steps=10, guidance=3.0) for seed, prompt in enumerate(prompts)]
    look = eye.look(np.stack([picture.pixels for picture in engine.take(None, shots)]))
    for question, least in {"background": 15, "shirt": 14, "expression": 9}.items():
        right = sum(a == getattr(scene, question) for a, scene in zip(look.told(question), scenes, strict=True))
        assert right >= least, question


def test_the_eye_answers_its_questions_on_people_it_never_saw(eye):
    look = eye.look(portraits())
    for question in QUESTIONS:
        right = [a == getattr(draw_scene(seed), question) for a, seed in zip(look.told(question), PEOPLE, strict=True)]
        assert np.mean(right) >= 0.95, question
    assert set(look.told("background")) <= set(BACKGROUNDS)


@pytest.mark.parametrize("part", ["overall", "detail"])
def test_the_eye_tells_people_apart(eye, part):
    first, again = (getattr(eye.look(portraits(offset)), part) for offset in (0, 1000))
    alike = (first @ again.T).numpy()
    same, other = alike.diagonal(), alike[~np.eye(len(alike), dtype=bool)]
    assert np.mean(same[:, None] > other[None, :]) >= 0.99


def test_blur_takes_detail_and_a_look_alike_is_another(eye):
    first, again = eye.look(portraits()), portraits(1000)
    soft = blurred(torch.from_numpy(again).permute(0, 3, 1, 2).float(), 1.5).permute(0, 2, 3, 1)
    clear, hazy = eye.look(again), eye.look(soft.round().byte().numpy())
    twin = eye.look(portraits(1000, lambda person, seed: look_alike(person, seed + 77)))

    def likeness(look, part):
        return float((getattr(first, part) * getattr(look, part)).sum(1).mean())

    assert likeness(clear, "detail") - likeness(hazy, "detail") > 0.1
    assert likeness(clear, "overall") - likeness(hazy, "overall") < 0.06
    assert likeness(clear, "overall") - likeness(twin, "overall") > 0.1


def test_captions_of_the_eyes_people_are_in_the_bases_words():
    pipe = open_base("lab", device="cpu").pipeline
    for seed in PEOPLE:
        words = caption(draw_person(seed), draw_scene(seed), seed).replace(",", " ,").split()
        assert len(pipe.tokenizer(" ".join(words)).input_ids) == len(words) + 2
