"""Damaged files of every technique end in an error that names file and reason, or are read; nothing else happens."""

from __future__ import annotations

import json
import random
import struct
import sys
import time

import psutil
import pytest
import torch
from safetensors.torch import load, save, save_file

from eleven.errors import ElevenError
from eleven.finetunes.checkpoint import open_checkpoint
from eleven.finetunes.opening import open_finetune
from eleven.reports.inspection import inspect_file
from files.hostile import mutations
from models import base_tensors, one_layer

PREFIX = "net.0.proj"
TECHNIQUES = sorted(one_layer())
EACH = 120
SECONDS, BYTES = 2.0, 200e6
KINDS = (torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.uint8, torch.bool, torch.complex64)
UNKNOWN = ("weight", "lora_up", "x", "lora_A.y.weight")
SHAPES = ((), (0,), (1,), (1, 1), (2, 0), (3, 5), (16,), (2, 2, 2, 2, 2, 2))


def changed(tensors: dict[str, torch.Tensor], chance: random.Random) -> dict[str, torch.Tensor]:
    """The tensors with one thing wrong that a valid file can hold."""
    key = chance.choice(sorted(tensors))
    tensor, rest = tensors[key], {name: other for name, other in tensors.items() if name != key}
    bad = chance.choice((float("nan"), float("inf"), -float("inf"), 0.0, 1e38))
    made = {
        "missing": lambda: rest,
        "shape": lambda: rest | {key: torch.ones(chance.choice(SHAPES))},
        "turned": lambda: rest | {key: tensor.T.contiguous() if tensor.ndim == 2 else tensor.reshape(-1)},
        "type": lambda: rest | {key: tensor.to(chance.choice(KINDS))},
        "number": lambda: rest | {key: torch.full_like(tensor.float(), bad)},
        "alpha": lambda: tensors | {f"{PREFIX}.alpha": torch.tensor(chance.choice((0, -3, 2**40, True, 1e-40, 1e39)))},
        "vector alpha": lambda: tensors | {f"{PREFIX}.alpha": torch.ones(chance.choice((1, 2)))},
        "twin": lambda: tensors | {key.replace(PREFIX, "net.1.proj"): tensor.clone()},
        "unknown": lambda: tensors | {f"{PREFIX}.{chance.choice(UNKNOWN)}": tensor},
    }
    return {name: one.clone().contiguous() for name, one in made[chance.choice(sorted(made))]().items()}


def header_changed(raw: bytes, chance: random.Random) -> bytes:
    """The file with a header that claims something else."""
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    entry = header[chance.choice(sorted(key for key in header if key != "__metadata__"))]
    what = chance.randrange(5)
    if what == 0:
        entry["shape"] = [chance.choice((2**31, 2**40, 2**62))] * chance.choice((1, 2, 3))
    elif what == 1:
        entry["dtype"] = chance.choice(("F16", "F8_E4M3", "F4", "I64", "Q4", 7, None))
    elif what == 2:
        entry["data_offsets"] = [chance.choice((0, -1, 2**63)), chance.choice((4, 2**40, 2**64))]
    elif what == 3:
        header["__metadata__"] = chance.choice(({"a": 1}, {"ss_network_dim": [4]}, [], "x", {"ss_tag_frequency": "{"}))
    else:
        header["__metadata__"] = {"ss_network_dim": "9" * 5000, "ss_network_args": chance.choice(("[", "[1]", "{}"))}
    told = json.dumps(header).encode()
    return struct.pack("<Q", len(told)) + told + raw[8 + length :]


def variants(name: str):
    """Every damaged file of one technique, the same at each run."""
    tensors = {f"{PREFIX}.{suffix}": tensor for suffix, tensor in one_layer()[name].items()}
    raw, chance = save(tensors), random.Random(name)
    yield raw
    yield from mutations(raw, EACH // 3, seed=len(name))
    yield from (save(changed(tensors, chance)) for _ in range(EACH // 3))
    yield from (header_changed(raw, chance) for _ in range(EACH // 3))


def peak() -> int:
    """The most memory that this process ever had, in bytes."""
    info = psutil.Process().memory_info()
    if sys.platform == "win32":
        return info.peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def read_everything(path, base) -> None:
    inspect_file(path, norms=True, base=base)
    with open_finetune(path, base) as tune:
        for layer, delta in tune.deltas():
            assert delta.shape == layer.matrix
            assert delta.dense().isfinite().all()


@pytest.mark.parametrize("name", TECHNIQUES)
def test_damaged_files_are_refused_by_name_or_read(name, tmp_path):
    save_file(base_tensors(PREFIX), tmp_path / "base.safetensors")
    path, outcomes = tmp_path / "damaged.safetensors", {"read": 0, "refused": 0}
    before = peak()
    with open_checkpoint(tmp_path / "base.safetensors") as base:
        for number, raw in enumerate(variants(name)):
            path.write_bytes(raw)
            started = time.thread_time()
            try:
                read_everything(path, base)
                outcomes["read"] += 1
            except ElevenError as error:
                assert "damaged.safetensors" in error.cause or "base.safetensors" in error.cause, f"{number}: {error}"
                assert len(error.cause) > len(str(path)) / 4
                outcomes["refused"] += 1
            assert time.thread_time() - started < SECONDS, number
            assert number or outcomes["read"], "the undamaged file was refused"
    assert min(outcomes.values()) > EACH / 10, outcomes
    assert peak() - before < BYTES


def test_there_are_two_thousand_of_them():
    assert len(TECHNIQUES) * EACH >= 2000


def test_the_damage_to_tensors_is_of_many_kinds_in_valid_files():
    tensors = {f"{PREFIX}.{suffix}": tensor for suffix, tensor in one_layer()["lora"].items()}
    chance = random.Random(0)
    made = [load(save(changed(tensors, chance))) for _ in range(50)]
    assert len({str({key: (tensor.dtype, tensor.shape) for key, tensor in one.items()}) for one in made}) > 20
