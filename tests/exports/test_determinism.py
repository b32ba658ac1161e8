"""The same inputs give the same bytes: in any order, in any process, whatever lies around."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256

import pytest
import torch
from files_for_tests import bake_files, full, locon, loha, lora, write

from eleven.compress import Target
from eleven.exports.forms import Form
from eleven.mix import Mix, Part

SHAPES = {"x.fc": (160, 200), "x.conv": (40, 24, 3, 3)}
FORMS = {
    "exact": Form(),
    "rank": Form(Target(4), dtype="bf16"),
    "energy": Form(Target(64, 0.9), dtype="fp32"),
    "lokr": Form(Target(2), technique="lokr"),
    "diffusers": Form(dialect="diffusers"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    made = {}
    for seed, make in enumerate((lora, locon, loha, full)):
        modules = {name: make(shape, torch.zeros(()), seed)[0] for name, shape in SHAPES.items()}
        tags = {"ss_tag_frequency": f'{{"{seed}_x": {{"b": {seed}, "a": 1}}}}', "ss_output_name": make.__name__}
        made[write(folder / f"{make.__name__}.safetensors", modules, **tags)] = 0.3 + seed / 10
    return made


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_two_bakes_of_one_mix_are_bit_identical_in_any_order(files, tmp_path, form):
    written = []
    for at, order in enumerate((files, dict(reversed(files.items())))):
        (tmp_path / str(at)).mkdir()
        torch.rand(at + 1)
        bake_files(order, tmp_path / str(at) / "out.safetensors", form)
        written.append((tmp_path / str(at) / "out.safetensors").read_bytes())
    assert written[0] == written[1]


def test_a_digest_of_the_mix_does_not_depend_on_order_either(files):
    those = [
        Part(file=path.name, sha256=sha256(path.read_bytes()).hexdigest(), strength=s) for path, s in files.items()
    ]
    assert Mix(parts=tuple(those)).digest == Mix(parts=tuple(reversed(those))).digest


def test_neither_hash_seed_nor_process_nor_folder_matters(files, tmp_path):
    words = [f"{path}:{strength}" for path, strength in files.items()]
    written = set()
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        more = ["--to", "out.safetensors", "--method", "dare_ties", "--rank", "4", "--quiet"]
        told = [sys.executable, "-m", "eleven.cli.main", "bake", *words, *more]
        words.reverse()
        subprocess.run(
            told, cwd=tmp_path / seed, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True
        )
        written.add((tmp_path / seed / "out.safetensors").read_bytes())
    assert len(written) == 1
