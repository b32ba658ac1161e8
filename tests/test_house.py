"""The rules of the house that no other tool checks."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eleven.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
CODE = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "tools").rglob("*.py")), ROOT / "run.py"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?"
"""Python, and what it prints where a block of text follows."""

BLOCKS = [
    pytest.param(*block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(BLOCK, page.read_text("utf-8"), re.M | re.S))
]
HEAVY = ("torch", "diffusers", "transformers", "scipy")
WITH_TORCH = {"algebra", "combination", "compress", "exports", "kronecker", "methods", "sketch", "testing"}
WITH_TORCH |= {"amplification", "bases", "engines", "lab", "main_job", "scorers", "training"}
"""Where arithmetic is the work; every other module must load without torch."""

BANNED = re.compile(r"(^|_)(utils?|helpers?|managers?|common|misc|base)(_|$)")
UNWANTED = re.compile(r"torchvision|torchaudio|nvidia-.*|triton.*|xformers")


def module_name(path):
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def in_a_new_process(code):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_and_functions_fit_a_screen(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 40, f"{node.name} is longer than 40 lines"


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_named_for_what_they_hold(path):
    assert not BANNED.search(path.stem)


def test_reading_and_the_command_line_do_not_load_torch():
    modules = [module_name(path) for path in SOURCES]
    names = [name for name in modules if not WITH_TORCH & set(name.split(".")[1:2])]
    assert {"eleven", "eleven.delta", "eleven.cli.main"} <= set(names)
    code = f"import sys, importlib\nfor name in {names}: importlib.import_module(name)\nprint(*sys.modules)"
    assert not set(HEAVY) & set(in_a_new_process(code))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["doctor", "--help"]])
def test_help_does_not_load_torch(words):
    code = f"import sys; from eleven.cli.main import run; run({words}); print(*sys.modules)"
    assert not set(HEAVY) & set(in_a_new_process(code))


@pytest.mark.parametrize("name", [module_name(path) for path in SOURCES if "\n__all__" in path.read_text("utf-8")])
def test_public_names_are_listed_completely_and_in_order(name):
    module = importlib.import_module(name)
    listed = module.__all__
    own = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value))
        if value.__module__ == name
    }
    assert list(listed) == sorted(listed)
    assert all(hasattr(module, key) for key in listed)
    assert own <= set(listed)


def requirements_of(package, extras):
    for text in metadata.requires(package) or ():
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
            yield canonicalize_name(need.name), need.extras


def test_our_packages_bring_no_second_torch_and_no_torchvision():
    seen, queue = set(), [("eleven-mix", frozenset({"", "test"}))]
    while queue:
        package, extras = queue.pop()
        found = [(name, frozenset(wanted) | {""}) for name, wanted in requirements_of(package, extras)]
        unwanted = [name for name, _ in found if UNWANTED.fullmatch(name)]
        assert not unwanted, f"{package} brings {unwanted}"
        queue += [(name, wanted) for name, wanted in found if name not in seen and name != "torch"]
        seen |= {name for name, _ in found}
    assert {"torch", "safetensors", "pytest"} <= seen


def test_every_requirement_of_ours_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = {canonicalize_name(pin.name): pin for pin in map(Requirement, filter(None, lines))}
    for need in map(Requirement, needs):
        (exact,) = pins[canonicalize_name(need.name)].specifier
        assert exact.operator == "=="
        assert need.specifier.contains(exact.version)
    assert not [name for name in pins if UNWANTED.fullmatch(name)]


def test_contributing_tells_the_import_order():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    told = re.search("Imports run one way: `(.*?)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.S)
    order = [line.replace("(", "").replace(")", "").replace(" | ", ", ") for line in contract["layers"]]
    assert told is not None
    assert " ".join(told[1].split()).split(" → ") == order


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    assert any(f"eleven {name}" in page.read_text("utf-8") for page in PAGES)


@pytest.mark.parametrize(("code", "prints"), BLOCKS)
def test_code_in_the_documentation_runs(code, prints, tmp_path):
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert prints in ("", done.stdout)


def test_links_in_the_documentation_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
