"""Samplers and schedules by A1111's names, as diffusers' schedulers with the base's own noise settings.

Sources: A1111 modules/sd_samplers_kdiffusion.py and sd_schedulers.py for the names, diffusers
docs/source/en/api/schedulers/overview.md for what they are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import signature
from typing import Any

from eleven.errors import MissingPackage, UsageError

Options = Mapping[str, object]
NONE: Options = {}


@dataclass(frozen=True)
class Sampler:
    """A sampler: its names at A1111 and ComfyUI, diffusers' class, and the class for bases that predict a flow."""

    name: str
    comfyui: str
    scheduler: str
    options: Options = field(default_factory=dict[str, object])
    flow: str = ""


@dataclass(frozen=True)
class Schedule:
    """How the steps are spread over the noise levels."""

    name: str
    comfyui: str
    options: Options


SDE: Options = {"algorithm_type": "sde-dpmsolver++"}
MULTISTEP, SINGLESTEP = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"
SAMPLERS = (
    Sampler("Euler", "euler", "EulerDiscreteScheduler", flow="FlowMatchEulerDiscreteScheduler"),
    Sampler("Euler a", "euler_ancestral", "EulerAncestralDiscreteScheduler"),
    Sampler("DPM++ 2M", "dpmpp_2m", MULTISTEP, flow=MULTISTEP),
    Sampler("DPM++ 2M SDE", "dpmpp_2m_sde", MULTISTEP, SDE),
    Sampler("DPM++ 3M SDE", "dpmpp_3m_sde", MULTISTEP, {**SDE, "solver_order": 3}),
    Sampler("DPM++ 2S", "dpmpp_2s", SINGLESTEP),
    Sampler("DPM++ SDE", "dpmpp_sde", SINGLESTEP, SDE),
    Sampler("DPM2", "dpm_2", "KDPM2DiscreteScheduler"),
    Sampler("DPM2 a", "dpm_2_ancestral", "KDPM2AncestralDiscreteScheduler"),
    Sampler("Heun", "heun", "HeunDiscreteScheduler"),
    Sampler("LMS", "lms", "LMSDiscreteScheduler"),
    Sampler("DDIM", "ddim", "DDIMScheduler"),
    Sampler("DEIS", "deis", "DEISMultistepScheduler"),
    Sampler("PLMS", "plms", "PNDMScheduler", {"skip_prk_steps": True}),
    Sampler("UniPC", "uni_pc", "UniPCMultistepScheduler", flow="UniPCMultistepScheduler"),
    Sampler("LCM", "lcm", "LCMScheduler"),
)
SCHEDULES = (
    Schedule("Automatic", "", {}),
    Schedule("Karras", "karras", {"use_karras_sigmas": True}),
    Schedule("Exponential", "exponential", {"use_exponential_sigmas": True}),
    Schedule("Beta", "beta", {"use_beta_sigmas": True}),
    Schedule("SGM Uniform", "sgm_uniform", {"timestep_spacing": "trailing"}),
    Schedule("Simple", "simple", {"timestep_spacing": "trailing"}),
    Schedule("Uniform", "normal", {"timestep_spacing": "linspace"}),
    Schedule("DDIM", "ddim_uniform", {"timestep_spacing": "leading"}),
)


def find_names(sampler: str, schedule: str) -> tuple[Sampler | None, Schedule]:
    """The rows of both names, in any case; None for the base's own sampler.

    A schedule may stand behind the sampler (DPM++ 2M Karras). UsageError for unknown names.
    """
    known = {name.lower(): row for row in SAMPLERS for name in (row.name, row.comfyui)}
    spread = {name.lower(): row for row in SCHEDULES for name in (row.name, row.comfyui)}
    asked, told = sampler.strip().lower(), schedule.strip().lower()
    behind = next((name for name in spread if name and asked.endswith(f" {name}") and asked not in known), "")
    asked, told = asked.removesuffix(f" {behind}") if behind else asked, told or behind
    if asked and asked not in known:
        raise unknown("sampler", sampler, [row.name for row in SAMPLERS])
    if told not in spread:
        raise unknown("schedule", schedule, [row.name for row in SCHEDULES])
    return known.get(asked), spread[told]


def make_scheduler(own: Any, sampler: str, schedule: str) -> Any:  # noqa: ANN401 - schedulers have no common type
    """A fresh scheduler for one batch, with the noise levels and the prediction type of the base's own.

    UsageError for unknown names and for pairs that do not go together, MissingPackage where scipy is needed.
    """
    import diffusers

    row, spread = find_names(sampler, schedule)
    flows = type(own).__name__.startswith("FlowMatch") or own.config.get("prediction_type") == "flow_prediction"
    name = type(own).__name__ if row is None else row.flow if flows else row.scheduler
    if not name:
        fitting = ", ".join(each.name for each in SAMPLERS if each.flow)
        raise UsageError(f"{sampler} cannot sample a base that predicts a flow.", hint=f"Choose from {fitting}.")
    kind = type(own) if row is None else getattr(diffusers, name)
    options = {**(row.options if row else NONE), **spread.options, **(flow_options(own, name) if flows else NONE)}
    lacking = [option for option in spread.options if option not in signature(kind.__init__).parameters]
    if lacking:
        raise UsageError(f"{sampler or name} has no schedule {spread.name}.", hint="Leave the schedule out.")
    try:
        return kind.from_config(own.config, **options)
    except ImportError as error:
        told = f"{sampler or name} with {spread.name} needs scipy, which is not installed."
        raise MissingPackage(told, hint="pip install scipy") from error


def flow_options(own: Any, name: str) -> Options:  # noqa: ANN401
    """What other schedulers than flow matching's own are told of a flow."""
    if name == type(own).__name__ or name.startswith("FlowMatch"):
        return NONE
    return {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": own.config.get("shift", 1.0)}


def unknown(what: str, asked: str, names: list[str]) -> UsageError:
    """The error for a name in no table."""
    near = get_close_matches(asked, names, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(names)}."
    return UsageError(f"no {what} is called {asked!r}.", hint=hint)
