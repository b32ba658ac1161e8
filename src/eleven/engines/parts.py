"""The fine-tunes of the mixes that an engine takes: opened once, known by their hash, their changes kept decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, final

from eleven.algebra import gathered
from eleven.combination import Change, Combination, combine
from eleven.delta import Delta, Dense, LowRank
from eleven.errors import FamilyMismatch, FileError
from eleven.exports.baking import identified
from eleven.files.container import Container
from eleven.finetunes.checkpoint import Checkpoint
from eleven.finetunes.finetune import FineTune
from eleven.finetunes.opening import open_finetune
from eleven.layers.family import Family
from eleven.layers.layer import Layer
from eleven.mix import Mix, Part
from eleven.techniques.textual_inversion import Word

Stamp = tuple[int, int]


@dataclass
class Budget:
    """Bytes left for changes that are kept decoded."""

    left: int


@final
@dataclass(frozen=True, eq=False)
class Kept:
    """Implements `FineTune` by another one, with the changes kept as factors or matrices while the budget lasts."""

    inner: FineTune
    budget: Budget
    known: dict[str, Change] = field(default_factory=dict[str, Change], repr=False)

    @property
    def container(self) -> Container:
        """The file or folder."""
        return self.inner.container

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.inner.path

    @property
    def family(self) -> Family | None:
        """The base architecture."""
        return self.inner.family

    @property
    def family_name(self) -> str:
        """The family as users call it."""
        return self.inner.family_name

    @property
    def modules(self) -> Mapping[str, object]:
        """The modules that it changes."""
        return self.inner.modules

    @property
    def words(self) -> tuple[Word, ...]:
        """Textual inversions."""
        return self.inner.words

    @property
    def unread(self) -> tuple[str, ...]:
        """Every key that was not understood."""
        return self.inner.unread

    @property
    def faults(self) -> Mapping[str, str]:
        """Modules whose tensors contradict each other."""
        return self.inner.faults

    def change(self, module: str) -> Change:
        """The deltas of a module's parameters, from memory where they were asked for before."""
        if module in self.known:
            return self.known[module]
        change = [(layer, concrete(delta)) for layer, delta in self.inner.change(module)]
        size = sum(bytes_of(delta) for _, delta in change)
        if size <= self.budget.left:
            self.budget.left -= size
            self.known[module] = change
        return change

    def deltas(self) -> Iterator[tuple[Layer, Delta]]:
        """Every change, one module after the other."""
        for module in self.modules:
            yield from self.change(module)

    def close(self) -> None:
        """Lets the file and the changes go."""
        self.budget.left += sum(bytes_of(delta) for change in self.known.values() for _, delta in change)
        self.known.clear()
        self.inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@final
class Library:
    """Opens the parts of mixes for one base; each file once, until it changes on disk or the library is closed."""

    def __init__(self, base: Checkpoint, title: str, budget: int, *, ignore_unknown: bool = False) -> None:
        self._base = base
        self._title = title
        self._budget = Budget(budget)
        self._ignore_unknown = ignore_unknown
        self._opened: dict[Path, tuple[Stamp, Kept, Part]] = {}

    def combination(self, mix: Mix) -> Combination:
        """The mix's changes. Every ElevenError of opening and combining; FileError where a hash is another file's."""
        found = [self._part(part) for part in mix.parts]
        known = mix.model_copy(update={"parts": tuple(part for part, _ in found)})
        return combine(known, [finetune for _, finetune in found], ignore_unknown=self._ignore_unknown)

    def close(self) -> None:
        """Lets every file go."""
        with ExitStack() as stack:
            for _, finetune, _ in self._opened.values():
                stack.callback(finetune.close)
        self._opened.clear()

    def _part(self, part: Part) -> tuple[Part, FineTune]:
        path = Path(part.file)
        stamp = stamp_of(path)
        held = self._opened.get(path)
        if held is None or held[0] != stamp:
            if held is not None:
                held[1].close()
            finetune = Kept(self._open(path), self._budget)
            held = self._opened[path] = stamp, finetune, identified(Part(file=part.file), path)
        _, finetune, known = held
        if part.sha256 and part.sha256.lower() != known.sha256:
            identified(part, path)
        return part.model_copy(update={"file": known.file, "sha256": known.sha256}), finetune

    def _open(self, path: Path) -> FineTune:
        family = self._base.family
        finetune = open_finetune(path, self._base, families=[family] if family else [])
        if finetune.modules and finetune.family is not family:
            finetune.close()
            with open_finetune(path) as other:
                named = other.family_name
            size = " of another size" if named == self._title else ""
            told = f"{path.name} is for {named}{size}, the base is {self._title}."
            raise FamilyMismatch(told, hint="Use it with the base it was made for.")
        return finetune


def stamp_of(path: Path) -> Stamp:
    """What tells that a file was written anew. FileError where there is none."""
    try:
        files = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
        told = [file.stat() for file in files]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"{path}: cannot be opened: {reason}.", hint="Check the path.") from error
    return max(each.st_mtime_ns for each in told), sum(each.st_size for each in told)


def concrete(delta: Delta) -> Delta:
    """The delta as factors, or as a matrix where it has none, so that nothing is worked out twice."""
    found = gathered(delta)
    return found if isinstance(found, LowRank) else Dense(found.dense())


def bytes_of(delta: Delta) -> int:
    """How much memory a concrete delta takes."""
    parts = (delta.up, delta.down) if isinstance(delta, LowRank) else (delta.dense(),)
    return sum(part.nbytes for part in parts)
