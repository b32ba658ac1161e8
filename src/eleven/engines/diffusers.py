"""The engine that runs a base model in this process, through diffusers' own pipelines with patched weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

from eleven.combination import Combination
from eleven.engines.encoding import Conditions, Tell, encoder_of
from eleven.engines.engine import Picture, Shot
from eleven.engines.guiding import drawing
from eleven.engines.originals import original_checkpoint
from eleven.engines.parts import Library
from eleven.engines.phases import phases_of
from eleven.engines.sampling import batches, framing_of, in_order, sample, shapes_of
from eleven.engines.weights import Weights
from eleven.engines.words import Vocabulary, words_of
from eleven.errors import UsageError
from eleven.mix import Mix

if TYPE_CHECKING:
    from torch import nn

    from eleven.bases.opened import Base

GIB = 1 << 30


@final
@dataclass(frozen=True)
class Settings:
    """How many pictures are made at once, and how many bytes decoded changes may take to be kept for the next mix."""

    batch: int = 4
    memory: int = 2 * GIB
    ignore_unknown: bool = False

    def __post_init__(self) -> None:
        """UsageError for a batch of none."""
        if self.batch < 1:
            raise UsageError(f"{self.batch} pictures at once make none.", hint="Use a batch of 1 or more.")


def ignore(_: str) -> None:
    """Tells nobody."""


def once(tell: Tell) -> Tell:
    """Tells each sentence the first time only: every mix and every prompt would repeat it."""
    heard: set[str] = set()

    def told(text: str) -> None:
        if text not in heard:
            heard.add(text)
            tell(text)

    return told


@final
class DiffusersEngine:
    """Implements `Engine`: every technique exact, the base bit-identical again once no mix is asked for.

    `tell` hears, once each, what a picture cannot have of what its shot asks for (weights beside a T5, a schedule in a
    prompt), and words that no prompt says.
    Close it, or leave its `with` block, and the base is as it was.
    """

    def __init__(self, base: Base, settings: Settings | None = None, *, tell: Tell = ignore) -> None:
        """FamilyMismatch for a base of no known family."""
        self.base = base
        self.settings = settings or Settings()
        self.weights = Weights(changeable(base), hint=base.family_name)
        self.vocabulary = Vocabulary(base.pipeline)
        self.tell = once(tell)
        self.encoder = encoder_of(base.pipeline, self.vocabulary, self.tell)
        self.library = Library(
            original_checkpoint(self.weights, base.path),
            self.weights.family.title,
            self.settings.memory,
            ignore_unknown=self.settings.ignore_unknown,
        )
        self._now: tuple[str, tuple[str, ...]] | None = None
        self._encoded: dict[tuple[str, str, int, bool], Conditions] = {}

    def take(self, mix: Mix | None, shots: Sequence[Shot]) -> Iterator[Picture]:
        """A picture of each shot, in their order; None is the base alone. Every ElevenError of opening and mixing.

        What one batch needs is asked for when its first picture is, so that mixes may be taken in turn.
        """
        combination = self.combination(mix)
        framings = [framing_of(self.base, shot) for shot in shots]
        self.switch(phases_of(combination, next((framing.steps for framing in framings), 1))[0])
        for word in self.vocabulary.unsaid(text for shot in shots for text in (shot.prompt, shot.negative)):
            self.tell(f"the word {word!r} is taught, and no prompt says it: it changes nothing")
        known = [self.conditions(shot) for shot in shots]
        keys = [(framing, shapes_of(each)) for framing, each in zip(framings, known, strict=True)]

        def make(indices: list[int]) -> list[Picture]:
            framing = framings[indices[0]]
            seeds = [shots[index].seed for index in indices]
            with drawing(self, phases_of(combination, framing.steps), framing.guidance) as turn:
                made = sample(self.base, framing, seeds, [known[index] for index in indices], turn)
            return [Picture(mix, shots[index], pixels) for index, pixels in zip(indices, made, strict=True)]

        grouped = batches(keys, lambda key: key, self.settings.batch)
        yield from in_order((indices, make(indices)) for indices in grouped)

    def take_each(self, wanted: Sequence[tuple[Mix | None, Shot]]) -> Iterator[Picture]:
        """A picture of each mix and shot, in their order, different mixes in one batch where their changes allow it."""
        from eleven.engines.mixed import take_each

        yield from take_each(self, wanted)

    def combination(self, mix: Mix | None) -> Combination | None:
        """The changes of a mix, None for none."""
        return None if mix is None else self.library.combination(mix)

    def switch(self, combination: Combination | None) -> None:
        """Weights and words are those of the mix; nothing happens where they are already."""
        wanted = (combination.mix.digest, combination.modules) if combination else None
        if wanted == self._now:
            return
        self._now = ("", ())
        self._encoded.clear()
        self.vocabulary.remove()
        self.weights.apply(combination or ())
        self.vocabulary.put(words_of(combination) if combination else {})
        self._now = wanted

    def conditions(self, shot: Shot) -> Conditions:
        """What the words of a shot become with the weights as they are now; equal words are encoded once."""
        key = shot.prompt, shot.negative, shot.clip_skip, shot.guidance > 1
        if key not in self._encoded:
            self._encoded[key] = self.encoder.encode(shot)
        return self._encoded[key]

    def close(self) -> None:
        """The base is as it was, and every file is let go."""
        self.switch(None)
        self.library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def changeable(base: Base) -> dict[str, nn.Module]:
    """The components that a family's table describes: those that mixes change, and the picture decoder."""
    vae = base.pipeline.components.get("vae")
    return {**base.components, **({} if vae is None else {"vae": vae})}
