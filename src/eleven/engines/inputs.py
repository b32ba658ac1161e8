"""What a base is asked in a probe: photos with noise over them, or what it was asked while it made pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray

from eleven.bases.architectures import architecture_of, encode_pictures, step_of
from eleven.bases.memory import memory_told
from eleven.bases.objectives import objective_of
from eleven.engines.engine import Shot
from eleven.engines.noise import generators
from eleven.engines.redrawing import SMALLER, framed
from eleven.errors import UsageError
from eleven.mix import Mix

if TYPE_CHECKING:
    from eleven.engines.diffusers import DiffusersEngine
    from eleven.tensors import Float, Tensor

BANDS = (("low noise", 0.0, 1 / 3), ("middle noise", 1 / 3, 2 / 3), ("high noise", 2 / 3, 1.0))
"""Ranges of noise by name, as shares of the noise levels that a base is trained on, from clean to noise alone."""

EACH = 24
"""How many noised latents a band has."""

GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, less their whole part, lie evenly however many there are."""


class Batch(Protocol):
    """Inputs of one band that go through the denoiser together, one a row."""

    @property
    def band(self) -> int:
        """Which of BANDS."""
        ...

    @property
    def sources(self) -> tuple[int, ...]:
        """Which photo or picture each row was made from."""
        ...

    @property
    def truth(self) -> Tensor | None:
        """What should be predicted, (rows, numbers), where anybody knows."""
        ...

    def predict(self, engine: DiffusersEngine) -> Tensor:
        """What the denoiser predicts with the weights as they are, (rows, numbers) in float32 on the processor."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Noised:
    """Implements `Batch` for latents with noise over them; `prompt` is read anew, by the text encoders as they are."""

    band: int
    sources: tuple[int, ...]
    latents: Float[Tensor, "row channel height width"]
    times: Tensor
    truth: Float[Tensor, "row number"]
    prompt: str

    def predict(self, engine: DiffusersEngine) -> Tensor:
        """The prediction without guidance."""
        known = engine.conditions(Shot(self.prompt, 0, guidance=1.0))
        embeds, pooled = known["prompt_embeds"], known.get("pooled_prompt_embeds")
        texts = tuple(one.expand(len(self.latents), *one.shape[1:]) for one in (embeds, pooled) if one is not None)
        pipeline, device = engine.base.pipeline, engine.base.device
        latents, times = self.latents.to(device, embeds.dtype), self.times.to(device)
        found = architecture_of(pipeline).predict(pipeline, latents, times, texts)
        return found.float().flatten(1).cpu()


@final
@dataclass(frozen=True, eq=False)
class Recorded:
    """Implements `Batch` for what the denoiser was once given, the texts as they were read then."""

    band: int
    sources: tuple[int, ...]
    arguments: tuple[object, ...]
    named: dict[str, object]
    truth: None = None

    def predict(self, engine: DiffusersEngine) -> Tensor:
        """The prediction, one row for each that guidance takes."""
        found: Tensor = denoiser_of(engine)(*self.arguments, **{**self.named, "return_dict": False})[0]
        return found.float().flatten(1).cpu()


def can_be_noised(engine: DiffusersEngine) -> bool:
    """Whether it is known how this base is asked directly: SD 1, SD 2, SDXL, SD 3 and FLUX."""
    try:
        architecture_of(engine.base.pipeline)
        objective_of(engine.base.pipeline.scheduler)
    except UsageError:
        return False
    return True


@torch.no_grad()
def noised(engine: DiffusersEngine, photos: Sequence[NDArray[np.uint8]], prompt: str) -> tuple[Noised, ...]:
    """At most 24 of the photos, as the base's autoencoder holds them, with noise of every band; always the same.

    The noise of each is drawn on the processor from its own seed. UsageError without photos and for a base that cannot
    be asked so; OutOfMemory where the autoencoder does not fit.
    """
    if not len(photos):
        raise UsageError("there are no photos to put noise over.", hint="Give a folder of photos, or none.")
    if not can_be_noised(engine):
        told = f"it is not known how {type(engine.base.pipeline).__name__} is asked for single predictions."
        raise UsageError(told, hint="Probe it with what it is asked while it makes pictures.")
    engine.switch(None)
    pipeline: Any = engine.base.pipeline
    unit = step_of(pipeline, architecture_of(pipeline).denoiser)
    chosen = [photos[index] for index in np.linspace(0, len(photos) - 1, min(EACH, len(photos))).round().astype(int)]
    with memory_told("memory is too small to encode the photos.", SMALLER):
        latents = [_encoded(pipeline, framed(photo, engine.base, unit)) for photo in chosen]
    rows = [(band, number % len(latents), number) for band in range(len(BANDS)) for number in range(EACH)]
    rows.sort(key=lambda row: (row[0], latents[row[1]].shape, row[2]))
    alike = [list(group) for _, group in groupby(rows, lambda row: (row[0], latents[row[1]].shape))]
    size = engine.settings.batch
    pieces = [group[start : start + size] for group in alike for start in range(0, len(group), size)]
    return tuple(_batch(pipeline, piece, [latents[source] for _, source, _ in piece], prompt) for piece in pieces)


def _encoded(pipeline: Any, photo: NDArray[np.uint8]) -> Tensor:  # noqa: ANN401 - of any family
    return encode_pictures(pipeline, torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 127.5 - 1)


def _batch(pipeline: Any, rows: Sequence[tuple[int, int, int]], latents: Sequence[Tensor], prompt: str) -> Noised:  # noqa: ANN401
    """Rows are the band, the source and the number in the band."""
    objective, (_, low, high) = objective_of(pipeline.scheduler), BANDS[rows[0][0]]
    clean = torch.cat(list(latents))
    seeds = generators([band * EACH + number for band, _, number in rows])
    noise = torch.cat([torch.randn(clean[:1].shape, generator=seed) for seed in seeds])
    times = objective.times(torch.tensor([low + (high - low) * ((number + 1) * GOLDEN % 1) for *_, number in rows]))
    truth = objective.target(clean, noise, times).flatten(1)
    sources = tuple(source for _, source, _ in rows)
    return Noised(rows[0][0], sources, objective.noised(clean, noise, times), times, truth, prompt)


def recorded(engine: DiffusersEngine, passing: Mix, shots: Sequence[Shot]) -> tuple[Recorded, ...]:
    """What the denoiser is given while it makes these pictures of a mix, the first third of the steps as high noise.

    Every error of taking pictures.
    """
    found: list[Recorded] = []
    for source, shot in enumerate(shots):
        with listening(engine) as calls:
            list(engine.take(passing, [shot]))
        for number, (arguments, named, rows) in enumerate(calls):
            band = len(BANDS) - 1 - number * len(BANDS) // len(calls)
            found.append(Recorded(band, (source,) * rows, arguments, named))
    return tuple(sorted(found, key=lambda one: one.band))


Call = tuple[tuple[object, ...], dict[str, object], int]
"""What a denoiser was once given, and how many rows it answered with."""


@contextmanager
def listening(engine: DiffusersEngine) -> Generator[list[Call]]:
    """Every call of the denoiser until the block is left."""
    denoiser = denoiser_of(engine)
    own: Callable[..., Any] = denoiser.forward
    calls: list[Call] = []

    def forward(*arguments: object, **named: object) -> object:
        answer = own(*arguments, **named)
        calls.append((arguments, named, len(answer[0])))
        return answer

    denoiser.forward = forward
    try:
        yield calls
    finally:
        del denoiser.forward


def denoiser_of(engine: DiffusersEngine) -> Any:  # noqa: ANN401 - of any family
    """The part of the pipeline that predicts."""
    pipeline: Any = engine.base.pipeline
    return getattr(pipeline, "transformer", None) or pipeline.unet
