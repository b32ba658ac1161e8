"""A stopped training goes on, and gives the bytes of one that was never stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trained import photos_of, short_plan

from eleven.errors import FileError, OutputError, UsageError
from eleven.training.resume import state_file
from eleven.training.runs import Job, is_done, train

HERE = Path(__file__).parent
KILLED = """
import os, signal, sys, torch
sys.path.insert(0, {here!r})
torch.set_num_threads({threads})
from pathlib import Path
from trained import photos_of, short_plan
from eleven.bases.opening import open_base
from eleven.training.runs import Job, train
photos = photos_of(Path({photos!r}))
plan = short_plan("locon", steps=7, save_every=2)
job = Job(plan, photos[:4], Path({to!r}), photos[4:])
look = lambda told: os.kill(os.getpid(), signal.SIGKILL) if told.step == 5 else None
train(open_base({base!r}, device="cpu"), job, look)
"""


class Stop(Exception):
    pass


def stopped_at(step):
    def look(progress):
        if progress.step == step:
            raise Stop

    return look


def steps_of(job, base):
    seen = []
    train(base, job, lambda told: seen.append(told.step))
    return seen


@pytest.mark.parametrize("technique", ["lora", "oft", "dreambooth", "textual-inversion"])
def test_a_stopped_training_gives_the_same_bytes(technique, base_of, photos, tmp_path):
    base, plan, listed = (
        base_of("sd1"),
        short_plan(technique, steps=6, save_every=2, validate_every=2),
        photos_of(photos),
    )
    (tmp_path / "two").mkdir()
    whole, parts = (
        Job(plan, listed[:4], tmp_path / name, listed[4:]) for name in ("a.safetensors", "two/a.safetensors")
    )
    assert steps_of(whole, base) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(Stop):
        train(base, parts, stopped_at(5))
    assert not parts.to.exists()
    assert steps_of(parts, base) == [5, 6]
    assert whole.to.read_bytes() == parts.to.read_bytes()
    assert (tmp_path / "a.loss.svg").read_bytes() == (tmp_path / "two" / "a.loss.svg").read_bytes()
    assert not state_file(parts.to).exists()
    assert is_done(base, parts)
    assert not is_done(base, Job(short_plan(technique, steps=7), listed[:4], parts.to, listed[4:]))


def test_a_killed_process_goes_on(base_of, folder_of, photos, tmp_path):
    to = tmp_path / "a.safetensors"
    told = {"here": str(HERE), "threads": torch.get_num_threads(), "photos": str(photos), "to": str(to)}
    code = KILLED.format(**told, base=str(folder_of("sd1")))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors.resume"]
    listed, plan = photos_of(photos), short_plan("locon", steps=7, save_every=2)
    (tmp_path / "b").mkdir()
    assert steps_of(Job(plan, listed[:4], to, listed[4:]), base_of("sd1")) == [5, 6, 7]
    train(base_of("sd1"), Job(plan, listed[:4], tmp_path / "b" / "a.safetensors", listed[4:]))
    assert to.read_bytes() == (tmp_path / "b" / "a.safetensors").read_bytes()


def test_other_settings_are_refused_and_named(base_of, photos, tmp_path):
    base, listed, to = base_of("sd1"), photos_of(photos), tmp_path / "a.safetensors"
    with pytest.raises(Stop):
        train(base, Job(short_plan("lora", save_every=1), listed, to), stopped_at(2))
    other = short_plan("lora", save_every=3, batch=1, alpha=0.5)
    with pytest.raises(UsageError, match="another alpha, batch"):
        train(base, Job(other, listed, to))
    with pytest.raises(UsageError, match="another photos"):
        train(base, Job(short_plan("lora"), listed[1:], to))
    assert train(base, Job(other, listed, to, force=True)).outcome.steps == 4


def test_a_damaged_state_is_told(base_of, photos, tmp_path):
    to = tmp_path / "a.safetensors"
    state_file(to).write_bytes(b"rubbish")
    with pytest.raises(FileError):
        train(base_of("sd1"), Job(short_plan("lora"), photos_of(photos), to))


def test_an_existing_file_is_kept(base_of, photos, tmp_path):
    to = tmp_path / "a.safetensors"
    to.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        train(base_of("sd1"), Job(short_plan("lora"), photos_of(photos), to))
    assert to.read_bytes() == b"mine"
    assert not is_done(base_of("sd1"), Job(short_plan("lora"), photos_of(photos), to))
