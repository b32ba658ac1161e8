"""Options that `eleven tune` and `eleven compare` share, in groups: each field is an option, with default and help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final, get_type_hints

from typer import Option

if TYPE_CHECKING:
    from eleven.engines.engine import Shot
    from eleven.engines.opening import Setup
    from eleven.main_job import Photos

BASE = "A diffusers folder, a single-file checkpoint, `lab`, or the name of a model on the Hugging Face hub."
BUDGET = "Pictures in all, or time as 10m (default: 200 pictures for each model and 200 more; 200 for each arm)."
WEIGHT = "What counts for how much, as likeness=1, detail=1, prompt=0.5."
TRAINING = "A folder of the photos that the models were trained on: pictures that repeat one of them are told."


@final
@dataclass(frozen=True)
class Subject:
    """Who or what it is about: the base, the photos, and what sees whether a picture is like them."""

    base: Annotated[str, Option(help=BASE)]
    photos: Annotated[Path, Option(help="A folder of photos of the concept that nothing was trained on.")]
    to: Annotated[Path, Option(help="The folder of the study; an interrupted one is gone on with.")]
    trigger: Annotated[str, Option(help="What the concept is called in prompts (default: what the files tell).")] = ""
    scorer: Annotated[str, Option(help="auto, lab, concept, face, prompt, process:COMMAND, or a plug-in's.")] = "auto"
    impostors: Annotated[Path | None, Option(help="A folder of photos of others that are like the concept.")] = None
    training: Annotated[Path | None, Option(help=TRAINING)] = None
    refuse_copies: Annotated[bool, Option("--refuse-copies", help="Count such pictures as misses.")] = False

    def known(self) -> Photos:
        """What is known of the concept."""
        from eleven.main_job import Photos

        return Photos(self.photos, self.impostors, self.scorer, self.trigger, (self.training, self.refuse_copies))


@final
@dataclass(frozen=True)
class Measured:
    """What is measured, and for how much."""

    prompts: Annotated[Path | None, Option(help="A text file with one prompt a line (default: forty places).")] = None
    budget: Annotated[str, Option(help=BUDGET)] = ""
    weight: Annotated[list[str] | None, Option(help=WEIGHT)] = None
    seed: Annotated[int, Option(help="Another seed makes another study of the same.")] = 0


@final
@dataclass(frozen=True)
class Drawn:
    """How pictures are drawn."""

    negative: Annotated[str, Option(help="What not to draw.")] = ""
    steps: Annotated[int, Option(min=1, max=1000, help="Steps of the sampler.")] = 20
    guidance: Annotated[float, Option(min=0, max=100, help="How closely to follow the prompt.")] = 7.0
    sampler: Annotated[str, Option(help="A1111's name, such as \"DPM++ 2M Karras\" (default: the base's own).")] = ""
    size: Annotated[str | None, Option(help="WIDTHxHEIGHT in pixels (default: the base's own).")] = None

    def shot(self) -> Shot:
        """A shot of no prompt. UsageError for a size or a sampler that is none."""
        from eleven.engines.engine import Shot
        from eleven.engines.shot_text import parse_size, sampled_by

        width, height = parse_size(self.size) if self.size else (0, 0)
        way = sampled_by(self.sampler, "")
        return Shot("", 0, self.negative, *way, self.steps, self.guidance, width, height)


@final
@dataclass(frozen=True)
class Machine:
    """Where pictures are made."""

    batch: Annotated[int, Option(min=1, help="Pictures made at once.")] = 8
    device: Annotated[str, Option(help="auto, cuda, mps or cpu.")] = "auto"
    dtype: Annotated[str, Option(help="auto, fp32, fp16 or bf16.")] = "auto"
    workers: Annotated[int, Option(min=1, help="Processes that make pictures, on a GPU each where there are.")] = 1
    ray: Annotated[str, Option(metavar="ADDRESS", help="Make them on this Ray cluster (`auto`: the one around).")] = ""
    low_memory: Annotated[bool, Option("--low-memory", help="Save memory at the cost of time.")] = False
    download: Annotated[bool, Option("--download", help="Allow a hub id to be fetched.")] = False

    def setup(self, base: str) -> Setup:
        """How the base is opened."""
        from eleven.engines.opening import Setup

        return Setup(base, self.device, self.dtype, self.batch, self.low_memory, self.download)


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with each parameter that is a group taken apart into the group's options, required ones first."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type] = {
        name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)
    }

    @wraps(command)
    def gathered(**given: Any) -> None:  # noqa: ANN401 - what the parser read
        parts = {name: {one: given.pop(one) for one in signature(group).parameters} for name, group in groups.items()}
        command(**given, **{name: group(**parts[name]) for name, group in groups.items()})

    found: list[Parameter] = []
    for name in signature(command).parameters:
        found += options_of(groups[name]) if name in groups else [option(command, name)]
    ordered = sorted(found, key=lambda one: one.default is not Parameter.empty)
    gathered.__dict__["__signature__"] = Signature(ordered)
    return gathered


def options_of(group: type) -> list[Parameter]:
    """Every option of a group."""
    return [option(group, name) for name in signature(group).parameters]


def option(owner: Callable[..., Any], name: str) -> Parameter:
    """A parameter by name only, its annotation read."""
    annotation = get_type_hints(owner, include_extras=True)[name]
    return signature(owner).parameters[name].replace(kind=Parameter.KEYWORD_ONLY, annotation=annotation)
