"""The benchmarks' machinery on the small layers only; nothing here looks at a clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy import check  # noqa: E402
from benchmarks.inputs import Inputs  # noqa: E402
from benchmarks.jobs import JOBS, MIB, Bar, Job  # noqa: E402
from benchmarks.measuring import RunFailed, Spent, measure  # noqa: E402
from benchmarks.peers import PEERS  # noqa: E402
from benchmarks.reading import delta, one_of_each  # noqa: E402
from benchmarks.report import BEGIN, END, is_reached, write_page  # noqa: E402
from benchmarks.request import Request, read_request  # noqa: E402
from benchmarks.results import Result, keep, kept  # noqa: E402

from eleven.finetunes.opening import open_finetune  # noqa: E402


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(tmp_path_factory.mktemp("inputs"), "sd1", tiny=True)


@pytest.fixture
def two(inputs, tmp_path):
    parts = tuple((str(inputs.file(name)), strength) for name, strength in (("lora32-a", 0.7), ("lora32-b", 0.5)))
    return Request(listing(inputs), parts, rank=32, to=str(tmp_path / "out.safetensors"))


def listing(inputs):
    assert inputs.listing.modules
    return str(inputs.listing_path)


def result(bar, ours, theirs):
    job = Job("job", "A job", "sd1", "cp", "cp", bars=(bar,))
    return Result(job, ours, theirs, "", {}, {}, "2025-01-01", 0.0)


def test_every_job_has_a_name_of_its_own_and_a_known_peer():
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert {job.peer for job in JOBS} <= {*PEERS, "cp"}


@pytest.mark.parametrize("name", ["lora32-a", "loha8", "lokr8", "locon32-a"])
def test_the_plain_reader_and_eleven_read_the_same_change(inputs, name):
    path = inputs.file(name)
    tensors = load_file(path)
    with open_finetune(path) as finetune:
        found = [change.dense() for _, change in finetune.deltas()]
    prefixes = list(dict.fromkeys(key.partition(".")[0] for key in tensors))
    assert len(found) == len(prefixes)
    for prefix, change in zip(prefixes, found, strict=True):
        torch.testing.assert_close(delta(tensors, prefix, torch.float32), change.flatten(1))


def test_a_sampled_peer_does_one_layer_of_each_shape_and_counts_the_others(inputs, two):
    modules = inputs.listing.attention()
    told = PEERS["merge"](Request(**{**vars(two), "sampled": True}))
    assert told["layers"] == len(modules)
    assert told["ran"] == len(one_of_each(modules)) < len(modules)
    assert told["extra_cpu"] > 0
    assert len(load_file(two.to)) == 3 * told["ran"]


def test_the_check_calls_the_optimum_the_best_and_nothing_the_whole_change(two):
    with torch.inference_mode():
        PEERS["merge"](two)
    best = check(two)
    assert best["error"] == pytest.approx(best["best"], rel=1e-3)
    save_file({key: tensor * 0 for key, tensor in load_file(two.to).items()}, two.to)
    assert check(two)["error"] == pytest.approx(1)


def test_the_check_finds_a_changed_tensor_that_no_part_touches(inputs, two):
    baked = Request(**{**vars(two), "base": str(inputs.file("base")), "into": True})
    with torch.inference_mode():
        PEERS["whole"](baked)
    found = check(baked)
    assert found["untouched"] == 1
    assert found["error"] == pytest.approx(found["best"], rel=0.01)
    tensors = load_file(baked.to)
    save_file({key: tensor if tensor.ndim > 1 else tensor + 1 for key, tensor in tensors.items()}, baked.to)
    assert check(baked)["untouched"] < 1


@pytest.mark.parametrize(
    ("bar", "reached"),
    [
        (Bar("faster", 3), True),
        (Bar("faster", 5), False),
        (Bar("cpu", 0.25), True),
        (Bar("cpu", 0.2), False),
        (Bar("wall", 2), True),
        (Bar("wall", 1.9), False),
        (Bar("peak", 100), True),
        (Bar("peak", 99), False),
    ],
)
def test_bars_are_reached_from_the_right_side(bar, reached):
    assert is_reached(result(bar, Spent(2, 8, 100 * MIB), Spent(8, 4, 0)), bar) is reached


def test_results_come_back_in_the_tables_order(tmp_path):
    store = tmp_path / "results.json"
    made = [Result(job, Spent(1, 2, 3), Spent(4, 5, 6), "", {"error": 0.5}, {}, "", 1.0) for job in JOBS[:2]]
    for each in reversed(made):
        keep(store, each)
    assert kept(store) == made


def test_a_page_without_marks_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text")
    with pytest.raises(SystemExit, match="lacks the marks"):
        write_page(page, [])
    assert page.read_text() == "text"


def test_a_failing_command_is_told_with_its_last_lines():
    with pytest.raises(RunFailed, match=r"exit code 3: no\.$"):
        measure([sys.executable, "-c", "import sys; print('no.', file=sys.stderr); sys.exit(3)"], cores=1)


def test_requests_come_back_from_json(two):
    assert read_request(two.text()) == two


def test_one_command_measures_both_and_writes_the_page(inputs, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    options = ["--shapes", "tiny", "--quick", "--work", str(inputs.folder), "--page", str(page)]
    command = [sys.executable, "-m", "benchmarks", *options, "--only", "sd15-lora32"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (first,) = json.loads((inputs.folder / "results-tiny-quick.json").read_text())
    assert first["error"]["error"] == pytest.approx(first["error"]["best"], rel=1e-3)
    assert page.read_text().startswith(f"before\n{BEGIN}\n")
    assert page.read_text().endswith(f"|\n{END}\nafter\n")
    assert "| SD1.5, 2 LoRA r32 → r32 | dense SVD of every layer (extrapolated from" in page.read_text()
    assert "old" not in page.read_text()
