"""`TrainingPlan`: everything that decides what a training gives, as frozen data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eleven.errors import UsageError

Layers = Literal["attention", "attention+ff", "all"]
Precision = Literal["auto", "fp32", "bf16"]
STYLE = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "lora": {"rank": 16, "layers": "attention+ff"},
    "locon": {"rank": 16, "layers": "all"},
    "loha": {"rank": 8, "layers": "all"},
    "lokr": {"rank": 16, "layers": "all", "learning_rate": 3e-4, "text_learning_rate": 1e-4},
    "ia3": {"layers": "attention+ff", "learning_rate": 5e-3, "text_learning_rate": 5e-3},
    "oft": {"rank": 8, "layers": "attention+ff", "learning_rate": 3e-4, "text_learning_rate": 0.0},
    "dreambooth": {"learning_rate": 2e-6, "text_learning_rate": 1e-6, "steps": 1000, "layers": "all"},
    "textual-inversion": {"learning_rate": 0.0, "text_learning_rate": 5e-3, "steps": 2000},
}
"""Every technique that can be trained, with what it does best where the user says nothing."""


FACTORED = frozenset({"lora", "locon", "loha", "lokr"})
USED_BY: Mapping[str, frozenset[str]] = {
    "rank": FACTORED | {"oft", "textual-inversion"},
    "alpha": FACTORED,
    "factor": frozenset({"lokr"}),
    "layers": FACTORED | {"ia3", "oft"},
}
"""The techniques that each of these settings means anything to; all others mean something to every one."""


class TrainingPlan(BaseModel):
    """The settings of one training; the same plan, photos and base give the same file.

    A `text_learning_rate` of 0 leaves the text encoders alone. `timesteps` is the part of the noise range that is
    trained, 0 being clean. `min_snr` is the gamma of Hang 2023 (arXiv 2303.09556), None for none. Every
    `validate_every` steps held-out photos judge, and the best state is kept. `rank` counts a new word's vectors.
    Every `keep_every` steps (0: never) the model as it is is written too, with the step in its name.
    """

    model_config = STYLE

    technique: str = "lora"
    rank: int = Field(4, ge=1)
    alpha: float | None = Field(None, gt=0)
    factor: int = Field(8, ge=2)
    layers: Layers = "attention+ff"
    steps: int = Field(1500, ge=1)
    learning_rate: float = Field(1e-4, ge=0)
    text_learning_rate: float = Field(5e-5, ge=0)
    warmup: float = Field(0.05, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0)
    batch: int = Field(1, ge=1)
    min_snr: float | None = Field(5.0, gt=0)
    timesteps: tuple[float, float] = (0.0, 1.0)
    caption_dropout: float = Field(0.05, ge=0, le=1)
    flip: bool = False
    trigger: str = ""
    class_word: str = ""
    resolution: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, lt=1 << 32)
    prior_pictures: int = Field(0, ge=0)
    prior_weight: float = Field(1.0, ge=0)
    validate_every: int = Field(50, ge=1)
    save_every: int = Field(50, ge=1)
    sample_every: int = Field(0, ge=0)
    keep_every: int = Field(0, ge=0)
    sample_prompt: str = ""
    precision: Precision = "auto"
    dtype: Literal["fp16", "bf16", "fp32"] = "fp16"

    @model_validator(mode="after")
    def _agrees(self) -> TrainingPlan:
        low, high = self.timesteps
        if not 0 <= low < high <= 1:
            raise ValueError(f"timesteps are {low:g} to {high:g}: they lie between 0 and 1, the lower first")
        if self.prior_pictures and not self.class_word:
            raise ValueError("prior_pictures need a class_word, such as person")
        if not self.learning_rate and not self.text_learning_rate:
            raise ValueError("both learning rates are 0: nothing would be trained")
        return self

    @property
    def scale(self) -> float:
        """alpha / rank."""
        return (self.alpha or self.rank) / self.rank

    @property
    def token(self) -> str:
        """The trigger word and, where there is one, the class: what stands for the concept in a prompt."""
        return f"{self.trigger} {self.class_word}".strip()

    @property
    def prompt(self) -> str:
        """What samples are made of."""
        return self.sample_prompt or f"photo of {self.token}"


def plan_for(technique: str, **changes: object) -> TrainingPlan:
    """The technique's defaults with these changes, None for no change. UsageError for what makes no sense."""
    if technique not in DEFAULTS:
        raise UsageError(f"no technique is called {technique!r}.", hint=f"Choose from {', '.join(DEFAULTS)}.")
    given = {name: value for name, value in changes.items() if value is not None}
    vectors = {"rank": 4} if technique == "textual-inversion" else {}
    return _checked({"technique": technique, **vectors, **DEFAULTS[technique], **given})


def refuse_unused(technique: str, names: Iterable[str]) -> None:
    """UsageError for a setting that would change nothing with this technique."""
    idle = next(
        (name for name in names if technique in DEFAULTS and technique not in USED_BY.get(name, DEFAULTS)), None
    )
    if idle is not None:
        raise UsageError(f"{technique} has no {idle}.", hint=f"It is for {', '.join(sorted(USED_BY[idle]))}.")


def changed(plan: TrainingPlan, **changes: object) -> TrainingPlan:
    """The plan with other values, checked again. UsageError as `plan_for`."""
    return _checked(plan.model_dump(exclude_unset=True) | changes)


def _checked(data: Mapping[str, object]) -> TrainingPlan:
    try:
        return TrainingPlan.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        known = f"Settings are {', '.join(TrainingPlan.model_fields)}." if first["type"] == "extra_forbidden" else ""
        told = f"{name} is {first['input']!r}: {told}." if name else f"{told}."
        raise UsageError(told, hint=known or "See `eleven train --help`.") from None
