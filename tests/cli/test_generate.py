"""`eleven generate` as a user meets it, with an engine whose pixels tell the mix."""

from __future__ import annotations

import errno
import json
import os
import shlex
from contextlib import contextmanager

import numpy as np
import pytest
from measured_recipe import recipe_with_effects
from pictures_for_tests import FakeEngine, corner
from PIL import Image
from tiny_adapters import lora, targets
from tiny_pipelines import tiny_pipeline

from eleven.bases.opening import open_base
from eleven.cli import generating
from eleven.cli.main import run
from eleven.engines.diffusers import DiffusersEngine
from eleven.files.hashes import hashes, identity
from eleven.sheets.infotext import read_infotext
from eleven.sheets.png import read_recipe, read_texts
from eleven.sheets.recipe import Origin
from models import one_layer, write_layer


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """The engine that every command opens, two fine-tunes a and b, and the folder to work in."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("ab"):
        write_layer(tmp_path / f"{name}.safetensors", one_layer(seed)["lora"])
    fake = FakeEngine()

    @contextmanager
    def opened(setup, tell):
        fake.setup, fake.base = setup, None
        yield fake

    monkeypatch.setattr(generating, "open_engine", opened)
    monkeypatch.setattr(generating, "origin_of", lambda _: Origin("sd15", "ab" * 32, "float32", "abababab00"))
    return fake


A, B = "a.safetensors:0.7", "b.safetensors:0.3"


def generate(*words, code=0, seeds="1-3"):
    """A command that ends with this code."""
    assert run(["generate", "--base", "sd15", "--prompt", "a photo", "--seeds", seeds, "--to", "out", *words]) == code


def failing(capsys, *words, code=2, **more):
    """What a command that fails tells."""
    generate(*words, code=code, **more)
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert "error: " in told.err
    return told.err


def test_pictures_a_sheet_and_a_record_are_written(engine, tmp_path, capsys):
    generate(A, B)
    assert capsys.readouterr().out == "out: 3 pictures, sheet.png\n"
    pictures = sorted((tmp_path / "out").glob("0*.png"))
    assert [corner(path) for path in pictures] == [[70, 30, 1], [70, 30, 2], [70, 30, 3]]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "sheet.png", "shots.json", *(path.name for path in pictures),
    }  # fmt: skip
    text = read_infotext(read_texts(pictures[0])["parameters"])
    assert [str(tag) for tag in text.tags] == ["<lora:a:0.7>", "<lora:b:0.3>"]
    assert read_recipe(pictures[0]).mix.parts[0].file == "a.safetensors"


def test_base_alone_needs_no_part(engine, capsys):
    generate()
    assert {mix for mix, _ in engine.taken} == {None}
    assert "3 pictures, sheet.png" in capsys.readouterr().out


def test_options_reach_the_shots_and_the_engine(engine):
    words = ["--negative", "fog", "--steps", "5", "--guidance", "3.5", "--sampler", "Euler a", "--schedule", "Karras"]
    words += ["--size", "64x32", "--clip-skip", "2", "--batch", "2", "--device", "cpu", "--dtype", "fp32"]
    generate(A, *words, "--low-memory", "--download", seeds="9")
    ((_, shot),) = engine.taken
    assert (shot.negative, shot.steps, shot.guidance, shot.sampler, shot.schedule) == (
        "fog", 5, 3.5, "Euler a", "Karras",
    )  # fmt: skip
    assert (shot.seed, shot.width, shot.height, shot.clip_skip, shot.prompt) == (9, 64, 32, 2, "a photo")
    assert engine.setup == generating.Setup("sd15", "cpu", "fp32", 2, low_memory=True, download=True)


def test_several_prompts_and_a_file_of_them(engine, tmp_path):
    (tmp_path / "prompts.txt").write_text("two\nthree\n")
    generate(A, "--prompt", "one", "--prompts", "prompts.txt", seeds="1")
    assert [shot.prompt for _, shot in engine.taken] == ["a photo", "one", "two", "three"]


def test_grid_has_a_picture_for_every_value_and_the_baseline(engine, tmp_path, capsys):
    generate(A, B, "--grid", "a=0..1/0.5", "--grid", "b.te=0,1", seeds="7")
    assert "7 pictures, grid.png" in capsys.readouterr().out
    mixes = [mix for mix, _ in engine.taken]
    assert mixes[0] is None
    assert [(mix.parts[0].strength, mix.parts[1].at["te"]) for mix in mixes[1:]] == [
        (0, 0), (0.5, 0), (1, 0), (0, 1), (0.5, 1), (1, 1),
    ]  # fmt: skip
    with Image.open(tmp_path / "out" / "grid.png") as image:
        assert image.width > 3 * 144


def test_grid_without_a_baseline(engine):
    generate(A, "--grid", "total=0.5,1", "--no-baseline", seeds="7")
    assert [mix.parts[0].strength for mix, _ in engine.taken] == [0.5, 1]


def test_detail_moves_strength_by_what_a_study_has_measured(engine, tmp_path, capsys):
    recipe = recipe_with_effects(tmp_path)
    generate(recipe, "--detail", "0.5", seeds="1")
    assert "--detail 0.5: a.safetensors 0.49, b.safetensors 0.91" in capsys.readouterr().err
    generate(recipe, "--detail", "-0.5", "--detail-steps", "--force", seeds="1")
    generate(A, "--detail", "1", "--detail-steps", "--force", seeds="1")
    told = [[(part.strength, part.rise) for part in mix.parts] for mix, _ in engine.taken]
    assert told == [[(0.49, 0), (0.91, 0)], [(0.91, -0.15), (0.49, -0.15)], [(0.7, 0.3)]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([A, "--detail", "0.5"], "nothing tells what each model carries"),
        (["--detail", "0.5"], "no part to steer"),
        ([A, "--detail-steps"], "without --detail"),
        ([A, "--detail", "1.5"], "less than or equal to 1"),
    ],
)
def test_detail_that_nothing_can_steer_is_refused(engine, words, told, capsys):
    assert told in failing(capsys, *words)
    assert not engine.taken


def test_rerun_makes_nothing_again_and_more_seeds_the_rest(engine, capsys):
    generate(A)
    generate(A)
    assert len(engine.taken) == 3
    assert capsys.readouterr().out.splitlines()[1] == "out: 3 pictures (3 of them made before), sheet.png"
    generate(A, seeds="1-5")
    assert [shot.seed for _, shot in engine.taken] == [1, 2, 3, 4, 5]


def test_interrupted_command_says_how_to_go_on_and_does(engine, capsys):
    engine.stop_after = 2
    generate(A, "--prompt", "it's", "--force", code=130)
    told = capsys.readouterr().err
    assert "2 of 6 pictures are there. Go on with:" in told
    line = next(line for line in told.splitlines() if "eleven generate" in line)
    engine.stop_after = None
    assert run(shlex.split(line)[1:]) == 0
    assert len(engine.taken) == 6


def test_json_lists_every_picture(engine, capsys):
    generate(A, "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["to"], told["made"], told["sheets"]) == ("out", 3, ["sheet.png"])
    assert [one["shot"]["seed"] for one in told["pictures"]] == [1, 2, 3]
    assert told["pictures"][0]["mix"]["parts"][0]["strength"] == 0.7


def test_pictures_can_tell_nothing(engine, tmp_path):
    generate(A, "--no-metadata")
    assert all(read_texts(path) == {} for path in (tmp_path / "out").glob("*.png"))


def test_parts_can_be_tags(engine):
    generate("<lora:a:0.4> <lora:b:te=0.1:unet=0.2>", "--models", ".")
    mix = engine.taken[0][0]
    assert [(part.strength, part.at) for part in mix.parts] == [(0.4, {}), (0.2, {"te": 0.1})]


def test_recipe_is_a_mix_and_its_hashes_are_checked(engine, tmp_path, capsys):
    (tmp_path / "mix.toml").write_text('[[parts]]\nfile = "a.safetensors"\nstrength = 0.5\n')
    generate("mix.toml")
    assert engine.taken[0][0].parts[0].strength == 0.5
    (tmp_path / "mix.toml").write_text(f'[[parts]]\nfile = "a.safetensors"\nsha256 = "{"0" * 64}"\n')
    assert "is not the file that the recipe was made with" in failing(capsys, "mix.toml")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([A, "--grid", "z=1"], "no part is called 'z'"),
        ([A, "--grid", "a=0..1"], "LOW..HIGH/STEP"),
        (["--grid", "a=1"], "there is no part to vary"),
        ([A, "--size", "500"], "WIDTHxHEIGHT"),
        ([A, "--prompts", "no.txt"], "no.txt: cannot be read"),
        ([A, "--prompt", "<lora:x:1>"], "Give it as a part"),
        (["no.safetensors"], "no.safetensors"),
        (["<lora:no:1>"], "no model named 'no'"),
        ([A, "--sampler", "Eulr"], "Did you mean 'Euler'?"),
        ([A, "--steps", "0"], "--steps"),
        ([A, "--guidance", "nan"], "guidance"),
        ([A, "--batch", "0"], "--batch"),
        ([A, "--clip-skip", "0"], "--clip-skip"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_made(engine, tmp_path, capsys, words, told):
    assert told in failing(capsys, *words)
    assert not (tmp_path / "out").exists()
    assert engine.taken == []


def test_seeds_and_prompts_are_needed(engine, capsys):
    assert run(["generate", "--base", "sd15", "--to", "out"]) == 2
    assert "there is no prompt" in capsys.readouterr().err
    assert "--seeds is '8-1'" in failing(capsys, A, seeds="8-1")


def test_folder_of_another_command_is_kept(engine, capsys):
    generate(A)
    assert "holds the pictures of another command" in failing(capsys, B, code=1)
    generate(B, "--force")


def test_full_disk_leaves_what_was_made(engine, tmp_path, monkeypatch, capsys):
    write, written = os.pwrite, []

    def pwrite(file, data, position):
        written.append(len(data))
        if len(written) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data, position)

    monkeypatch.setattr(os, "pwrite", pwrite)
    told = failing(capsys, A, code=1)
    assert "No space left on device" in told
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    generate(A)
    assert len(engine.taken) == 4


def test_folder_that_is_a_file_is_told(engine, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert "cannot be made a folder" in failing(capsys, A, code=1)


def test_errors_as_json(engine, capsys):
    generate(A, "--grid", "z=1", "--json", code=2)
    assert "no part is called" in json.loads(capsys.readouterr().out)["error"]["cause"]


@pytest.fixture(scope="module")
def sd1(tmp_path_factory):
    """A tiny SD 1 pipeline as a diffusers folder, and a LoRA of it in kohya's names beside it."""
    home = tmp_path_factory.mktemp("sd1")
    folder = tiny_pipeline("sd1", home / "base")
    base = open_base(folder, device="cpu")
    with DiffusersEngine(base) as engine:
        lora(home / "eve.safetensors", targets(engine.weights.family, "kohya"), seed=1)
    return home


def test_a_real_base_gives_the_pictures_that_its_engine_takes(sd1, monkeypatch, capsys):
    monkeypatch.chdir(sd1)
    words = ["generate", "--base", "base", "eve.safetensors:0.7", "--prompt", "(eve:1.2) smiles", "--seeds", "3,4"]
    assert run([*words, "--steps", "2", "--grid", "a=0,0.7", "--to", "out", "--device", "cpu", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["made"], told["sheets"]) == (4, ["grid.png"])
    with DiffusersEngine(open_base("base", device="cpu")) as engine:
        for one in told["pictures"]:
            recipe = read_recipe(sd1 / "out" / one["file"])
            assert recipe.digest == one["digest"]
            (picture,) = engine.take(recipe.mix, [recipe.shot])
            with Image.open(sd1 / "out" / one["file"]) as image:
                assert np.abs(np.asarray(image).astype(int) - picture.pixels).max() <= 1
    assert recipe.base.sha256 == identity(sd1 / "base")
    assert recipe.base.dtype == "float32"
    text = read_infotext(read_texts(sd1 / "out" / told["pictures"][2]["file"])["parameters"])
    assert text.parameters["Lora hashes"] == f"eve: {hashes('eve.safetensors')['addnet'][:12]}"
    assert "Model hash" not in text.parameters


def test_a_base_that_is_not_there_is_told(sd1, monkeypatch, capsys):
    monkeypatch.chdir(sd1)
    assert run(["generate", "--base", "no", "--prompt", "x", "--seeds", "1", "--to", "nothing", "--device", "cpu"]) == 2
    assert "no" in capsys.readouterr().err
    assert not (sd1 / "nothing").exists()
