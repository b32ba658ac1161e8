"""Sizes that photos are trained at, by one rule, and which photos make up each batch."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

from PIL import Image, ImageOps

Size = tuple[int, int]
LONGEST = 2.0
"""The most that one side may be longer than the other; what is longer is cropped."""


def bucket(size: Size, resolution: int, step: int) -> Size:
    """(width, height) nearest to the photo's shape, of no more pixels than the square, sides multiples of `step`."""
    shape = min(max(size[0] / size[1], 1 / LONGEST), LONGEST)
    most = resolution * resolution
    listed = [
        (width, height)
        for width in range(step, int(resolution * LONGEST) + 1, step)
        if (height := min(most // width, int(resolution * LONGEST)) // step * step) > 0
    ]
    return min(listed, key=lambda at: (abs(at[0] / at[1] / shape - 1) + abs(at[1] / at[0] * shape - 1), -at[0] * at[1]))


def fitted(picture: Image.Image, size: Size) -> Image.Image:
    """The photo scaled to cover the size and cropped at its centre."""
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def batches(sizes: Sequence[Size], batch: int, steps: int, seed: int) -> list[tuple[int, ...]]:
    """Which photos each step takes: all of one size, each size as often as it has photos, each photo equally often."""
    chance = random.Random(seed)
    groups: dict[Size, list[int]] = defaultdict(list)
    for index, size in enumerate(sizes):
        groups[size].append(index)
    streams = {size: _endless(members, chance) for size, members in groups.items()}
    weights = [len(members) for members in groups.values()]
    chosen = chance.choices(list(groups), weights, k=steps)
    return [tuple(next(streams[size]) for _ in range(batch)) for size in chosen]


def _endless(members: Sequence[int], chance: random.Random) -> Iterator[int]:
    """All members in a new order, again and again."""
    while True:
        yield from chance.sample(members, len(members))
