"""Studies by several processes, and by actors of a Ray cluster, end with the ledger of one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import ray_cluster
import torch

from eleven.cli.main import run
from eleven.lab.shipped import concept_folder
from eleven.studies.ledger import read_ledger

WORKERS = ["--workers", "2"]


FOLDER = concept_folder("otto")
LIMIT = 200
"""Seconds that a command may take."""


def words_for(to: Path, *more: str) -> list[str]:
    """A small comparison on the lab's real base, its files named from the lab person's folder."""
    words = ["compare", "--base", "lab", "--photos", "references", "--to", str(to), "--budget", "16"]
    words += ["--steps", "2", "--guidance", "3", "--batch", "2", "--json", *more]
    for arm in ("{0}:1", "{0}:0.7 {1}:0.7"):
        words += ["--arm", arm.format("otto-lora-a.safetensors", "otto-lora-b.safetensors")]
    return words


def taken(to: Path):
    """What a ledger holds, in its order."""
    with read_ledger(to) as ledger:
        return list(ledger.taken("lab"))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As each of two workers has: sums over other numbers of threads differ in their last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def compared(to: Path, *more: str):
    """What the ledger of the comparison by this process holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(FOLDER)
        assert run(words_for(to, *more)) == 0
    return taken(to)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The study by this process."""
    return compared(tmp_path_factory.mktemp("alone") / "study")


def test_two_processes_end_with_the_ledger_of_one(alone, tmp_path):
    assert len(alone) == 16
    assert compared(tmp_path / "study", *WORKERS) == alone


def kill_one_actor(address: str, to: Path, process: subprocess.Popen[str]) -> int:
    """The number of an actor's process that was killed once there were pictures; 0 where the command ended first."""
    while process.poll() is None:
        found = ray_cluster.actors(address)
        if found and list((to / "pictures").rglob("*.png")):
            os.kill(found[0], signal.SIGKILL)
            return found[0]
        time.sleep(0.05)
    return 0


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install eleven-mix[ray]")
@pytest.mark.skipif(sys.platform != "linux", reason="an actor's process is found by Linux's /proc")
def test_two_actors_of_a_cluster_end_with_the_ledger_of_one_though_a_process_of_theirs_is_killed(alone, tmp_path):
    with ray_cluster.cluster(tmp_path) as address:
        words = words_for(tmp_path / "study", *WORKERS, "--ray", address)
        command = [sys.executable, "-c", "import sys; from eleven.cli.main import run; sys.exit(run(sys.argv[1:]))"]
        with subprocess.Popen(
            [*command, *words], cwd=FOLDER, env=ray_cluster.environment(), stderr=subprocess.PIPE, text=True
        ) as process:
            killed = kill_one_actor(address, tmp_path / "study", process)
            told = process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 0, told
    assert killed, "the command ended before an actor could be killed"
    assert taken(tmp_path / "study") == alone


def test_a_cluster_without_ray_names_the_command_that_brings_it(tmp_path, capsys):
    if find_spec("ray") is not None:
        pytest.skip("ray is installed")
    folder = concept_folder("otto")
    words = ["compare", "--base", "lab", "--photos", str(folder / "references"), "--to", str(tmp_path / "study")]
    words += ["--arm", str(folder / "otto-lora-a.safetensors"), "--arm", "none", "--budget", "16", "--ray", "auto"]
    assert run(words) == 1
    assert "eleven-mix[ray]" in capsys.readouterr().err
