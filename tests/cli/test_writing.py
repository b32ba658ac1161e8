"""What bake and extract share: where they may write, which options go together, and remedies that fit."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from eleven.cli.main import run


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def lora(path, *modules, size):
    tensors = {f"{module}.lora_up.weight": normal(size, 4) for module in modules}
    save_file(tensors | {f"{module}.lora_down.weight": normal(4, size, seed=1) for module in modules}, path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An adapter of two layers, and another that is not read."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        lora(tmp_path / f"{name}.safetensors", "net.0", "net.1", size=64)
    return tmp_path


def failing(capsys, *words, code=2):
    """Cause and hint of a bake that fails."""
    assert run(["bake", *words]) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("error: ", "hint: "))]
    return " ".join(line.partition(": ")[2] for line in lines)


@pytest.mark.parametrize("name", ["out.ckpt", "out", "out.pt", "out.safetensor"])
def test_names_of_other_formats_are_refused(here, capsys, name):
    for into in ([], ["--into", "b.safetensors"]):
        told = failing(capsys, "a.safetensors", *into, "--to", name)
        assert told == f"{name} does not end in .safetensors. Only that format is written."
    (here / "model").mkdir()
    told = failing(capsys, "a.safetensors", "--into", "model", "--to", "out.safetensors")
    assert told == "out.safetensors is the name of a file, and a diffusers folder is written. Call it out."


def test_a_name_that_the_disk_cannot_hold_is_told(here, capsys):
    told = failing(capsys, "a.safetensors", "--to", "a" * 300 + ".safetensors", code=1)
    assert "cannot be written: File name too long" in told


@pytest.mark.parametrize(
    "given",
    [["--rank", "exact"], ["--energy", "0.9"], ["--dialect", "kohya"], ["--dtype", "fp16"], ["--strip-private"]],
)
def test_options_of_adapters_are_refused_beside_a_checkpoint(here, capsys, given):
    told = failing(capsys, "a.safetensors", "--into", "b.safetensors", "--to", "out.safetensors", *given)
    assert told.startswith(f"{given[0]} is for adapters")


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ([], "Use --dtype fp32. Or raise --tolerance; "),
        (["--rank", "1"], "Raise --rank. Or raise --tolerance; "),
        (["--energy", "0.5"], "Raise --energy. Or raise --tolerance; "),
    ],
)
def test_remedy_for_an_error_fits_what_was_written(here, capsys, given, remedy):
    told = failing(capsys, "a.safetensors", "--to", "o.safetensors", "--tolerance", "0", *given, code=1)
    assert told.endswith(f"{remedy}the file was written.")


def test_remedy_for_a_checkpoint_is_a_finer_base(here, capsys):
    save_file({"net.weight": normal(8, 8).bfloat16()}, "base.safetensors")
    lora(here / "net.safetensors", "net", size=8)
    words = ["net.safetensors", "--into", "base.safetensors", "--to", "o.safetensors", "--tolerance", "0"]
    assert "Bake into a base of more precision (fp32)." in failing(capsys, *words, code=1)


def test_little_energy_is_remarked_on(here, capsys):
    assert run(["bake", "a.safetensors", "--to", "o.safetensors", "--rank", "1", "--energy", "0.99"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "note: 2 of 2 layers keep less than --energy 0.99. Raise --rank."
    assert told[1].startswith("note: only ") and told[1].endswith(" % of the energy is kept. Raise --rank.")
    assert run(["bake", "a.safetensors", "--to", "o.safetensors", "--energy", "0.99", "--force"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back at once")
def test_freed_memory_is_used_again_without_asking_the_system():
    program = (
        "import resource, numpy as np\n"
        "from eleven.cli.writing import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "np.ones(3 << 20)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(8): np.ones(1 << 21)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 * (1 << 24) // 4096 // 4
