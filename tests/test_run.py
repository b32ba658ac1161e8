"""run.py in a folder of its own, with a pip and an `eleven` that only write down how they were called."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PIP = """
import json, os, sys
with open(os.environ["PIP_CALLS"], "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
sys.exit(int(os.environ.get("PIP_EXITS", "0")))
"""
ELEVEN = """
import sys, time
if "wait" in sys.argv:
    print("ready", flush=True)
    time.sleep(60)
print("eleven", *sys.argv[1:])
sys.exit(7)
"""


def load(folder=ROOT):
    spec = importlib.util.spec_from_file_location("run_under_test", folder / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Folder:
    """A project folder with a space in its name, its own .venv without the real pip, and what pip was asked."""

    def __init__(self, path):
        self.path, self.calls = path, path.parent / "calls"
        self.venv = path / ".venv"
        path.mkdir()
        for name in ("run.py", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, path)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(self.venv)], check=True)
        (site,) = [*self.venv.glob("lib/python3*/site-packages"), *self.venv.glob("Lib/site-packages")]
        for name, code in (("pip", PIP), ("eleven/cli", "")):
            (site / name).mkdir(parents=True)
            (site / name / "__init__.py").write_text("")
            (site / name / "__main__.py").write_text(code)
        (site / "eleven" / "__init__.py").write_text("")
        (site / "eleven" / "cli" / "main.py").write_text(ELEVEN)

    def command(self, *words):
        return [sys.executable, str(self.path / "run.py"), *words]

    def start(self, *words, **environment):
        told = os.environ | {"PIP_CALLS": str(self.calls), **environment}
        return subprocess.run(self.command(*words), capture_output=True, text=True, check=False, env=told)

    def asked(self):
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def stamp(self):
        return json.loads((self.venv / "eleven-stamp.json").read_text())


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "a folder")


def test_the_command_gets_its_arguments_and_its_exit_code_comes_back(folder):
    done = folder.start("--", "inspect", "--json", "a b")
    assert (done.returncode, done.stdout) == (7, "eleven inspect --json a b\n")
    assert folder.start("demo", "--fast").stdout == "eleven demo --fast\n"


def test_the_second_start_asks_pip_nothing_and_takes_a_moment(folder):
    folder.start("--")
    assert [call[:1] + call[-2:] for call in folder.asked()] == [["install", "-e", "."]]
    began = time.perf_counter() if os.name == "nt" else sum(os.times()[2:4])
    done = folder.start("--", "x")
    ended = time.perf_counter() if os.name == "nt" else sum(os.times()[2:4])
    assert ended - began < 1
    assert folder.asked() == []
    assert done.stderr == ""


def test_tests_upgrade_the_install_and_the_demo_is_content_with_it(folder):
    folder.start("demo")
    folder.asked()
    folder.start("test")
    assert [call[-1] for call in folder.asked()] == [".[test]"]
    folder.start("demo")
    assert folder.asked() == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_pins_are_installed(name, folder):
    folder.start("--")
    folder.asked()
    with (folder.path / name).open("a") as file:
        file.write("\n# changed\n")
    folder.start("--")
    assert len(folder.asked()) == 1
    folder.start("--")
    assert folder.asked() == []


def test_a_refused_install_leaves_the_last_one_usable(folder):
    folder.start("--")
    before = folder.stamp()
    done = folder.start("test", PIP_EXITS="1")
    assert done.returncode == 1
    assert "error: pip could not install Eleven." in done.stderr
    assert folder.stamp() == before
    assert folder.start("--").returncode == 7


def test_an_install_that_was_killed_is_not_trusted(folder):
    folder.start("--")
    assert folder.start("test", PIP_EXITS="137").returncode == 1
    assert folder.stamp()["extra"] == "interrupted"


@pytest.mark.parametrize("torch", ["cpu", "cu126", "cu128", "cu130", "rocm"])
def test_a_chosen_torch_comes_from_its_index_first_and_is_remembered(torch, folder):
    folder.start("--torch", torch, "--")
    build, rest = folder.asked()
    index = build[build.index("--index-url") + 1]
    assert index.rpartition("/")[2].startswith(torch)
    assert build[-1].startswith("torch<=")
    assert "--force-reinstall" in build
    assert rest[-2:] == ["-e", "."]
    assert rest[rest.index("--extra-index-url") + 1] == index
    assert build[-1] in Path(rest[rest.index("-c") + 1]).read_text().splitlines()
    folder.start("test")
    assert not any("--force-reinstall" in call for call in folder.asked())
    assert folder.stamp()["torch"] == torch


def test_the_usual_torch_takes_the_place_of_a_chosen_one(folder):
    folder.start("--torch", "cpu", "--")
    folder.asked()
    folder.start("--torch", "auto", "--")
    swap, rest = folder.asked()
    assert "--force-reinstall" in swap
    assert swap[-3:] == ["-c", "constraints.txt", "torch"]
    assert rest[-2:] == ["-e", "."]


def test_skip_asks_for_everything_but_torch(folder):
    folder.start("--torch", "skip", "--")
    needs, package = folder.asked()
    assert any(need.startswith("safetensors") for need in needs)
    assert not any(need.startswith("torch") for need in needs)
    assert "torch==" not in Path(needs[needs.index("-c") + 1]).read_text()
    assert package[-3:] == ["--no-deps", "-e", "."]


def test_a_half_made_venv_is_built_anew(folder):
    folder.start("--")
    stamp = folder.venv / "eleven-stamp.json"
    stamp.write_text(json.dumps(folder.stamp() | {"extra": "interrupted"}))
    (folder.venv / "leftover").touch()
    done = folder.start("--", PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert "making .venv" in done.stderr
    assert not (folder.venv / "leftover").exists()
    assert done.returncode == 1
    assert "hint: " in done.stderr


def test_a_moved_folder_or_another_python_needs_a_new_venv(folder):
    folder.start("--")
    stamp = folder.stamp()
    moved = folder.path.rename(folder.path.with_name("another folder"))
    module = load(moved)
    assert module.read_stamp() == stamp
    assert not module.is_ready(module.wanted(None), "")
    assert not module.is_sound(stamp, module.wanted(None))
    assert module.is_sound(module.wanted(None), module.wanted(None))


def test_a_venv_without_a_working_python_is_built_anew(folder, monkeypatch):
    module = load()
    monkeypatch.setattr(module, "PYTHON", folder.path / "no" / "python")
    assert not module.is_sound({}, {"home": "here"})
    monkeypatch.setattr(module, "PYTHON", Path(sys.executable))
    assert module.is_sound({}, {"home": "here"})


def test_a_damaged_stamp_counts_as_none(folder):
    folder.start("--")
    (folder.venv / "eleven-stamp.json").write_text('{"torch"')
    folder.start("--")
    assert len(folder.asked()) == 2
    assert folder.stamp()["extra"] == ""


def test_concurrent_starts_install_once(folder):
    told = os.environ | {"PIP_CALLS": str(folder.calls)}
    several = [subprocess.Popen(folder.command("--"), env=told, stdout=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[0] for process in several] == [b"eleven\n"] * 4 or os.name == "nt"
    assert len(folder.asked()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_ends_with_130(folder):
    folder.start("--")
    with subprocess.Popen(folder.command("--", "wait"), stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)
    assert process.returncode == 130


@pytest.mark.parametrize("words", [[], ["inspect"], ["--torch", "best", "demo"]])
def test_wrong_usage_exits_with_two_and_installs_nothing(words, folder):
    done = folder.start(*words)
    assert done.returncode == 2
    assert "usage: python run.py" in done.stderr
    assert folder.asked() == []


def test_help_names_every_command(folder):
    done = folder.start("--help")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("demo", "test", "-- ARGS", "--torch"))


def test_an_old_python_is_told_so():
    code = f"import sys; sys.version_info = (3, 10); exec(open({str(ROOT / 'run.py')!r}).read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: Eleven needs Python 3.11 or newer; this is {platform.python_version()}")
