from __future__ import annotations

import _thread
import json
import threading
import time

import pytest
from tiny_pipelines import tiny_pipeline
from trained import write_photos

from eleven.cli.main import run
from eleven.training.plan import TrainingPlan


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A tiny base and photos."""
    folder = tmp_path_factory.mktemp("world")
    return tiny_pipeline("sd1", folder / "base"), write_photos(folder / "cat", 6)


def words(world, to, *more):
    base, photos = world
    told = ["--base", base, "--photos", photos, "--to", to, "--trigger", "ohwx", "--device", "cpu", *more]
    return ["train", *map(str, told)]


def test_training_is_shown_and_repeated_for_nothing(world, tmp_path, capsys):
    to = tmp_path / "a.safetensors"
    line = words(world, to, "--steps", 2, "--rank", 2, "--held-out", 2, "--set", "min_snr=none", "--set", "flip=true")
    assert run(line) == 0
    assert "lora, 2 steps on 4 photos" in capsys.readouterr().out
    before = to.stat().st_mtime_ns
    assert run(line) == 0
    assert "trained already" in capsys.readouterr().err
    assert to.stat().st_mtime_ns == before
    assert run([*line, "--seed", "1"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert run([*line, "--seed", "1", "--force"]) == 0


def test_an_ensemble_as_json(world, tmp_path, capsys):
    line = words(world, tmp_path / "a.safetensors", "--ensemble", 2, "--steps", 1, "--json")
    assert run(line) == 0
    found = json.loads(capsys.readouterr().out)["trained"]
    assert [one["technique"] for one in found] == ["lora", "loha"]
    assert (tmp_path / "a-detail.safetensors").is_file()
    assert found[0]["outcome"]["best_step"] == 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--technique", "magic"), "no technique is called 'magic'"),
        (("--ensemble", 2, "--technique", "lora"), "chooses its members"),
        (("--set", "colour"), "--set is 'colour'"),
        (("--set", "colour=red"), "colour is 'red'"),
        (("--set", "rank=many"), "rank is 'many'"),
        (("--held-out", 4), "leaves 2 of 6 photos"),
        (("--steps", "none"), "valid integer"),
        (("--ensemble", 2, "--held-out", 2), "keeps photos of its own"),
        (("--ensemble", 2, "--rank", 8), "rank is each member's own"),
        (("--ensemble", 2, "--set", "timesteps=0,1"), "timesteps is each member's own"),
        (("--technique", "dreambooth", "--rank", 8), "dreambooth has no rank"),
        (("--technique", "loha", "--set", "factor=4"), "loha has no factor"),
    ],
)
def test_wrong_usage(more, told, world, tmp_path, capsys):
    assert run(words(world, tmp_path / "a.safetensors", *more)) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_base_that_is_none(world, tmp_path, capsys):
    assert run(words((tmp_path, world[1]), tmp_path / "a.safetensors")) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_ctrl_c_tells_how_to_go_on(world, tmp_path, capsys):
    to = tmp_path / "a.safetensors"

    def interrupt():
        while not (tmp_path / "a.safetensors.resume").exists():
            time.sleep(0.01)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    assert run(words(world, to, "--steps", 5000, "--rank", 1, "--set", "save_every=1")) == 130
    assert "goes on from the last saved step" in capsys.readouterr().err
    assert not to.exists()


def test_every_setting_is_in_the_guide():
    from pathlib import Path

    guide = (Path(__file__).parents[2] / "docs" / "guides" / "training.md").read_text("utf-8")
    assert not [name for name in TrainingPlan.model_fields if f"`{name}`" not in guide]
