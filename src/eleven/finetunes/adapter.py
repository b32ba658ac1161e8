"""An adapter file: containers × dialects × techniques brought together into changes of a family's layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, final

from eleven import techniques
from eleven.delta import Delta, Rows, Sum
from eleven.errors import ElevenError, FamilyMismatch, TensorError
from eleven.files.container import Container, read_raws
from eleven.finetunes.checkpoint import Checkpoint
from eleven.finetunes.original import OriginalModule
from eleven.layers.family import Family
from eleven.layers.layer import Layer, Place
from eleven.layers.recognise import Recognition
from eleven.raw import Factors
from eleven.techniques.technique import Change, Measure
from eleven.techniques.textual_inversion import Word
from eleven.tensors import Tensor

Keys = Mapping[str, str]
"""The keys of one module's tensors by their names in this project's spelling."""


@dataclass(frozen=True)
class Contents:
    """What a header says, by file prefix: keys, what they measure, techniques, and numbers told beside the tensors."""

    keys: dict[str, Keys]
    measures: dict[str, Measure]
    techniques: dict[str, tuple[str, ...]]
    markers: dict[str, dict[str, float]]
    faults: dict[str, str]


@final
@dataclass(frozen=True, eq=False)
class Adapter:
    """Implements `FineTune`."""

    container: Container
    contents: Contents
    recognition: Recognition
    words: tuple[Word, ...]
    unread: tuple[str, ...]
    base: Checkpoint | None = None
    opened: ExitStack = field(default_factory=ExitStack, repr=False)
    modules: dict[str, list[tuple[str, Place]]] = field(default_factory=dict[str, list[tuple[str, Place]]], init=False)
    _last: dict[str, Change] = field(default_factory=dict[str, Change], init=False, repr=False)

    def __post_init__(self) -> None:
        for prefix, places in self.recognition.places.items():
            for place in places:
                self.modules.setdefault(place.module, []).append((prefix, place))

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.container.path

    @property
    def family(self) -> Family | None:
        """The base architecture, or None."""
        return self.recognition.family

    @property
    def family_name(self) -> str:
        """The family as users call it."""
        told = next((word.family for word in self.words if word.family), None)
        return self.family.title if self.family else told or "an unknown family"

    @property
    def faults(self) -> Mapping[str, str]:
        """Modules whose tensors contradict each other, with the reason."""
        return self.contents.faults

    def change(self, module: str) -> list[tuple[Layer, Delta]]:
        """The deltas of a module's parameters. TensorError naming file and key; BaseNeeded, FamilyMismatch."""
        found: dict[str, list[Delta]] = {}
        for prefix, place in self.modules.get(module, ()):
            for parameter, delta in self._decoded(prefix).items():
                part = delta if place.ranges is None else Rows(delta, place.ranges)
                found.setdefault(parameter, []).append(part)
        return [(self._layer(module, parameter, parts[0].shape), _total(parts)) for parameter, parts in found.items()]

    def factors(self, module: str) -> tuple[Layer, Factors] | None:
        """The module's only change as two factors that no number is read of; None for all that `change` alone tells."""
        found = self.modules.get(module, ())
        if len(found) != 1 or found[0][1].ranges is not None or self.contents.markers.get(found[0][0]):
            return None
        keys = self.contents.keys[found[0][0]]
        raws = read_raws(self.container, keys) if frozenset(keys) in techniques.PLAIN else None
        both = techniques.factors(raws) if raws is not None else None
        return None if both is None else (self._layer(module, "weight", both.shape), both)

    def deltas(self) -> Iterator[tuple[Layer, Delta]]:
        """Every change, one module in memory at a time."""
        for module in self.modules:
            yield from self.change(module)

    def close(self) -> None:
        """Lets the file go, and a base that was opened for it."""
        self.container.close()
        self.opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _decoded(self, prefix: str) -> Change:
        """The change of one prefix; the last is kept, since the parts of a fused module follow each other."""
        if prefix not in self._last:
            self._last.clear()
            original = OriginalModule(self.base, self.recognition.places[prefix])
            try:
                self._last[prefix] = techniques.decode(self._tensors(prefix), original)
            except ElevenError as error:
                raise error.at(f"{self.path.name}: {prefix}") from error
        return self._last[prefix]

    def _tensors(self, prefix: str) -> dict[str, Tensor]:
        import torch

        read = {suffix: self.container.read(key) for suffix, key in self.contents.keys[prefix].items()}
        tensors = {suffix: one.float() if one.dtype == torch.float64 else one for suffix, one in read.items()}
        marks = self.contents.markers.get(prefix, {}).items()
        return tensors | {suffix: torch.tensor(value) for suffix, value in marks}

    def _layer(self, module: str, parameter: str, matrix: tuple[int, int]) -> Layer:
        name = f"{module}.{parameter}"
        if self.family is None:
            shape = self.contents.measures[module].shape if parameter == "weight" else matrix[:1]
            whole = tuple(size for size in shape if size is not None)
            return Layer(name, whole if len(whole) == len(shape) else matrix, "")
        layer = self.family.layers().get(name)
        if layer is None:
            raise FamilyMismatch(f"{self.path.name}: {self.family_name} has no {name}.", hint="The file is damaged.")
        if layer.shape and matrix != layer.matrix:
            told = f"{self.path.name}: {name} is {list(layer.shape)}, its change {list(matrix)}."
            raise TensorError(told, hint="The file is damaged or for another base.")
        return layer


def _total(parts: list[Delta]) -> Delta:
    return parts[0] if len(parts) == 1 else Sum(tuple((1.0, part) for part in parts))
