"""Samplers by A1111's names, with the base's own noise settings."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
from pictures import SHOTS, furthest

from eleven.engines.diffusers import DiffusersEngine, Settings
from eleven.engines.samplers import SAMPLERS, SCHEDULES, find_names, make_scheduler
from eleven.errors import MissingPackage, UsageError

NO_SCIPY = importlib.util.find_spec("scipy") is None
FEW = replace(SHOTS[0], steps=3)


@pytest.mark.parametrize("row", SAMPLERS, ids=lambda row: row.name)
def test_every_sampler_makes_a_picture_that_no_company_changes(base_of, row):
    shots = [replace(FEW, sampler=row.name, seed=seed) for seed in (1, 2)]
    with DiffusersEngine(base_of("sd2"), Settings(batch=2)) as engine:
        if row.name == "LMS" and NO_SCIPY:
            with pytest.raises(MissingPackage, match="scipy"):
                next(engine.take(None, shots))
            return
        both = list(engine.take(None, shots))
        alone = next(engine.take(None, shots[1:]))
    assert furthest(both[1].pixels, alone.pixels) <= 1
    assert furthest(both[0].pixels, both[1].pixels) > 1


def test_schedulers_keep_the_bases_prediction_and_take_the_schedule(base_of):
    own = base_of("sd2").pipeline.scheduler
    made = make_scheduler(own, "DPM++ 2M", "Karras")
    assert type(made).__name__ == "DPMSolverMultistepScheduler"
    assert made.config.prediction_type == "v_prediction"
    assert made.config.use_karras_sigmas
    assert made.config.beta_end == own.config.beta_end
    assert type(make_scheduler(own, "", "")) is type(own)
    assert make_scheduler(own, "DPM++ 2M SDE", "").config.algorithm_type == "sde-dpmsolver++"


@pytest.mark.parametrize("asked", [("DPM++ 2M Karras", ""), ("dpmpp_2m", "karras"), ("dpm++ 2m", "KARRAS")])
def test_old_joined_names_and_comfyuis_names_are_known(asked):
    sampler, schedule = find_names(*asked)
    assert sampler is not None
    assert (sampler.name, schedule.name) == ("DPM++ 2M", "Karras")


def test_names_are_told_apart():
    names = [name for row in (*SAMPLERS, *SCHEDULES) for name in (row.name.lower(),)]
    assert len({row.name.lower() for row in SAMPLERS}) == len(SAMPLERS)
    assert len({row.name.lower() for row in SCHEDULES}) == len(SCHEDULES)
    assert "ddim" in names


def test_unknown_names_and_pairs_that_do_not_go_together_are_refused(base_of):
    own = base_of("sd2").pipeline.scheduler
    with pytest.raises(UsageError, match="Did you mean 'Euler a'"):
        make_scheduler(own, "Eulr a", "")
    with pytest.raises(UsageError, match="no schedule is called 'Karas'"):
        make_scheduler(own, "Euler", "Karas")
    with pytest.raises(UsageError, match="DDIM has no schedule Karras"):
        make_scheduler(own, "DDIM", "Karras")


def test_bases_that_predict_a_flow_take_the_samplers_that_can(base_of):
    own = base_of("flux").pipeline.scheduler
    with pytest.raises(UsageError, match="Choose from Euler, DPM\\+\\+ 2M, UniPC"):
        make_scheduler(own, "Euler a", "")
    made = make_scheduler(own, "DPM++ 2M", "")
    assert made.config.use_flow_sigmas
    assert made.config.prediction_type == "flow_prediction"


@pytest.mark.parametrize("family", ["sd3", "flux"])
@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M", "UniPC"])
def test_flows_are_sampled(base_of, family, sampler):
    with DiffusersEngine(base_of(family)) as engine:
        made = next(engine.take(None, [replace(FEW, sampler=sampler)]))
        own = next(engine.take(None, [FEW]))
    assert furthest(made.pixels, own.pixels) <= (0 if sampler == "Euler" else 60)
