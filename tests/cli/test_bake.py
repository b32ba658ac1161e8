"""`eleven bake` as a user meets it: exit codes, errors, JSON, and what is left when it is killed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from measured_recipe import recipe_with_effects
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from eleven.cli.main import run
from eleven.mix import Mix

SD1 = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_"
SDXL = "lora_unet_input_blocks_7_1_transformer_blocks_5_attn1_"


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def lora(path: Path, *modules: str, size=320, seed=0, **more) -> str:
    tensors = dict(more)
    for at, module in enumerate(modules):
        tensors[f"{module}.lora_up.weight"] = normal(size, 4, seed=seed + at)
        tensors[f"{module}.lora_down.weight"] = normal(4, size, seed=seed + at + 1)
    save_file(tensors, path)
    return str(path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lora(tmp_path / "a.safetensors", f"{SD1}to_q", f"{SD1}to_k")
    lora(tmp_path / "b.safetensors", f"{SD1}to_q", f"{SD1}to_v", seed=9)
    return tmp_path


def failing(capsys, *words, code=2):
    """What a command that fails tells: its cause and its hint."""
    assert run(["bake", *words]) == code
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert lines[0].startswith("error: ")
    assert "Traceback" not in told.err
    return " ".join(line.partition(": ")[2] for line in lines)


def test_a_rise_cannot_be_baked_and_detail_needs_a_study(here, capsys):
    told = failing(capsys, "a.safetensors:0.7,rise=0.5", "--to", "out.safetensors")
    assert "a rise of 0.5 over the steps cannot be written into a file" in told
    assert "--detail-steps" in told
    assert "mix.toml" in failing(capsys, "a.safetensors:0.7", "--detail", "0.5", "--to", "out.safetensors")
    assert not (here / "out.safetensors").exists()
    assert run(["bake", recipe_with_effects(here), "--detail", "0.5", "--to", "out.safetensors"]) == 0
    with safe_open(here / "out.safetensors", "pt") as file:
        mix = Mix.from_json(file.metadata()["eleven.recipe"])
    assert {part.file: part.strength for part in mix.parts} == {"a.safetensors": 0.49, "b.safetensors": 0.91}


def test_one_share_for_the_negative_prompt_is_told_beside_the_file(here, capsys):
    parts = [f"{name}.safetensors:0.5,negative=0.4" for name in "ab"]
    assert run(["bake", *parts, "--to", "out.safetensors"]) == 0
    assert "a share of 0.4 of its strength for the negative prompt" in capsys.readouterr().err
    with safe_open(here / "out.safetensors", "pt") as file:
        assert not Mix.from_json(file.metadata()["eleven.recipe"]).is_live
    told = failing(capsys, parts[0], "b.safetensors:0.5,negative=0.3", "--to", "other.safetensors")
    assert "a share of 0.4 for the negative prompt cannot be written" in told


def test_mix_is_written_and_told(here, capsys):
    assert run(["bake", "a.safetensors:0.7", "b.safetensors:-0.3", "--to", "out.safetensors"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("out.safetensors: 3 layers, relative error ")
    assert "energy kept 100 %" in told
    assert set(load_file("out.safetensors")) > {f"{SD1}to_v.lora_up.weight"}


def test_json_is_one_object_with_every_layer(here, capsys):
    words = ["bake", "a.safetensors:0.5", "b.safetensors:0.5", "--to", "out.safetensors", "--rank", "2", "--json"]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"path", "tolerance", "error", "kept", "applied", "not_applied", "layers", "skipped"}
    assert told["path"] == "out.safetensors"
    assert {layer["form"] for layer in told["layers"]} == {"rank 2"}
    assert all(0 < layer["error"] < 1 for layer in told["layers"])


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_error_above_the_tolerance_leaves_with_1_and_the_file(here, capsys, extra):
    words = ["bake", "a.safetensors", "--to", "out.safetensors", "--rank", "1", "--tolerance", "0.1", *extra]
    assert run(words) == 1
    told = capsys.readouterr()
    assert "is above the tolerance 1.00e-01" in told.err
    assert "the file was written" in told.err
    assert (here / "out.safetensors").is_file()
    if extra:
        assert json.loads(told.out)["tolerance"] == 0.1


def test_tolerance_of_0_is_one(here, capsys):
    assert run(["bake", "a.safetensors", "--to", "out.safetensors", "--tolerance", "0"]) == 1
    assert "above the tolerance 0.00e+00" in capsys.readouterr().err


def test_existing_files_are_kept_without_force(here, capsys):
    (here / "out.safetensors").write_text("mine")
    assert "exists already" in failing(capsys, "a.safetensors", "--to", "out.safetensors", code=1)
    assert (here / "out.safetensors").read_text() == "mine"
    assert run(["bake", "a.safetensors", "--to", "out.safetensors", "--force"]) == 0
    assert sorted(path.name for path in here.iterdir()) == ["a.safetensors", "b.safetensors", "out.safetensors"]


@pytest.mark.parametrize("kind", ["same", "symlink", "hard link", "recipe", "in a folder"])
def test_output_never_replaces_an_input(here, capsys, kind):
    words = ["a.safetensors", "--to", "a.safetensors"]
    if kind == "symlink":
        (here / "alias.safetensors").symlink_to(here / "a.safetensors")
        words[-1] = "alias.safetensors"
    elif kind == "hard link":
        os.link(here / "a.safetensors", here / "alias.safetensors")
        words[-1] = "alias.safetensors"
    elif kind == "recipe":
        (here / "mix.json").write_text(json.dumps({"parts": [{"file": "a.safetensors"}]}))
        words = ["mix.json", "--to", "mix.json"]
    elif kind == "in a folder":
        (here / "tuned").mkdir()
        lora(here / "tuned" / "adapter_model.safetensors", "base_model.model.x")
        (here / "tuned" / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 4}))
        words = ["tuned", "--to", "tuned/adapter_model.safetensors"]
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert "is one of the inputs" in failing(capsys, *words, "--force", code=1)
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_methods_and_their_options_are_passed_on(here, capsys):
    ties = ["bake", "a.safetensors", "b.safetensors", "--method", "ties"]
    assert run([*ties, "--option", "density=0.3", "--to", "ties.safetensors", "--dtype", "fp32"]) == 0
    with safe_open("ties.safetensors", "pt") as file:
        recipe = json.loads(file.metadata()["eleven.recipe"])
        diff = file.get_tensor(f"{SD1}to_k.diff")
    assert (recipe["method"], recipe["options"]) == ("ties", {"density": 0.3})
    assert float((diff != 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert "ties has no option 'dense'. It has density." in failing(
        capsys, *ties[1:], "--option", "dense=1", "--to", "x.safetensors"
    )
    assert "--option is 'density'. Write NAME=VALUE." in failing(
        capsys, *ties[1:], "--option", "density", "--to", "x.safetensors"
    )
    assert "Did you mean ties?" in failing(capsys, *ties[1:3], "--method", "tie", "--to", "x.safetensors")


def test_unknown_keys_are_refused_unless_ignored(here, capsys):
    lora(here / "odd.safetensors", f"{SD1}to_q", strange=torch.ones(2))
    told = failing(capsys, "odd.safetensors", "--to", "out.safetensors")
    assert told.startswith(
        "odd.safetensors: no layer is known for 1 of its tensors (first: strange). Use --ignore-unknown"
    )
    assert run(["bake", "odd.safetensors", "--to", "out.safetensors", "--ignore-unknown"]) == 0


def test_parts_that_do_not_fit_together_are_refused(here, capsys):
    lora(here / "xl.safetensors", f"{SDXL}to_q", size=1280)
    told = failing(capsys, "a.safetensors", "xl.safetensors", "--to", "out.safetensors")
    assert told.startswith("a.safetensors is for Stable Diffusion 1, xl.safetensors for Stable Diffusion XL.")
    lora(here / "other.safetensors", f"{SD1}to_out_0")
    told = failing(capsys, "a.safetensors", "other.safetensors", "--to", "out.safetensors")
    assert told.startswith("a.safetensors and other.safetensors have no layer in common.")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.safetensors:x"], "'x' is not a strength between -100 and 100"),
        (["a.safetensors:101"], "'101' is not a strength"),
        (["a.safetensors:unte=0.5"], "nothing in Stable Diffusion 1 is addressed by 'unte'. Choose from IN00, IN01"),
        (["missing.safetensors"], "missing.safetensors"),
        (["<lora:missing:1>"], "no model named 'missing' was found in no folder given"),
        (["a.safetensors", "--rank", "0"], "--rank is '0'. It is `exact` or a positive number."),
        (["a.safetensors", "--energy", "1.5"], "--energy is 1.5. It is a share: above 0, at most 1."),
        (["a.safetensors", "--dtype", "int8"], "there is no dtype 'int8'."),
        (["a.safetensors", "--dialect", "a1111"], "adapters are not written as 'a1111'."),
        (["a.safetensors", "--tolerance", "-1"], "'--tolerance': Input should be greater than or equal to 0"),
        (["a.safetensors:0"], "the mix changes nothing."),
        (["a" * 300], "File name too long"),
    ],
)
def test_wrong_requests_leave_with_2_and_say_what_is_wrong(here, capsys, words, told):
    assert told in failing(capsys, *words, "--to", "out.safetensors")
    assert not (here / "out.safetensors").exists()


def test_recipe_with_the_hash_of_another_file_is_refused(here, capsys):
    (here / "mix.json").write_text(json.dumps({"parts": [{"file": "a.safetensors", "sha256": "0" * 64}]}))
    assert "is not the file that the recipe was made with" in failing(capsys, "mix.json", "--to", "out.safetensors")


def test_folders_that_cannot_be_written_are_told(here, capsys):
    told = failing(capsys, "a.safetensors", "--to", "no/out.safetensors", code=1)
    assert told.startswith("the folder no does not exist.")
    told = failing(capsys, "a.safetensors", "--to", "b.safetensors/x.safetensors", code=1)
    assert told.startswith("the folder b.safetensors does not exist.")
    (here / "folder").mkdir()
    for more in ([], ["--force"]):
        assert failing(capsys, "a.safetensors", "--to", "folder", *more, code=1).startswith("folder is a folder.")


def test_recipe_inside_a_baked_file_bakes_the_same_bytes(here):
    assert run(["bake", "a.safetensors:0.7", "b.safetensors:unet=0.4,te=0", "--to", "one/../out.safetensors"]) == 1
    assert run(["bake", "a.safetensors:0.7", "b.safetensors:unet=0.4,te=0", "--to", "out.safetensors"]) == 0
    with safe_open("out.safetensors", "pt") as file:
        Path("mix.json").write_text(file.metadata()["eleven.recipe"])
    first = Path("out.safetensors").read_bytes()
    assert run(["bake", "mix.json", "--to", "out.safetensors", "--force"]) == 0
    assert Path("out.safetensors").read_bytes() == first


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Two parts with enough layers that a bake takes a while."""
    folder = tmp_path_factory.mktemp("many")
    layers = [f"net.{at}.proj" for at in range(400)]
    for name, seed in (("a", 1), ("b", 2)):
        lora(folder / f"{name}.safetensors", *layers, size=128, seed=seed)
    return folder


def start(folder, to, *more):
    words = [
        sys.executable,
        "-m",
        "eleven.cli.main",
        "bake",
        "a.safetensors:0.7",
        "b.safetensors:0.4",
        "--to",
        to,
        *more,
    ]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_killed_at_any_moment_it_leaves_nothing_under_the_name_and_runs_again(many):
    began = time.perf_counter()
    whole = start(many, "whole.safetensors")
    whole.communicate()
    assert whole.returncode == 0
    lasted, moments = time.perf_counter() - began, random.Random(0)
    wanted, to = tensors_of(many / "whole.safetensors"), many / "out.safetensors"
    began_writing = killed = 0
    for _ in range(20):
        process = start(many, to.name)
        part, limit = many / ".out.safetensors.part", time.perf_counter() + 3 * lasted
        while not part.exists() and process.poll() is None and time.perf_counter() < limit:
            time.sleep(0.002)
        began_writing += part.exists()
        time.sleep(moments.random() * lasted / 10)
        process.kill()
        process.communicate()
        killed += process.returncode != 0
        assert not to.exists() or tensors_of(to) == wanted
        to.unlink(missing_ok=True)
    assert killed >= 15
    assert began_writing >= 15
    again = start(many, to.name)
    again.communicate()
    assert again.returncode == 0
    assert tensors_of(to) == wanted
    assert not list(many.glob(".*.part"))


def tensors_of(path):
    return {key: tensor.numpy().tobytes() for key, tensor in load_file(path).items()}


def test_of_two_processes_that_write_one_name_one_wins_and_the_file_is_whole(many):
    to = many / "both.safetensors"
    processes = [start(many, to.name) for _ in range(2)]
    told = [process.communicate()[1].decode() for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 1]
    loser = told[[process.returncode for process in processes].index(1)]
    assert "another process is writing it" in loser or "exists already" in loser
    assert len(load_file(to)) == 1200
    assert not list(many.glob(".*.part"))
