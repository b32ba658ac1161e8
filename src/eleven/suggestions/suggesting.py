"""From files to findings and strengths, before a single picture is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from eleven.amplification.meter import NOTHING, Known, read
from eleven.amplification.reading import Reading
from eleven.compatibility import check_files
from eleven.errors import UsageError
from eleven.files.hashes import identity
from eleven.finetunes.checkpoint import open_checkpoint
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part
from eleven.suggestions.findings import Finding, find
from eleven.suggestions.measuring import ignore, measure, modules_of
from eleven.suggestions.models import Case, equal_files, model_of
from eleven.suggestions.origins import Origin
from eleven.suggestions.probe import Probe
from eleven.suggestions.strengths import Suggestion, suggest


@final
@dataclass(frozen=True)
class Examined:
    """Files, what was measured and found of them, where to start, and what the collapse meter says of that.

    There is no reading where nothing that was measured has a strength.
    """

    case: Case
    findings: tuple[Finding, ...]
    suggestion: Suggestion
    reading: Reading | None = None

    def mix(self) -> Mix:
        """The suggested mix; its files are known by their hashes. UsageError where nothing has a strength."""
        if not any(self.suggestion.strengths):
            raise UsageError("no file has a strength, so there is no mix.", hint="Name a model that changes layers.")
        parts = [Part(file=str(model.path), sha256=identity(model.path)) for model in self.case.models]
        return self.suggestion.mix(parts)


def examine(files: Sequence[Path], base: Path | None = None, *, advance: Callable[..., object] = ignore) -> Case:
    """The files measured side by side; `base` serves changes that depend on it, and is compared with what files tell.

    `advance` is called after every module with how many there are. Every error of opening, UnknownKeys, and
    FamilyMismatch where files do not fit each other.
    """
    with ExitStack() as stack:
        weights = stack.enter_context(open_checkpoint(base)) if base else None
        tunes = [stack.enter_context(open_finetune(path, weights)) for path in files]
        check_files(tunes, ignore_unknown=True)
        models = tuple(model_of(tune, base) for tune in tunes)
        count = len(modules_of(tunes))
        anatomy = measure(tunes, lambda: advance(count))
    told = [model.origin for model in models]
    return Case(models, anatomy, base_origin(base, told) if base else None, equal=equal_files(files))


def conclude(case: Case, probe: Probe | None = None, *, single_best: float = 1.0) -> Examined:
    """What follows from the measurements, and from a probe of the base where there is one."""
    whole = replace(case, probe=probe)
    findings = find(whole)
    suggestion = suggest(whole, findings, single_best)
    return Examined(whole, findings, suggestion, reading_of(whole, suggestion))


def reading_of(case: Case, suggestion: Suggestion) -> Reading | None:
    """What the collapse meter says of the suggested strengths, with the overlap of predictions where it is known."""
    named = zip(case.models, suggestion.strengths, strict=True)
    parts = tuple(Part(file=str(model.path), strength=strength) for model, strength in named)
    if not case.anatomy.grams.layers or not any(suggestion.strengths):
        return None
    known = NOTHING if suggestion.overlap is None else Known(overlap=suggestion.overlap)
    found = read(case.anatomy.grams, Mix(parts=parts), known)
    return found if found.effect > 0 else None


def base_origin(base: Path, told: Sequence[Origin]) -> Origin:
    """What the given base is; its digest is worked out only where a file tells one that it can be compared with."""
    folder = base.is_dir()
    wanted = any(origin.base_sha256 and origin.base_folder == folder for origin in told)
    return Origin(base=base.stem, base_sha256=identity(base) if wanted else "", base_folder=folder)
