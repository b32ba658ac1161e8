"""What other tools do, written plainly: `python -m benchmarks.peers NAME REQUEST` does one job in its own process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.listing import Module, read_listing
from benchmarks.reading import delta, one_of_each, total, weight
from benchmarks.request import Request, read_request

Told = dict[str, float]
Split = Callable[[Tensor, int], tuple[Tensor, Tensor]]


def merge_by_svd(request: Request) -> Told:
    """Two or more adapters into one of a lower rank: every delta dense, its SVD cut; no quantile clamp."""
    files = [(load_file(path), strength) for path, strength in request.parts]
    modules = [module for module in read_listing(Path(request.listing)).modules if has_any(files, module)]
    return split_each(request, modules, lambda module: total(files, module, torch.float32), by_svd)


def extract_by_svd(request: Request, split: Split | None = None) -> Told:
    """A tuned checkpoint less its base into an adapter: every difference dense, its SVD cut."""
    base, tuned = load_file(request.base), load_file(request.tuned)
    modules = read_listing(Path(request.listing)).attention()

    def change(module: Module) -> Tensor:
        return weight(tuned, module, torch.float32) - weight(base, module, torch.float32)

    return split_each(request, modules, change, split or by_svd)


def extract_by_lycoris(request: Request) -> Told:
    """The same with lycoris-lora's own function."""
    from lycoris.utils import extract_linear

    def split(change: Tensor, rank: int) -> tuple[Tensor, Tensor]:
        (down, up, _), _ = extract_linear(change, "fixed", rank)
        return up, down

    return extract_by_svd(request, split)


def by_svd(change: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Up (out, rank) and down (rank, in) by torch's full SVD."""
    u, s, v = torch.linalg.svd(change, full_matrices=False)
    return u[:, :rank] * s[:rank], v[:rank]


def split_each(
    request: Request, modules: Iterable[Module], change: Callable[[Module], Tensor | None], split: Split
) -> Told:
    """Splits every module's change and saves the factors; tells the time of what it left out."""
    out, extra, ran, listed = {}, [0.0, 0.0], 0, list(modules)
    by_svd(torch.ones(64, 64), 1)
    for alike in one_of_each(listed).values():
        chosen = alike[:1] if request.sampled else alike
        started = time.process_time(), time.monotonic()
        for module in chosen:
            found = change(module)
            assert found is not None
            out.update(saved(module, *split(found, request.rank)))
        spent = time.process_time() - started[0], time.monotonic() - started[1]
        left = (len(alike) - len(chosen)) / len(chosen)
        extra = [more + left * seconds for more, seconds in zip(extra, spent, strict=True)]
        ran += len(chosen)
    save_file(out, request.to)
    return {"layers": len(listed), "ran": ran, "extra_cpu": extra[0], "extra_wall": extra[1]}


def saved(module: Module, up: Tensor, down: Tensor) -> Iterator[tuple[str, Tensor]]:
    """A LoRA's three tensors in kohya's spelling, fp16."""
    inner = module.shape[1:]
    yield f"{module.prefix}.lora_up.weight", up.reshape(len(up), -1, *(1 for _ in inner[1:])).half().contiguous()
    yield f"{module.prefix}.lora_down.weight", down.reshape(-1, *inner).half().contiguous()
    yield f"{module.prefix}.alpha", torch.tensor(float(len(down))).half()


def has_any(files: Iterable[tuple[dict[str, Tensor], float]], module: Module) -> bool:
    """Whether any file changes the module."""
    starts = (f"{module.prefix}.{name}" for name in ("lora_up.weight", "hada_w1_a", "lokr_w1"))
    return any(start in file for start in starts for file, _ in files)


def bake_whole(request: Request) -> Told:
    """Adapters into a checkpoint that is in memory as a whole, in fp32; saved as fp16."""
    tensors = {key: tensor.float() for key, tensor in load_file(request.base).items()}
    modules = read_listing(Path(request.listing)).modules
    for path, strength in request.parts:
        file = load_file(path)
        for module in modules:
            if (change := delta(file, module.prefix, torch.float32)) is not None:
                add(tensors[module.key], module, change * strength)
    save_file({key: tensors.pop(key).half() for key in list(tensors)}, request.to)
    return {}


def add(whole: Tensor, module: Module, change: Tensor) -> None:
    """Adds a change in place where the checkpoint keeps the module."""
    change = change.T if module.transposed else change
    done = 0
    for start, stop in module.rows or ((0, len(whole)),):
        whole[start:stop] += change[done : done + stop - start].reshape(whole[start:stop].shape)
        done += stop - start


def join(request: Request) -> Told:
    """The floor of an exact bake: reads all inputs, puts the factors side by side, writes; no arithmetic at all."""
    files = [load_file(path) for path, _ in request.parts]
    out = {}
    for key in files[0]:
        several = [file[key] for file in files]
        axis = 1 if key.endswith("lora_up.weight") else 0
        out[key] = several[0] if key.endswith("alpha") else torch.cat(several, axis)
    save_file(out, request.to)
    return {}


def bake_by_lycoris(request: Request) -> Told:
    """Adapters into a checkpoint by lycoris-lora's own `merge`."""
    from benchmarks.library_peers import bake_with_lycoris

    bake_with_lycoris(request)
    return {}


def merge_by_peft(request: Request) -> Told:
    """Adapters into one by PEFT's own `add_weighted_adapter`, combination `svd`."""
    from benchmarks.library_peers import merge_with_peft

    merge_with_peft(request)
    return {}


PEERS: dict[str, Callable[[Request], Told]] = {
    "merge": merge_by_svd,
    "extract": extract_by_svd,
    "whole": bake_whole,
    "join": join,
    "lycoris-extract": extract_by_lycoris,
    "lycoris-bake": bake_by_lycoris,
    "peft-merge": merge_by_peft,
}
"""Every peer that is a process of Python; the other one is the system's `cp`."""


def main(name: str, request: str) -> None:
    """Does the job, and prints what it left out as JSON."""
    with torch.inference_mode():
        told = PEERS[name](read_request(request))
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
