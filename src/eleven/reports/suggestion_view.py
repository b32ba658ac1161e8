"""What `eleven suggest` tells, as data for its text, its page and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from eleven import __version__
from eleven.mix import preset
from eleven.reports.collapse import Collapse, collapse_view
from eleven.suggestions.anatomy import norms_of
from eleven.suggestions.findings import Finding
from eleven.suggestions.models import Case, Model
from eleven.suggestions.probe import Table, mean_of_pairs, overlap, prediction_norms
from eleven.suggestions.strengths import grouped
from eleven.suggestions.suggesting import Examined

SCHEMA = 1


@final
@dataclass(frozen=True)
class FileView:
    """One model, what it changes, and where to start with it."""

    path: str
    """Where it lies."""
    name: str
    """What it is called in the findings."""
    technique: str
    """What most of its layers are."""
    family: str
    """The base architecture."""
    words: tuple[str, ...]
    """The words that call it, the surest first."""
    trained_on: str
    """The name of its base, as the file tells it."""
    layers: int
    """How many layers it changes, as far as they could be measured."""
    needs_base: int
    """Modules whose change depends on the base, where none was given."""
    norm: float
    """The Frobenius norm of its change at strength 1."""
    components: Mapping[str, float]
    """The norm in each component."""
    blocks: Mapping[str, float]
    """The norm in each block."""
    prediction_norm: float | None
    """How much it changes the base's predictions; null without a base."""
    strength: float
    """The strength to start from; 1 for words, 0 for what is set aside."""
    reason: str
    """Why that strength."""


@final
@dataclass(frozen=True)
class PairView:
    """Two models; every number stands beside what it would be by chance."""

    first: int
    """A model's number, from 0."""
    second: int
    """The other's."""
    layers: int
    """How many layers both change."""
    cosine: float
    """Of their whole changes; hardly above 0 for models that were trained apart, even of one concept."""
    cosine_chance: float
    """Its standard deviation, were one of them turned at random in each layer."""
    inputs: float | None
    """Of the directions that they could both read, the share that they do; null where not both have factors."""
    inputs_chance: float | None
    """The same by chance."""
    outputs: float | None
    """Of the directions that they could both write, the share that they do."""
    outputs_chance: float | None
    """The same by chance."""
    downs: float | None
    """The cosine of the factors that read; near 1 for checkpoints of one run, null where ranks differ."""
    ups: float | None
    """The cosine of the factors that write."""
    predictions: float | None
    """The mean cosine of what they change in the base's predictions; null without a base."""


@final
@dataclass(frozen=True)
class BandView:
    """One range of noise."""

    name: str
    """What it is called."""
    low: float
    """Where it begins, as a share of all noise levels."""
    high: float
    """Where it ends."""
    cosines: Table
    """How alike the models' effects on predictions are, N by N."""
    overlap: float
    """Their mean over all pairs of the models that count."""


@final
@dataclass(frozen=True)
class SuggestionView:
    """Everything that `eleven suggest --json` gives."""

    schema_version: Literal[1]
    """1; another number for anything that an older reader would misread."""
    version: str
    """Eleven's."""
    files: tuple[FileView, ...]
    """In the order of the command line."""
    gram: Table
    """Inner products of the whole changes, N by N."""
    pairs: tuple[PairView, ...]
    """Every two models that change layers."""
    findings: tuple[Finding, ...]
    """Warnings first; `files` are numbers of models."""
    total: float
    """The suggested strengths' total, without words."""
    overlap: float | None
    """ρ, the mean cosine of predictions in high noise, of the models that count; null without a base."""
    by_photos: bool
    """Whether photos decided the proportions."""
    reason: str
    """Why that total."""
    bands: tuple[BandView, ...]
    """The overlap of predictions by noise; empty without a base."""
    limits: str
    """What these numbers cannot tell."""
    collapse: Collapse | None
    """What the collapse meter says of the suggested strengths; null where nothing that was measured has one."""


def view_of(examined: Examined) -> SuggestionView:
    """The view of what was examined."""
    case, suggestion = examined.case, examined.suggestion
    files = tuple(_file(examined, number, model) for number, model in enumerate(case.models))
    return SuggestionView(
        SCHEMA,
        __version__,
        files,
        case.anatomy.gram,
        tuple(_pairs(case)),
        examined.findings,
        suggestion.total,
        suggestion.overlap,
        suggestion.by_photos,
        suggestion.reason,
        _bands(examined),
        limits_of(case),
        _collapse(examined),
    )


def _collapse(examined: Examined) -> Collapse | None:
    strengths = zip(examined.case.models, examined.suggestion.strengths, strict=True)
    mixed = sum(model.changes and strength > 0 for model, strength in strengths)
    return None if examined.reading is None else collapse_view(examined.reading, sum(preset(mixed)))


def limits_of(case: Case) -> str:
    """What cannot be known of these models in this way."""
    if case.probe is None:
        told = (
            "Files alone do not tell whether models are of one concept: trained apart, even such models have weights "
        )
        return (
            told + "that hardly look alike. Name the base with --base to compare what they change in its predictions."
        )
    told = "The total is a prediction: where it matters, try 0.9 to 1.3 times it, or let `eleven tune` find it."
    return told if case.probe.bands and case.probe.bands[0].target else f"{told} --photos finds the proportions."


def _file(examined: Examined, number: int, model: Model) -> FileView:
    case, anatomy = examined.case, examined.case.anatomy
    return FileView(
        path=str(model.path),
        name=model.name,
        technique=model.technique,
        family=model.family,
        words=model.origin.words,
        trained_on=model.origin.base,
        layers=anatomy.layers[number],
        needs_base=anatomy.needs_base[number],
        norm=anatomy.norms[number],
        components={name: norms_of(table)[number] for name, table in anatomy.components.items()},
        blocks={name: norms_of(table)[number] for name, table in anatomy.blocks.items()},
        prediction_norm=prediction_norms(case.probe)[number] if case.probe else None,
        strength=examined.suggestion.strengths[number],
        reason=examined.suggestion.reasons[number],
    )


def _pairs(case: Case) -> list[PairView]:
    predicted = overlap(case.probe) if case.probe else None
    return [
        PairView(
            first=one.first,
            second=one.second,
            layers=one.layers,
            cosine=one.cosine,
            cosine_chance=one.spread,
            inputs=one.inputs.share if one.inputs else None,
            inputs_chance=one.inputs.expected if one.inputs else None,
            outputs=one.outputs.share if one.outputs else None,
            outputs_chance=one.outputs.expected if one.outputs else None,
            downs=one.downs,
            ups=one.ups,
            predictions=predicted[one.first][one.second] if predicted else None,
        )
        for one, *_ in case.pairs()
    ]


def _bands(examined: Examined) -> tuple[BandView, ...]:
    """Every band, with the overlap of the models that count."""
    probe = examined.case.probe
    if probe is None:
        return ()
    counted = [group[0] for group in grouped(examined.case, examined.findings)]
    bands = list[BandView]()
    for band in probe.bands:
        table = overlap(probe, band.name)
        among = mean_of_pairs([[table[row][column] for column in counted] for row in counted])
        bands.append(BandView(band.name, band.low, band.high, table, among))
    return tuple(bands)
