"""What one model file holds, for people and programs: the report behind `eleven inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TypeVar

from eleven.files.dtypes import bytes_of
from eleven.files.sidecars import Trigger
from eleven.finetunes.adapter import Adapter
from eleven.finetunes.checkpoint import Checkpoint
from eleven.finetunes.difference import Difference
from eleven.finetunes.finetune import FineTune
from eleven.finetunes.opening import open_finetune
from eleven.reports.facts import Facts, Module, gather
from eleven.reports.faults import Fault, find_faults
from eleven.reports.norms import Norms, measure_norms
from eleven.techniques.textual_inversion import NAME as INVERSION
from eleven.techniques.textual_inversion import Word

Number = TypeVar("Number", int, float)

WHOLE = "full model"
TOLD = {"SD 1": "sd1", "SD 2": "sd2", "SDXL": "sdxl", "FLUX.1": "flux", "SD 3": "sd3"}
"""Names of the families that the widths of embeddings tell of."""

HIGHLIGHTS = (
    *("modelspec.title", "ss_output_name", "modelspec.architecture", "ss_base_model_version", "ss_sd_model_name"),
    *("ss_network_module", "ss_network_dim", "ss_network_alpha", "ss_network_args", "modelspec.resolution"),
    *("ss_resolution", "modelspec.author", "modelspec.date", "modelspec.license", "modelspec.merged_from"),
    *("modelspec.usage_hint", "eleven.recipe"),
)
"""Fields of the metadata that say what a file is and how to use it."""


@dataclass(frozen=True)
class Inspection:
    """What one file holds. In JSON every field is always there; what a file has none of is empty or null.

    `techniques`, `dialects`, `components`, `blocks` and `dtypes` count modules (tensors for `dtypes`) by name;
    `ranks`, `alphas` and `scales` count modules by the number, `scales` being alpha / rank as it takes effect. `layers`
    is the number of modules changed. `family` is null where unknown, `also` are families that fit as well.
    """

    path: Path
    container: str
    size: int
    techniques: Mapping[str, int]
    family: str | None
    family_title: str
    evidence: str
    also: tuple[str, ...]
    dialect: str | None
    dialects: Mapping[str, int]
    layers: int
    components: Mapping[str, int]
    blocks: Mapping[str, int]
    ranks: Mapping[int, int]
    alphas: Mapping[float, int]
    scales: Mapping[float, int]
    dtypes: Mapping[str, int]
    words: tuple[Vectors, ...]
    trigger_words: tuple[Trigger, ...]
    metadata: Mapping[str, str]
    warnings: tuple[Fault, ...]
    unread_keys: tuple[str, ...]
    norms: Norms | None = None
    hashes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Vectors:
    """A word of an embedding: how many vectors it has for each text encoder, and how wide they are."""

    token: str
    vectors: Mapping[str, int]
    widths: Mapping[str, int] = field(default_factory=dict[str, int])


def inspect_file(
    path: str | Path,
    *,
    values: bool = True,
    norms: bool = False,
    hashes: bool = False,
    base: str | Path | Checkpoint | None = None,
) -> Inspection:
    """The report on a file or on a folder that is one model; an adapter's `values` are searched for NaN and zeros.

    Norms of changes that depend on the base need `base`; only norms and pickles load torch. FileError where it cannot
    be read.
    """
    with open_finetune(path, base) as tune:
        facts = gather(tune, values=values)
        measured = measure_norms(tune) if norms else None
        digests = _hashes(Path(path)) if hashes else None
        return _report(facts, measured, digests)


def _hashes(path: Path) -> dict[str, str] | None:
    """A file's hashes; a folder has none. The libraries for them load slowly, and only here."""
    from eleven.files.hashes import hashes

    return None if path.is_dir() else hashes(path)


def _report(facts: Facts, norms: Norms | None, digests: Mapping[str, str] | None) -> Inspection:
    tune = facts.tune
    family, title, evidence, also = _family(tune)
    dialects = _counted(facts.dialects)
    entries = tune.container.entries.values()
    return Inspection(
        path=tune.path,
        container=tune.container.kind,
        size=tune.path.stat().st_size if tune.path.is_file() else sum(bytes_of(entry) for entry in entries),
        techniques=_techniques(facts),
        family=family,
        family_title=title,
        evidence=evidence,
        also=also,
        dialect=next(iter(dialects), None),
        dialects=dialects,
        layers=len(tune.modules),
        components=_components(tune),
        blocks=_blocks(tune),
        ranks=_numbers(module.rank for module in facts.modules),
        alphas=_numbers(module.alpha for module in facts.modules),
        scales=_numbers(module.scale for module in facts.modules),
        dtypes=_counted(Counter(entry.dtype for entry in entries)),
        words=tuple(map(_vectors, tune.words)),
        trigger_words=facts.triggers.words,
        metadata={key: facts.metadata[key] for key in HIGHLIGHTS if facts.metadata.get(key)},
        warnings=find_faults(facts),
        unread_keys=tune.unread,
        norms=norms,
        hashes=digests,
    )


def _family(tune: FineTune) -> tuple[str | None, str, str, tuple[str, ...]]:
    """Name, title, the reason, and the families that fit as well."""
    if isinstance(tune, Difference):
        return tune.family.name if tune.family else None, tune.family_name, tune.tuned.evidence, ()
    if tune.words and not tune.modules:
        widths = {rows.shape[1] for word in tune.words for rows in word.vectors.values()}
        return TOLD.get(tune.family_name), tune.family_name, f"vectors {', '.join(map(str, sorted(widths)))} wide", ()
    if not isinstance(tune, Adapter):
        return None, tune.family_name, "", ()
    found = tune.recognition
    name = found.family.name if found.family else None
    return name, tune.family_name, found.evidence, tuple(other.name for other in found.also)


def _techniques(facts: Facts) -> dict[str, int]:
    if isinstance(facts.tune, Difference):
        return {WHOLE: len(facts.tune.modules)}
    counts = Counter(name for module in facts.modules for name in _names(module))
    return _counted(counts) | ({INVERSION: len(facts.tune.words)} if facts.tune.words else {})


def _names(module: Module) -> tuple[str, ...]:
    return (*module.techniques, "dora") if "dora_scale" in module.keys else module.techniques


def _components(tune: FineTune) -> dict[str, int]:
    return _counted(Counter(module.partition(".")[0] for module in tune.modules)) if tune.family else {}


def _blocks(tune: FineTune) -> dict[str, int]:
    """Modules by block, in the order of the family."""
    if tune.family is None:
        return {}
    known = tune.family.modules()
    counts = Counter(known[module].block for module in tune.modules if module in known)
    return {block: counts[block] for block in dict.fromkeys(at.block for at in known.values()) if counts[block]}


def _vectors(word: Word) -> Vectors:
    shapes = {encoder: rows.shape for encoder, rows in word.vectors.items()}
    return Vectors(
        word.token, {name: at[0] for name, at in shapes.items()}, {name: at[1] for name, at in shapes.items()}
    )


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _numbers(found: Iterable[Number | None]) -> dict[Number, int]:
    """In order of the numbers; NaN and infinity are left to the warnings."""
    return dict(sorted(Counter(number for number in found if number is not None and isfinite(number)).items()))
