"""One batch through a pipeline: conditions and noise in, pixels out; all its pictures are made alike but for those."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, final

import numpy as np
import torch

from eleven.bases.memory import memory_told
from eleven.bases.quiet import quiet
from eleven.engines.encoding import Conditions
from eleven.engines.engine import Shot
from eleven.engines.noise import checked_size, draw, generators
from eleven.engines.phases import Turn, turning
from eleven.engines.samplers import make_scheduler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eleven.bases.opened import Base

Item = TypeVar("Item")
SMALLER = "Use a smaller batch or smaller pictures, or open the base with slicing, tiling or offload."


@final
@dataclass(frozen=True)
class Framing:
    """What all pictures of a batch have in common."""

    size: tuple[int, int]
    steps: int
    guidance: float
    sampler: str
    schedule: str


def framing_of(base: Base, shot: Shot) -> Framing:
    """A shot's; UsageError for a size that the base cannot make."""
    size = shot.width or base.size[0], shot.height or base.size[1]
    checked_size(base.pipeline, size)
    return Framing(size, shot.steps, shot.guidance, shot.sampler, shot.schedule)


def batches(items: Sequence[Item], key: Callable[[Item], Hashable], most: int) -> Iterator[list[int]]:
    """Indices of items that can be made together, at most so many, the first item's batch first."""
    grouped: dict[Hashable, list[int]] = {}
    for index, item in enumerate(items):
        grouped.setdefault(key(item), []).append(index)
    pieces = [group[start : start + most] for group in grouped.values() for start in range(0, len(group), most)]
    yield from sorted(pieces)


def shapes_of(conditions: Conditions) -> Hashable:
    """What must agree for conditions to lie in one batch."""
    return tuple(sorted((name, tuple(one.shape[1:])) for name, one in conditions.items()))


def in_order(made: Iterable[tuple[list[int], list[Item]]]) -> Iterator[Item]:
    """Items as soon as all before them are there, by their indices."""
    waiting: dict[int, Item] = {}
    following = 0
    for indices, items in made:
        waiting |= dict(zip(indices, items, strict=True))
        while following in waiting:
            yield waiting.pop(following)
            following += 1


@torch.no_grad()
def sample(
    base: Base, framing: Framing, seeds: Sequence[int], conditions: Sequence[Conditions], turn: Turn | None = None
) -> list[NDArray[np.uint8]]:
    """A picture of each seed with its conditions, row by row in memory; `turn` hears of phases. OutOfMemory."""
    sources = generators(seeds)
    pipeline: Any = base.pipeline
    latents = draw(pipeline, framing.size, sources)
    joined = {name: torch.cat([each[name] for each in conditions]) for name in conditions[0]}
    dtype = joined["prompt_embeds"].dtype
    after = {} if turn is None else {"callback_on_step_end": turning(turn, framing.steps)}
    told = f"memory is too small for {len(seeds)} pictures at once."
    with quiet(), scheduler(pipeline, framing), memory_told(told, SMALLER):
        images: NDArray[np.float32] = pipeline(
            **joined,
            latents=latents.to(device=base.device, dtype=dtype),
            generator=sources,
            width=framing.size[0],
            height=framing.size[1],
            num_inference_steps=framing.steps,
            guidance_scale=framing.guidance,
            output_type="np",
            **after,
        ).images
    # row by row: scorers round otherwise where a picture lies otherwise in memory than one read from another process
    return list(np.ascontiguousarray((images * 255).round().astype("uint8")))


@contextmanager
def scheduler(pipeline: Any, framing: Framing) -> Generator[None]:  # noqa: ANN401 - of any family
    """The sampler that is asked for stands in the pipeline, its own one afterwards."""
    own = pipeline.scheduler
    pipeline.scheduler = make_scheduler(own, framing.sampler, framing.schedule)
    try:
        yield
    finally:
        pipeline.scheduler = own
