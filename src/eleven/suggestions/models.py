"""What is asked about: the files, what they are, where they come from, and all that was measured of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from filecmp import cmp
from itertools import combinations
from pathlib import Path
from typing import final

from eleven.finetunes.adapter import Adapter
from eleven.finetunes.finetune import FineTune
from eleven.suggestions.anatomy import Anatomy, Pair
from eleven.suggestions.origins import Origin, origin_of
from eleven.suggestions.probe import Probe

WORD, WHOLE = "textual-inversion", "full model"


@final
@dataclass(frozen=True)
class Model:
    """One file. `technique` is what most of its layers are; `changes` tells whether it changes any layer at all.

    `doubt` says why the given base does not look like that of a whole model.
    """

    path: Path
    technique: str
    family: str
    changes: bool
    origin: Origin
    doubt: str = ""

    @property
    def name(self) -> str:
        """What it is called in sentences."""
        return self.path.name if self.path.is_dir() else self.path.stem


@final
@dataclass(frozen=True)
class Case:
    """Models, their anatomy, and what a base told of them; `base` says what the given base is, None without one.

    `equal` are the pairs of models, by number, whose files are the same byte by byte.
    """

    models: tuple[Model, ...]
    anatomy: Anatomy
    base: Origin | None = None
    probe: Probe | None = None
    equal: tuple[tuple[int, int], ...] = ()

    @property
    def called(self) -> str:
        """The surest word of the first model that tells one; "" where none does."""
        return next((model.origin.called for model in self.models if model.origin.called), "")

    def pairs(self) -> Iterator[tuple[Pair, Model, Model]]:
        """Every two models that both change layers."""
        for pair in self.anatomy.pairs:
            first, second = self.models[pair.first], self.models[pair.second]
            if first.changes and second.changes:
                yield pair, first, second


def model_of(tune: FineTune, base: Path | None = None) -> Model:
    """The opened file as a model; a whole model is held against the base."""
    technique = _technique(tune)
    doubts = list[str]()
    if base is not None and technique == WHOLE:
        from eleven.exports.extraction import suspicious

        doubts = suspicious(tune.path, base)
    return Model(
        tune.path, technique, tune.family_name, bool(tune.modules), origin_of(tune), doubts[0] if doubts else ""
    )


def equal_files(paths: Sequence[Path]) -> tuple[tuple[int, int], ...]:
    """The pairs, by number, of one place or of files with the same bytes; files are read as far as they are alike."""
    pairs = combinations(enumerate(path.resolve() for path in paths), 2)
    return tuple((one, other) for (one, first), (other, second) in pairs if first == second or _alike(first, second))


def _alike(first: Path, second: Path) -> bool:
    return first.is_file() and second.is_file() and cmp(first, second, shallow=False)


def _technique(tune: FineTune) -> str:
    if not tune.modules:
        return WORD
    if not isinstance(tune, Adapter):
        return WHOLE
    counts = Counter(name for names in tune.contents.techniques.values() for name in names)
    return counts.most_common(1)[0][0] if counts else WORD
