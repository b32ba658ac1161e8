"""Photos as what training needs of them: latents and captions, encoded once, and the batches of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from eleven.bases.architectures import Architecture, Pipeline, Texts, encode_pictures
from eleven.tensors import Tensor
from eleven.training.buckets import Size, bucket, fitted
from eleven.training.photos import Photo
from eleven.training.plan import TrainingPlan
from eleven.training.trainee import Trainee


@dataclass(frozen=True, eq=False)
class Example:
    """The latents of one photo, (views, channels, height, width), and its caption; the second view is mirrored."""

    latents: Tensor
    caption: str

    @property
    def size(self) -> Size:
        """Width and height in latents."""
        return self.latents.shape[-1], self.latents.shape[-2]


@dataclass(frozen=True, eq=False)
class Batch:
    """Latents with the noise and the quantile of the noise level that each gets, and what each is called."""

    clean: Tensor
    noise: Tensor
    quantiles: Tensor
    captions: tuple[str, ...]


def read_examples(
    pipeline: Pipeline, photos: Sequence[Photo], *, resolution: int, step: int, flip: bool = False
) -> list[Example]:
    """Every photo cropped to its bucket and encoded, each alone, so that none depends on the others."""
    return [_example(pipeline, photo, bucket(photo.picture.size, resolution, step), flip=flip) for photo in photos]


def _example(pipeline: Pipeline, photo: Photo, size: Size, *, flip: bool) -> Example:
    numbers = np.asarray(fitted(photo.picture, size), dtype=np.float32) / 127.5 - 1
    pixels = torch.from_numpy(numbers).permute(2, 0, 1)[None]
    views = [pixels, pixels.flip(-1)] if flip else [pixels]
    return Example(torch.cat([encode_pictures(pipeline, view) for view in views]), photo.caption)


def drawn(examples: Sequence[Example], chosen: Sequence[int], plan: TrainingPlan, stream: torch.Generator) -> Batch:
    """The chosen examples with everything that chance decides; noise levels are spread evenly over the batch."""
    several = [examples[index] for index in chosen]
    count = len(several)
    views = torch.rand(count, generator=stream)
    dropped = (torch.rand(count, generator=stream) < plan.caption_dropout).tolist()
    quantiles = (torch.randperm(count, generator=stream) + torch.rand(count, generator=stream)) / count
    clean = torch.stack(
        [one.latents[int(view * len(one.latents))] for one, view in zip(several, views.tolist(), strict=True)]
    )
    return Batch(
        clean,
        torch.randn(clean.shape, generator=stream),
        within(quantiles, plan.timesteps),
        tuple("" if drop else one.caption for one, drop in zip(several, dropped, strict=True)),
    )


def fixed(example: Example, number: int, plan: TrainingPlan, levels: int) -> Batch:
    """One held-out example at evenly spaced noise levels, with noise that is the same whenever it is asked for."""
    stream = torch.Generator().manual_seed(plan.seed * 1_000_003 + number)
    clean = example.latents[:1].expand(levels, -1, -1, -1)
    quantiles = (torch.arange(levels) + 0.5) / levels
    noise = torch.randn(clean.shape, generator=stream)
    return Batch(clean, noise, within(quantiles, plan.timesteps), (example.caption,) * levels)


def within(quantiles: Tensor, window: tuple[float, float]) -> Tensor:
    """Quantiles of the whole range as quantiles of a part of it."""
    low, high = window
    return low + (high - low) * quantiles


@dataclass(frozen=True, eq=False)
class Encoder:
    """Captions for the denoiser: encoded anew where the text encoders learn, otherwise once."""

    pipeline: Pipeline
    architecture: Architecture
    trainee: Trainee
    known: dict[str, Texts] = field(default_factory=dict[str, Texts])

    def __call__(self, captions: Sequence[str]) -> Texts:
        """The texts of a batch."""
        if self.trainee.texts:
            return self.architecture.encode(self.pipeline, [self.trainee.wording(caption) for caption in captions])
        for caption in captions:
            if caption not in self.known:
                with torch.no_grad():
                    self.known[caption] = self.architecture.encode(self.pipeline, [caption])
        return tuple(map(torch.cat, zip(*(self.known[caption] for caption in captions), strict=True)))
