"""A DreamBooth checkpoint as a fine-tune: every layer's difference to the base that it was trained from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, final

from eleven.delta import Delta, Dense
from eleven.errors import BaseNeeded, FamilyMismatch, TensorError
from eleven.files.container import Container
from eleven.files.dtypes import bytes_of
from eleven.finetunes.checkpoint import Checkpoint
from eleven.layers.checkpoints import is_needless
from eleven.layers.family import Family
from eleven.layers.layer import Layer
from eleven.techniques.exact import is_finite
from eleven.techniques.textual_inversion import Word

BLOCK = 1 << 18
"""Bytes of each file that are compared at once."""
UNMIXED = "vae"
"""The picture decoder, which no training of a concept moves: where it differs, another one was put in."""


@final
@dataclass(frozen=True, eq=False)
class Difference:
    """Implements `FineTune`; bound to `base`, without which it can only be described."""

    tuned: Checkpoint
    base: Checkpoint | None = None
    words: tuple[Word, ...] = ()
    opened: ExitStack = field(default_factory=ExitStack, repr=False)
    modules: dict[str, list[str]] = field(default_factory=dict[str, list[str]], init=False)

    def __post_init__(self) -> None:
        for name in self.tuned.sources:
            if not name.startswith(f"{UNMIXED}."):
                self.modules.setdefault(name.rpartition(".")[0], []).append(name)

    @property
    def container(self) -> Container:
        """The file or folder of the tuned model."""
        return self.tuned.container

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.tuned.path

    @property
    def family(self) -> Family | None:
        """The base architecture, or None."""
        return self.tuned.family

    @property
    def family_name(self) -> str:
        """The family as users call it."""
        return self.family.title if self.family else "an unknown family"

    @property
    def unread(self) -> tuple[str, ...]:
        """Keys that belong to no layer of the family."""
        return self.tuned.rest

    @property
    def faults(self) -> dict[str, str]:
        """None: a checkpoint's layers stand alone."""
        return {}

    def change(self, module: str) -> list[tuple[Layer, Delta]]:
        """Tuned less base for each parameter that differs. BaseNeeded, FamilyMismatch for another base."""
        base = self._base()
        names = self.modules.get(module, ())
        if any(name not in base.sources for name in names):
            require_layers(self.tuned, base)
        shared = [name for name in names if name in base.sources]
        return [found for name in shared if (found := self._difference(name, base))]

    def deltas(self) -> Iterator[tuple[Layer, Delta]]:
        """Every change, one module in memory at a time."""
        for module in self.modules:
            yield from self.change(module)

    def close(self) -> None:
        """Lets the tuned model's file go, and a base that was opened for it."""
        self.tuned.close()
        self.opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _base(self) -> Checkpoint:
        if self.base is None:
            told = f"{self.path.name} is a whole model, and no base to compare it with was given."
            raise BaseNeeded(told, hint="Use --base MODEL, the one it was trained from.")
        if self.base.family != self.family:
            told = f"{self.path.name} is for {self.family_name}, {self.base.path.name} is not."
            raise FamilyMismatch(told, hint="Give the base it was trained from.")
        return self.base

    def _difference(self, name: str, base: Checkpoint) -> tuple[Layer, Delta] | None:
        if same_bytes(self.tuned, base, name):
            return None
        tuned, original = self.tuned.stored(name), base.stored(name)
        if not tuned.is_floating_point():
            return None
        if tuned.shape != original.shape:
            told = f"{self.path.name}: {name} is {list(tuned.shape)}, in {base.path.name} {list(original.shape)}."
            raise TensorError(told, hint="They are different variants (inpainting?), or one is damaged.")
        moved = tuned.float().sub_(original.float() if original.element_size() == 1 else original)
        if not is_finite(moved):
            raise TensorError(f"{self.path.name}: {name} holds NaN or infinity.", hint="The file is damaged.")
        layer = self._layer(name, tuple(tuned.shape))
        return layer, Dense(moved.reshape(layer.matrix))

    def _layer(self, name: str, shape: tuple[int, ...]) -> Layer:
        known = self.family.layers().get(name) if self.family else None
        return Layer(name, shape, known.block if known else "")


def require_layers(tuned: Checkpoint, base: Checkpoint) -> None:
    """FamilyMismatch where the base lacks layers of the tuned model, its picture decoder and constants aside."""
    wanted = [name for name in tuned.sources if not name.startswith(f"{UNMIXED}.")]
    lacking = [name for name in wanted if name not in base.sources and not (tuned.family is None and is_needless(name))]
    if lacking:
        told = f"{base.path.name} lacks {len(lacking)} of the {len(wanted)} layers of {tuned.path.name}"
        raise FamilyMismatch(
            f"{told} (first: {lacking[0]}).", hint="Give the whole model it was trained from, text encoders included."
        )


def same_bytes(first: Checkpoint, second: Checkpoint, name: str) -> bool:
    """Whether both files hold the same bytes for a layer, read in blocks until one differs."""
    one, other = first.sources[name], second.sources[name]
    entries = first.container.entries[one.key], second.container.entries[other.key]
    if entries[0] != entries[1] or (one.ranges, one.transposed) != (other.ranges, other.transposed):
        return False
    left, right = bytearray(BLOCK), bytearray(BLOCK)
    for start in range(0, bytes_of(entries[0]), BLOCK):
        first.container.read_into(one.key, memoryview(left), start)
        second.container.read_into(other.key, memoryview(right), start)
        if left != right:
            return False
    return True
