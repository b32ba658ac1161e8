"""A plan is data with a digest; another budget is the same study, anything else is not."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_study import PLAN, plan_with

from eleven.engines.engine import Shot
from eleven.errors import FileError, UsageError
from eleven.scorers.scorer import References
from eleven.sheets.recipe import Origin
from eleven.studies.plan import digest_of_references, plan_from_json, refuse_another
from eleven.studies.space import Knob


def test_json_reads_back_as_an_equal_plan():
    assert plan_from_json(PLAN.to_json()) == PLAN
    assert plan_from_json(PLAN.to_json()).digest == PLAN.digest


def test_whole_numbers_are_the_same_plan_as_decimals():
    assert plan_with(shot=Shot("", 0, guidance=7)).digest == plan_with(shot=Shot("", 0, guidance=7.0)).digest
    assert isinstance(plan_with(shot=Shot("", 0, guidance=7)).shot.guidance, float)


def test_a_budget_or_a_folder_makes_no_other_study():
    moved = tuple(part.model_copy(update={"file": f"/elsewhere/{part.sha256}"}) for part in PLAN.models)
    same = plan_with(search=999, confirmation=1, models=moved, base=Origin("renamed", "b" * 64, "float32"))
    assert same.digest == PLAN.digest
    refuse_another(same, PLAN)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base", Origin("tiny", "d" * 64, "float32")),
        ("base", Origin("tiny", "b" * 64, "float16")),
        ("models", PLAN.models[::-1]),
        ("models", PLAN.models[:1]),
        ("prompts", ("a photo",)),
        ("seed", 6),
        ("shot", Shot("", 0, steps=4)),
        ("scorer", "face"),
        ("references", "f" * 64),
        ("objective", {"likeness": 0.5}),
        ("options", {"most": 1.5}),
    ],
)
def test_anything_else_is_another_study_and_is_named(field, value):
    other = plan_with(**{field: value})
    assert other.digest != PLAN.digest
    with pytest.raises(UsageError, match=rf"another study: {field} differs \(.*\)\. .*--to"):
        refuse_another(other, PLAN)


def test_all_that_differs_is_named_shortly():
    with pytest.raises(UsageError, match=r"prompts, seed differ \(.*… there, \[\"short\"\] asked; 5 there, 6 asked\)"):
        refuse_another(plan_with(seed=6, prompts=("short",)), PLAN)


def test_strengths_become_a_mix_without_what_is_off():
    mix = PLAN.mix((0.700001, 0.6))
    assert mix is not None
    assert [part.strength for part in mix.parts] == [0.7, 0.6]
    alone = PLAN.mix((0.0, 0.9))
    assert alone is not None
    assert [part.file for part in alone.parts] == ["/models/b.safetensors"]
    assert PLAN.mix((0.0, -0.0)) is None


def test_a_models_own_addresses_scale_with_its_strength():
    part = PLAN.models[0].model_copy(update={"at": {"te": 0.5}})
    mix = plan_with(models=(part.model_dump(),)).mix((0.8,))
    assert mix is not None
    assert dict(mix.parts[0].at) == {"te": 0.4}


def test_what_is_no_plan_is_said_to_be_none():
    with pytest.raises(FileError, match="no|not"):
        plan_from_json('{"seed": "?"}')


def test_the_photos_have_a_digest_in_any_order():
    one, two = np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)
    digest = digest_of_references(References({"a": one, "b": two}, {}))
    assert digest == digest_of_references(References({"x": two, "y": one}, {}))
    assert digest != digest_of_references(References({"a": one}, {"b": two}))


def test_knobs_multiply_strengths_at_their_addresses_and_leave_no_trace_at_their_neutral_value():
    plan = plan_with(knobs=(Knob("te", addresses=("te",)), Knob("early", addresses=("IN01", "IN02"))))
    mix = plan.mix((0.8, 0.5, 0.5, 1.2))
    assert mix is not None
    assert [dict(part.at) for part in mix.parts] == [
        {"IN01": 0.96, "IN02": 0.96, "te": 0.4},
        {"IN01": 0.6, "IN02": 0.6, "te": 0.25},
    ]
    guided = plan_with(knobs=(Knob("negative", addresses=("negative",)),)).mix((0.8, 0.5, 0.5))
    assert guided is not None and guided.is_live
    assert [(part.negative, dict(part.at)) for part in guided.parts] == [(0.5, {}), (0.5, {})]
    assert plan.mix((0.8, 0.5, 1.0, 1.0)) == plan.mix((0.8, 0.5)) == PLAN.mix((0.8, 0.5))
    assert plan.mix((0.0, 0.0, 0.5, 1.2)) is None
    assert plan_from_json(plan.to_json()) == plan
    assert plan.digest != PLAN.digest
