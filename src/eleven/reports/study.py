"""`StudyView`: all that a study found, as plain frozen data for `report.html` and `results.json`.

Models, arms and shots are numbered from 0 in their order, and referred to by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from eleven.reports.collapse import Collapse
from eleven.reports.consistency import require_consistent
from eleven.reports.study_measures import Carried, Difference, Knob, Plain, Rate, Scale, Surface, Sweep, Trial

Role = Literal["mix", "single", "raised single", "guided", "preset", "base", "given"]
Level = Literal["advice", "warning"]


@final
@dataclass(frozen=True)
class Model(Plain):
    """A fine-tune that the study mixes."""

    name: str
    """What the page calls it: short, and different from all others."""
    file: str
    """Its file's name."""
    sha256: str
    """Of its file."""
    technique: str
    """As `eleven inspect` tells it."""
    overall: float | None = None
    """What it adds to the mix's mean overall score, in the scorer's unit; null where it was not measured."""
    detail: float | None = None
    """What it adds to the mix's mean detail score, likewise."""


@final
@dataclass(frozen=True)
class Arm(Plain):
    """Strengths that were measured on the same shots as all other arms."""

    name: str
    """What the page calls it."""
    role: Role
    """`mix`: found by the search; `single`: one model at its own best strength; `raised single`: that at 1.4 times;
    `guided`: the best with half of it for the negative prompt; `preset`: the usual strengths; `base`: no model;
    `given`: named by the user."""
    strengths: tuple[float, ...]
    """One for each model, in their order; 0 where a model takes no part."""
    perfect: Rate
    """How many of its pictures are a perfect likeness."""
    good: Rate
    """How many are good enough, perfect ones included."""
    likeness: float
    """The mean over its pictures: 0 is just perfect, one is the spread of real photos."""
    difference: Difference | None = None
    """Of the perfect shares, this arm less the rival, by pairs; null for the rival itself."""
    knobs: tuple[float, ...] = ()
    """The value of each of the study's knobs; empty where all are neutral."""
    share: float = 1.0
    """Of its strengths, for the negative prompt; a study's knob for that stands in `knobs`."""

    @property
    def total(self) -> float:
        """The sum of the strengths."""
        return sum(self.strengths)

    @property
    def active(self) -> list[int]:
        """The numbers of the models that take part."""
        return [number for number, strength in enumerate(self.strengths) if strength]


@final
@dataclass(frozen=True)
class Shot(Plain):
    """What every arm drew once."""

    prompt: str
    """What was asked for."""
    seed: int
    """Where its noise came from."""


@final
@dataclass(frozen=True)
class Taken(Plain):
    """One arm's picture of one shot, and what the scorers saw."""

    arm: int
    """The arm's number."""
    shot: int
    """The shot's number."""
    file: str
    """The picture's path relative to the report, with `/`."""
    perfect: bool
    """Whether it is a perfect likeness."""
    good: bool
    """Whether it is good enough, as every perfect one is."""
    likeness: float | None = None
    """0 is just perfect, one is the spread of real photos; null where it could not be scored."""
    scores: tuple[float | None, ...] = ()
    """One for each of the scales, in their order; null where the scorer could not tell."""
    prompt: float | None = None
    """The share of what the prompt asks for that is there."""
    fault: str = ""
    """Why it is a miss whatever its likeness, such as `no face`."""
    copy_of: str = ""
    """The training photo that it repeats; empty where none, where that is not known, and for other misses."""


@final
@dataclass(frozen=True)
class Dropped(Plain):
    """What is lost without one model."""

    model: int
    """The model's number."""
    strengths: tuple[float, ...]
    """Of the mix without it."""
    difference: Difference
    """Of the perfect shares, the whole mix less the mix without the model."""


@final
@dataclass(frozen=True)
class Note(Plain):
    """A sentence that the reader should know."""

    level: Level
    """`warning` where a result may mislead, else `advice`."""
    text: str
    """The sentence."""


@final
@dataclass(frozen=True)
class Snippet(Plain):
    """Text to be copied into another program."""

    label: str
    """Where it goes, such as `A1111, Forge`."""
    text: str
    """What is copied."""


@final
@dataclass(frozen=True)
class Setting(Plain):
    """One line of how the study was made."""

    name: str
    """What is set."""
    value: str
    """To what."""


@final
@dataclass(frozen=True)
class HashedFile(Plain):
    """A file that the result depends on."""

    what: str
    """What it is: `base`, `reference`, `scorer` …"""
    file: str
    """Its name."""
    sha256: str
    """Of its content."""


@final
@dataclass(frozen=True)
class Baked(Plain):
    """The file that holds the mix, and how near it is to it."""

    file: str
    """Its path relative to the report."""
    form: str
    """What it is, such as `LoRA of rank 32`."""
    size: int
    """In bytes."""
    sha256: str
    """Of its content."""
    error: float
    """Its distance from the asked mix over the mix's own norm, read back from the disk."""


@final
@dataclass(frozen=True)
class Spending(Plain):
    """What the study took."""

    budget: str
    """As it was asked for."""
    search_pictures: int
    """Made to find the mix."""
    confirmation_pictures: int
    """Made to measure the arms."""
    seconds: float
    """Wall time of everything, interruptions left out."""
    generating_seconds: float
    """Of these, what making the pictures took."""


@final
@dataclass(frozen=True)
class StudyView(Plain):
    """All that the page shows."""

    concept: str
    """Who or what the pictures are of."""
    made: str
    """When the study ended, as ISO 8601."""
    version: str
    """Eleven's."""
    base: str
    """The base model's name."""
    models: tuple[Model, ...]
    """At least one."""
    arms: tuple[Arm, ...]
    """At least one; the page shows them in this order."""
    winner: int
    """The number of the arm that is recommended."""
    rival: int | None
    """The number of the arm that the others are compared with: the best single one; null without any."""
    fresh: bool
    """Whether the arms were measured on shots that the search had not seen."""
    level: float
    """Of the intervals: 0.95."""
    shots: tuple[Shot, ...]
    """At least one."""
    pictures: tuple[Taken, ...]
    """In any order; a pair of arm and shot without one has not been made."""
    spending: Spending
    """What it took."""
    scales: tuple[Scale, ...] = ()
    """What the photos score, by scorer, with the thresholds."""
    trials: tuple[Trial, ...] = ()
    """The search, in its order; empty where the arms were given."""
    surface: Surface | None = None
    """Where two models are mixed, what the search expects between its trials."""
    knobs: tuple[Knob, ...] = ()
    """What was searched beside the strengths."""
    sweep: Sweep | None = None
    """The mix's proportions at several totals."""
    collapse: Collapse | None = None
    """What the collapse meter says of the mix that the search found; null where it cannot tell."""
    dropped: tuple[Dropped, ...] = ()
    """One for each model that was left out for a try."""
    carried: tuple[Carried, ...] = ()
    """What each model carries, by which detail is steered; empty where too little was seen to tell."""
    preset_ahead: Difference | None = None
    """Of the perfect shares, the usual strengths less the mix that the search found; null without both."""
    enough: int | None = None
    """Where nothing is decided: the pictures of each arm that would be enough, as estimated."""
    notes: tuple[Note, ...] = ()
    """Warnings and advice, the most important first."""
    snippets: tuple[Snippet, ...] = ()
    """How to use the mix in other programs."""
    commands: tuple[Snippet, ...] = ()
    """How to make the study again."""
    settings: tuple[Setting, ...] = ()
    """Everything else that a picture depends on."""
    files: tuple[HashedFile, ...] = ()
    """Everything that was read, the models left out."""
    baked: Baked | None = None
    """Null where nothing was baked."""

    def __post_init__(self) -> None:
        """UsageError where a number leads nowhere, or a row is not as long as what it goes through."""
        require_consistent(self)

    @property
    def prompts(self) -> list[str]:
        """Each prompt once, in the order of the shots."""
        return list(dict.fromkeys(shot.prompt for shot in self.shots))
