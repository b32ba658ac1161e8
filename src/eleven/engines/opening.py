"""`open_engine`: a base by its name and the engine on it, closed behind a block."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
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
