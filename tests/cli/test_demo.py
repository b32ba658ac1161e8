"""The main job on somebody of the lab: what it shows is what it measured, and what was made is not made again."""

from __future__ import annotations

import json

import pytest

from eleven.cli.main import run
from eleven.finetunes.opening import open_finetune
from eleven.lab.shipped import concept_folder
from eleven.mix_text import read_recipe
from eleven.reports.study_results import from_json
from eleven.studies.allotment import least

BUDGET = least(2)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """`eleven tune` on two models of ada, run once."""
    folder, to = concept_folder("ada"), tmp_path_factory.mktemp("tuned") / "study"
    files = [str(folder / f"ada-{kind}.safetensors") for kind in ("lora-a", "loha")]
    words = ["tune", *files, "--base", "lab", "--photos", str(folder / "references"), "--to", str(to)]
    words += ["--steps", "6", "--guidance", "3", "--budget", str(BUDGET), "--json"]
    assert run(words) == 0
    return words


@pytest.fixture(scope="module")
def to(words):
    from pathlib import Path

    return Path(words[words.index("--to") + 1])


def test_everything_is_left_that_was_promised(to):
    study = from_json((to / "results.json").read_text("utf-8"))
    mix = read_recipe(to / "mix.toml")
    winner = study.arms[study.winner]
    assert [part.strength for part in mix.parts] == [one for one in winner.strengths if one]
    with open_finetune(to / "mix.safetensors") as baked:
        assert len(baked.modules) > 50
    assert study.baked is not None
    assert study.baked.error < 1e-3
    assert {arm.role for arm in study.arms} >= {"single", "guided", "base"}
    assert all((to / one.file).is_file() for one in study.pictures)
    assert study.spending.search_pictures + study.spending.confirmation_pictures <= BUDGET
    assert 0 < study.spending.generating_seconds <= study.spending.seconds
    assert len(list((to / "best").glob("*.png"))) == min(8, winner.perfect.shots)
    page = (to / "report.html").read_text("utf-8")
    assert "sks person" in page
    assert "ada-loha" in page


def test_a_share_for_the_negative_prompt_is_a_knob_of_which_the_file_and_the_recipe_tell(words, tmp_path, capsys):
    others = [word for word in words if word not in (words[words.index("--to") + 1], "--to", "--json")]
    others[others.index("--steps") + 1] = "3"
    assert run([*others, "--to", str(tmp_path), "--knob", "negative=0.3..0.3"]) == 0
    study = from_json((tmp_path / "results.json").read_text("utf-8"))
    shares = {arm.role: arm.knobs for arm in study.arms}
    assert shares["single"] == (0.3,)
    assert "guided" not in shares
    winner = study.arms[study.winner]
    recipe = read_recipe(tmp_path / "mix.toml")
    assert {part.negative for part in recipe.parts} == {*(winner.knobs or (1.0,))}
    assert study.baked is not None
    assert ("ComfyUI" in {one.label for one in study.snippets}) == bool(winner.knobs)
    capsys.readouterr()


def test_the_base_alone_is_not_the_person(to):
    study = from_json((to / "results.json").read_text("utf-8"))
    base = next(arm for arm in study.arms if arm.role == "base")
    assert all(arm.likeness > base.likeness for arm in study.arms if arm.role in ("mix", "single", "preset"))


def test_again_it_makes_no_picture(words, to, capsys):
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (to / "pictures").rglob("*.png"))
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"]["sentence"]
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (to / "pictures").rglob("*.png")) == before


def test_another_study_in_the_same_folder_is_refused(words, capsys):
    assert run([*words, "--seed", "5"]) == 2
    assert "another study" in json.loads(capsys.readouterr().out)["error"]["cause"]


def test_arms_are_compared_and_a_dry_run_makes_nothing(words, tmp_path, capsys):
    files, photos = words[1:3], words[words.index("--photos") + 1]
    fixed = ["--base", "lab", "--photos", photos, "--steps", "4", "--guidance", "3"]
    assert run(["tune", *files, *fixed, "--to", str(tmp_path / "dry"), "--dry-run"]) == 0
    told = capsys.readouterr().err
    assert "pictures to search" in told
    assert "no picture was made" in told
    assert not (tmp_path / "dry").exists()
    arms = ["--arm", f"{files[0]}:1", "--arm", f"{files[0]}:0.7 {files[1]}:0.7", "--arm", "none"]
    arms += ["--arm", f"{files[0]}:1,negative=0.2"]
    assert run(["compare", *arms, *fixed, "--to", str(tmp_path / "arms"), "--budget", "32"]) == 0
    study = from_json((tmp_path / "arms" / "results.json").read_text("utf-8"))
    assert [arm.role for arm in study.arms] == ["given"] * 4
    first, *_, guided = ([one.file for one in study.pictures if one.arm == arm] for arm in range(4))
    assert study.arms[3].share == 0.2
    assert not {*first} & {*guided}
    assert study.arms[2].strengths == (0.0, 0.0)
    assert study.arms[1].difference is not None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (["--budget", "20"], "too few"),
        (["--weight", "beauty=1"], "--weight"),
        (["--scorer", "nobody"], "no scorer"),
        (["--photos", "missing"], "missing"),
        (["--guidance", "1", "--knob", "negative=0..1"], "at a guidance of 1 predicts for no negative prompt"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_picture(words, tmp_path, capsys, changed, told):
    assert run([*words, "--to", str(tmp_path / "other"), *changed]) == 2
    assert told in json.loads(capsys.readouterr().out)["error"]["cause"]
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("kind", ["another family", "cut short", "empty"])
def test_a_model_that_does_not_fit_is_named_before_a_picture(words, tmp_path, capsys, kind):
    bad = tmp_path / "bad.safetensors"
    whole = concept_folder("ada") / "ada-lora-a.safetensors"
    if kind == "another family":
        import torch
        from safetensors.torch import save_file

        name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
        save_file(
            {f"{name}.lora_down.weight": torch.ones(4, 768), f"{name}.lora_up.weight": torch.ones(320, 4)}, str(bad)
        )
    else:
        bad.write_bytes(whole.read_bytes()[: 5000 if kind == "cut short" else 0])
    asked = [*words[:2], str(bad), *words[3:]]
    asked[asked.index("--to") + 1] = str(tmp_path / "other")
    assert run(asked) == 2
    assert "bad.safetensors" in json.loads(capsys.readouterr().out)["error"]["cause"]
    assert not (tmp_path / "other").exists()


def test_nobody_of_that_name(capsys):
    assert run(["demo", "eve"]) == 2
    assert "nobody called 'eve'" in capsys.readouterr().err
