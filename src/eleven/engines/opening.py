"""`open_engine`: a base by its name and the engine on it, closed behind a block."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from eleven.engines.diffusers import DiffusersEngine


@final
@dataclass(frozen=True)
class Setup:
    """How the base is opened and pictures are taken, in the words of the command line."""

    base: str
    device: str = "auto"
    dtype: str = "auto"
    batch: int = 4
    low_memory: bool = False
    download: bool = False


@contextmanager
def open_engine(setup: Setup, tell: Callable[[str], object]) -> Generator[DiffusersEngine]:
    """The engine; `tell` hears what was assumed of the base, and what pictures cannot have. Every error of opening."""
    from eleven.bases.devices import choose_device
    from eleven.bases.opening import open_base
    from eleven.bases.options import PLAIN, BaseOptions, Offload
    from eleven.engines.diffusers import DiffusersEngine, Settings

    options = PLAIN
    if setup.low_memory:
        spare = Offload.NONE if choose_device(setup.device).type == "cpu" else Offload.MODEL
        options = BaseOptions(vae_slicing=True, vae_tiling=True, offload=spare)
    base = open_base(setup.base, device=setup.device, dtype=setup.dtype, download=setup.download, options=options)
    for told in base.notes:
        tell(f"note: {told}")
    with DiffusersEngine(base, Settings(batch=1 if setup.low_memory else setup.batch), tell=tell) as engine:
        yield engine


def openers(setup: Setup, count: int) -> list[Callable[[], AbstractContextManager[DiffusersEngine]]]:
    """What opens an engine in each of so many processes: on a GPU each, in turn, or on a share of the processors."""
    from eleven.bases.devices import choose_device

    own = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    threads = max(1, own // count)
    if choose_device(setup.device).type != "cuda" or ":" in setup.device:
        return [partial(open_worker, setup, threads)] * count
    import torch

    places = [f"cuda:{number % torch.cuda.device_count()}" for number in range(count)]
    return [partial(open_worker, replace(setup, device=place), threads) for place in places]


@contextmanager
def open_worker(setup: Setup, threads: int) -> Generator[DiffusersEngine]:
    """The engine in a process of its own, which leaves processors to the others and tells nobody anything."""
    import torch

    from eleven.engines.diffusers import ignore

    torch.set_num_threads(threads)
    with open_engine(setup, ignore) as engine:
        yield engine
