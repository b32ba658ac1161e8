"""Damaged files of every kind end in an error of ours or in a correct read: no other exception, no hang, no flood."""

import json
import time
import zipfile
from io import BytesIO
from pathlib import Path

import psutil
import pytest
import torch
from hostile import header_mutations, mutations

from eleven.errors import ElevenError
from eleven.files.opening import open_container
from eleven.files.values import scan_values
from eleven.files.writer import write_safetensors

LIMIT = 200_000_000


def tensors() -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    shapes = {"a.lora_up.weight": (8, 2), "a.lora_down.weight": (2, 8), "a.alpha": (), "emptiness": (0, 3)}
    made = {key: torch.randn(shape, generator=chance) for key, shape in shapes.items()}
    return made | {"half": torch.ones(3).half(), "whole": torch.arange(5), "yes": torch.tensor([True, False])}


def saved(**options: object) -> bytes:
    buffer = BytesIO()
    tree = {
        "string_to_param": {"*": torch.nn.Parameter(torch.ones(2, 8))},
        "name": "x",
        "list": list(tensors().values()),
    }
    torch.save(tree, buffer, **options)
    return buffer.getvalue()


def survives(path: Path, raw: bytes) -> bool:
    """Whether it opened and read whole; fails on any exception but ours, and on messages without the file's name."""
    path.write_bytes(raw)
    start = time.perf_counter()
    try:
        with open_container(path) as container:
            for key, entry in container.entries.items():
                assert tuple(container.read(key).shape) == entry.shape
            assert len(list(scan_values(container))) == len(container.entries)
            good = True
    except ElevenError as error:
        assert path.name in error.cause, error
        good = False
    assert time.perf_counter() - start < 5
    return good


@pytest.fixture
def memory():
    """Fails where the process has grown more than a file's size + 200 MB at its peak, as far as the platform tells."""
    process = psutil.Process()
    resource = pytest.importorskip("resource")
    before = max(process.memory_info().rss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < LIMIT


@pytest.mark.parametrize("seed", range(4))
def test_damaged_safetensors_end_in_our_error(tmp_path, memory, seed):
    source = tmp_path / "source.safetensors"
    write_safetensors(source, tensors(), metadata={"ss_network_dim": "2"})
    outcomes = [survives(tmp_path / "bad.safetensors", raw) for raw in mutations(source.read_bytes(), 150, seed)]
    assert 0 < sum(outcomes) < len(outcomes)


@pytest.mark.parametrize("seed", range(2))
def test_senseless_headers_end_in_our_error(tmp_path, memory, seed):
    source = tmp_path / "source.safetensors"
    write_safetensors(source, tensors())
    raw = source.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    changed = header_mutations(json.loads(raw[8:end]), raw[end:], seed)
    assert sum(survives(tmp_path / "bad.safetensors", one) for one in changed) < 100


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_pickles_end_in_our_error(tmp_path, memory, legacy, seed):
    raw = saved(_use_new_zipfile_serialization=not legacy)
    outcomes = [survives(tmp_path / "bad.pt", one) for one in mutations(raw, 150, seed)]
    assert sum(outcomes) < len(outcomes)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_instructions_in_an_intact_zip_end_in_our_error(tmp_path, memory, seed):
    source = zipfile.ZipFile(BytesIO(saved()))
    contents = {one: source.read(one) for one in source.namelist()}
    name = next(one for one in contents if one.endswith("data.pkl"))
    outcomes: list[bool] = []
    for pickle in mutations(contents[name], 150, seed):
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w") as changed:
            for entry, content in contents.items():
                changed.writestr(entry, pickle if entry == name else content)
        outcomes.append(survives(tmp_path / "bad.pt", buffer.getvalue()))
    assert sum(outcomes) < len(outcomes)


@pytest.mark.parametrize("seed", range(2))
def test_damaged_indexes_end_in_our_error(tmp_path, memory, seed):
    write_safetensors(tmp_path / "one.safetensors", tensors())
    index = {"metadata": {"total_size": 9}, "weight_map": dict.fromkeys(tensors(), "one.safetensors")}
    raw = json.dumps(index).encode()
    outcomes = [survives(tmp_path / "bad.safetensors.index.json", one) for one in mutations(raw, 150, seed)]
    assert sum(outcomes) < len(outcomes)
