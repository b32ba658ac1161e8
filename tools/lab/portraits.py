"""The pictures that the lab's networks learn from: many people, one photo each, kept in a file once drawn."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from eleven.lab.person import Person, draw_person
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import Scene, draw_scene

CATS = 8
"""One picture in this many is of a cat."""


def drawn(seed: int) -> tuple[Person, Scene]:
    """The person and the scene of one picture of the training set; no concept's people are among these seeds."""
    return draw_person(seed, "cat" if seed % CATS == 0 else "person"), draw_scene(seed)


def portrait(seed: int) -> np.ndarray:
    """The picture itself."""
    return draw_portrait(*drawn(seed))


def portraits(work: Path, count: int, first: int = 1_000_000, workers: int = 1) -> np.ndarray:
    """Pictures of `count` different people as uint8 (count, 96, 96, 3), mapped from a file in `work`."""
    path = work / f"portraits-{first}-{count}.npy"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(workers) as pool:
            pictures = pool.map(portrait, range(first, first + count), chunksize=64)
            draft = path.with_suffix(".new.npy")
            np.save(draft, np.stack(list(pictures)))
        draft.replace(path)
    return np.load(path, mmap_mode="r")
