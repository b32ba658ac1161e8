"""Studies by several processes, and by actors of a Ray cluster, end with the ledger of one process."""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from eleven.cli.main import run
from eleven.lab.shipped import concept_folder
from eleven.studies.ledger import read_ledger

WORKERS = ["--workers", "2"]


def compared(to: Path, *more: str):
    """What the ledger of a small comparison on the lab's real base holds, in its order."""
    folder = concept_folder("otto")
    words = ["compare", "--base", "lab", "--photos", str(folder / "references"), "--to", str(to), "--budget", "16"]
    words += ["--steps", "2", "--guidance", "3", "--batch", "4", "--json", *more]
    for arm in ("{0}:1", "{0}:0.7 {1}:0.7"):
        words += ["--arm", arm.format(*(folder / f"otto-{kind}.safetensors" for kind in ("lora-a", "lora-b")))]
    assert run(words) == 0
    with read_ledger(to) as ledger:
        return list(ledger.taken("lab"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The study by this process."""
    return compared(tmp_path_factory.mktemp("alone") / "study")


def test_two_processes_end_with_the_ledger_of_one(alone, tmp_path):
    assert len(alone) == 16
    assert compared(tmp_path / "study", *WORKERS) == alone


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install eleven-mix[ray]")
def test_two_actors_of_a_cluster_end_with_the_ledger_of_one(alone, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert compared(tmp_path / "study", *WORKERS, "--ray", "local") == alone


def test_a_cluster_without_ray_names_the_command_that_brings_it(tmp_path, capsys):
    if find_spec("ray") is not None:
        pytest.skip("ray is installed")
    folder = concept_folder("otto")
    words = ["compare", "--base", "lab", "--photos", str(folder / "references"), "--to", str(tmp_path / "study")]
    words += ["--arm", str(folder / "otto-lora-a.safetensors"), "--arm", "none", "--budget", "16", "--ray", "auto"]
    assert run(words) == 1
    assert "eleven-mix[ray]" in capsys.readouterr().err
