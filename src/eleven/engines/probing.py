"""What models change in a base's predictions, on a fixed set of noised photos, before any picture is judged.

Weights of models that were trained apart hardly look alike even where they do the same, so it is predictions that are
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray

from eleven.bases.memory import memory_told
from eleven.engines.engine import Shot
from eleven.engines.inputs import BANDS, Batch, can_be_noised, noised, recorded
from eleven.engines.opening import Setup, open_engine
from eleven.engines.sampling import SMALLER
from eleven.errors import UsageError
from eleven.files.pictures import read_each, read_picture
from eleven.mix import Mix, Part, preset
from eleven.suggestions.probe import Band, Probe, as_table, overlap, ratios

if TYPE_CHECKING:
    from eleven.engines.diffusers import DiffusersEngine
    from eleven.tensors import Float, Tensor

Floats = NDArray[np.float64]
Progress = Callable[[int, int], object]
"""Hears how many of how many predictions are made."""

DRAWN, STEPS = 4, 12
"""How many pictures stand for photos where there are none, and in how many steps they are made."""

SAME = 0.99
"""The cosine from which two models do the same, so that any of their shares is as good as another."""

SURE = 2.0
"""How many standard errors a share is off the equal one before it is believed."""


def ignore(_: int, __: int) -> None:
    """Tells nobody."""


@final
@dataclass(frozen=True, eq=False)
class Change:
    """What the base predicts for a batch, and what each model changes of it."""

    batch: Batch
    plain: Float[Tensor, "row number"]
    changes: Float[Tensor, "model row number"]


@final
@dataclass(frozen=True, eq=False)
class Products:
    """The inner products of what N models change, for each input: all that a probe keeps of the predictions.

    `bands` and `sources` tell the band and the photo of each input; `targets` and `errors` are None without a truth.
    """

    bands: NDArray[np.int64]
    sources: NDArray[np.int64]
    grams: Floats
    targets: Floats | None = None
    errors: Floats | None = None

    def probe(self, left_out: int | None = None) -> Probe:
        """The means of each band, over all inputs but those of one photo."""
        chosen = np.ones(len(self.bands), bool) if left_out is None else self.sources != left_out
        return Probe(tuple(self._band(index, chosen & (self.bands == index)) for index in range(len(BANDS))))

    def _band(self, index: int, rows: NDArray[np.bool_]) -> Band:
        gram = as_table(self.grams[rows].mean(0))
        if self.targets is None or self.errors is None:
            return Band(*BANDS[index], gram, (), 0.0)
        target = tuple(map(float, self.targets[rows].mean(0)))
        return Band(*BANDS[index], gram, target, float(self.errors[rows].mean()))


@final
@dataclass(frozen=True, eq=False)
class Probing:
    """An open base, the models at strength 1, what the base is asked, and what the models change of its answers."""

    engine: DiffusersEngine
    mixes: tuple[Mix, ...]
    inputs: tuple[Batch, ...]
    probe: Probe


@contextmanager
def open_probe(  # noqa: PLR0913 - what `suggest` is given, and its two listeners
    setup: Setup,
    models: Sequence[Path],
    photos: Path | None,
    trigger: str,
    tell: Callable[[str], object],
    progress: Progress,
) -> Generator[Probing]:
    """What the models at strength 1 change in a base's predictions, with the open base; `tell` hears its notes.

    Photos that no model was trained on also tell who helps how much. Without photos, pictures of the models at the
    usual strengths are the inputs. Every ElevenError of opening bases, files and photos.
    """
    pixels = [] if photos is None else read_each(photos, lambda path: np.asarray(read_picture(path)), purpose="used")
    mixes = tuple(Mix(parts=(Part(file=str(path)),)) for path in models)
    with open_engine(setup, tell) as engine:
        inputs = inputs_for(engine, mixes, pixels, Shot(trigger, 0, steps=STEPS))
        yield Probing(engine, mixes, inputs, products(engine, mixes, inputs, progress).probe())


def inputs_for(
    engine: DiffusersEngine, mixes: Sequence[Mix], photos: Sequence[NDArray[np.uint8]], shot: Shot
) -> tuple[Batch, ...]:
    """Photos with noise over them; pictures of the usual strengths without photos, or on a base of another family.

    `shot` tells the words and how such pictures are taken.
    """
    if len(photos) and can_be_noised(engine):
        return noised(engine, photos, shot.prompt)
    return recorded(engine, together(mixes, preset(len(mixes))), shots_of(shot))


def shots_of(shot: Shot) -> list[Shot]:
    """The shot from several seeds."""
    return [replace(shot, seed=shot.seed + number) for number in range(DRAWN)]


def together(mixes: Sequence[Mix], strengths: Sequence[float]) -> Mix:
    """Mixes at these strengths, each part's own strengths times that of its mix."""
    parts = [scaled(part, strength) for mix, strength in zip(mixes, strengths, strict=True) for part in mix.parts]
    return mixes[0].model_copy(update={"parts": tuple(parts)})


def scaled(part: Part, factor: float) -> Part:
    """The part with all its strengths times a factor."""
    at = {name: strength * factor for name, strength in part.at.items()}
    return Part(file=part.file, sha256=part.sha256, strength=part.strength * factor, at=at)


def probe(engine: DiffusersEngine, mixes: Sequence[Mix], inputs: Sequence[Batch]) -> Probe:
    """What each mix changes in the predictions, band by band; the base is left as it is with the last mix in it.

    UsageError without mixes or inputs; every error of opening fine-tunes; OutOfMemory.
    """
    return products(engine, mixes, inputs).probe()


def products(
    engine: DiffusersEngine, mixes: Sequence[Mix], inputs: Sequence[Batch], progress: Progress = ignore
) -> Products:
    """The inner products for each input; the predictions of one band are held at a time."""
    grams, targets, errors = list[Floats](), list[Floats](), list[Floats]()
    for change in changed(engine, mixes, inputs, progress):
        moved = change.changes.double()
        grams.append(torch.einsum("irn,jrn->rij", moved, moved).numpy())
        if change.batch.truth is not None:
            missing = change.batch.truth.double() - change.plain.double()
            targets.append(torch.einsum("irn,rn->ri", moved, missing).numpy())
            errors.append(missing.square().sum(1).numpy())
    known = (np.concatenate(targets), np.concatenate(errors)) if targets else (None, None)
    bands = np.concatenate([[batch.band] * len(batch.sources) for batch in inputs])
    sources = np.concatenate([batch.sources for batch in inputs])
    return Products(bands, sources, np.concatenate(grams), *known)


def changed(
    engine: DiffusersEngine, mixes: Sequence[Mix], inputs: Sequence[Batch], progress: Progress = ignore
) -> Iterator[Change]:
    """What the mixes change for each batch, in order of the inputs, which are sorted by band."""
    if not mixes or not inputs:
        told = f"{len(mixes)} models on {len(inputs)} inputs change nothing."
        raise UsageError(told, hint="Name at least one model, and give at least one photo or picture.")
    total, done = len(inputs) * (len(mixes) + 1), 0
    for _, group in groupby(inputs, lambda batch: batch.band):
        batches = list(group)
        answers: list[list[Tensor]] = []
        for mix in (None, *mixes):
            answers.append(predictions(engine, mix, batches))
            done += len(batches)
            progress(done, total)
        for batch, plain, *others in zip(batches, *answers, strict=True):
            yield Change(batch, plain, torch.stack(others) - plain)


@torch.no_grad()
def predictions(engine: DiffusersEngine, mix: Mix | None, batches: Sequence[Batch]) -> list[Tensor]:
    """What the base predicts for each batch with a mix in place."""
    engine.switch(engine.combination(mix))
    with memory_told("memory is too small to probe the base.", SMALLER):
        return [batch.predict(engine) for batch in batches]


def clear_ratios(found: Products) -> tuple[float, ...]:
    """The shares that follow from photos (`ratios`), where they are clear.

    None where they may be equal by chance, which is told by leaving out one photo at a time (jackknife, Efron 1982,
    chapter 3), and where two models do the same.
    """
    shares = ratios(found.probe())
    photos = np.unique(found.sources)
    if len(shares) < 2 or len(photos) < 3 or np.triu(overlap(found.probe()), 1).max() > SAME:
        return ()
    others = np.array([ratios(found.probe(int(photo))) or shares for photo in photos])
    errors = np.sqrt((len(photos) - 1) * others.var(0))
    apart = np.abs(np.array(shares) - 1 / len(shares)) > SURE * errors
    return shares if apart.any() else ()
