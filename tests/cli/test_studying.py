"""Budgets, ranges, weights and arms as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from eleven.cli.studying import arms_given, budget_of, knobs_of, ranges_of, steps_of, weights_of
from eleven.errors import UsageError
from eleven.main_job import Wish, space_of


@pytest.mark.parametrize(
    ("text", "budget"),
    [("", (0, 0.0)), ("600", (600, 0.0)), ("10m", (0, 10.0)), ("1.5h", (0, 90.0)), ("2 min", (0, 2.0))],
)
def test_a_budget_is_in_pictures_or_in_time(text, budget):
    assert budget_of(text) == budget


@pytest.mark.parametrize("text", ["0", "-5", "12.5", "ten", "1e9", "5s", "0m", "600 pictures"])
def test_what_is_no_budget_is_told(text):
    with pytest.raises(UsageError, match="--budget"):
        budget_of(text)


def test_ranges_belong_to_models():
    ranges = ranges_of(["a=0.2..0.9", "b.v2=0..1"])
    assert ranges == {"a": (0.2, 0.9), "b.v2": (0.0, 1.0)}
    space = space_of(["a", "b.v2", "c"], Wish(ranges=ranges))
    assert space.strength_ranges == ((0.2, 0.9), (0.0, 1.0), (0.0, 1.2))
    with pytest.raises(UsageError, match="no model 'a'"):
        space_of(["b.v2"], Wish(ranges=ranges))


@pytest.mark.parametrize("text", ["a", "a=1", "a=0..", "=0..1", "a=0-1"])
def test_what_is_no_range_is_told(text):
    with pytest.raises(UsageError, match="--range"):
        ranges_of([text])


def test_weights_are_numbers_with_known_names():
    assert weights_of(["likeness=1,detail=0.5", "prompt=0"]) == {"likeness": 1.0, "detail": 0.5, "prompt": 0.0}
    for text in ("detail", "detail=high", "beauty=1", "detail=-1", "likeness=0,detail=0"):
        with pytest.raises(UsageError):
            weights_of([text])


def test_arms_name_files_once(tmp_path):
    one, other = str(tmp_path / "one.safetensors"), str(tmp_path / "other.safetensors")
    files, arms = arms_given([f"{one}:0.7 {other}:0.5", f"'{one}'", "none"])
    assert files == [Path(one), Path(other)]
    assert [arm.strengths for arm in arms] == [(0.7, 0.5), (1.0, 0.0), (0.0, 0.0)]
    assert {arm.role for arm in arms} == {"given"}
    assert [arm.name for arm in arms] == ["one:0.7 other:0.5", "one:1", "no model"]


def test_an_arm_may_have_a_share_for_the_negative_prompt():
    _, arms = arms_given(["a.safetensors:0.7", "a.safetensors:0.7,negative=0.5"])
    assert [(arm.name, arm.strengths, arm.share) for arm in arms] == [
        ("a:0.7", (0.7,), 1.0),
        ("a:0.7 negative=0.5", (0.7,), 0.5),
    ]


@pytest.mark.parametrize(
    "texts",
    [
        ["none"],
        ["a.safetensors", "a.safetensors:1"],
        ["a.safetensors:unet=0.5"],
        ["a.safetensors:0.7,negative=0.5 b.safetensors:0.7"],
        ["a.safetensors:0.7,rise=0.5"],
    ],
)
def test_arms_that_say_nothing_are_refused(texts):
    with pytest.raises(UsageError):
        arms_given(texts)


def test_a_bar_makes_a_step_for_each_picture():
    heard: list[int] = []
    step = steps_of(heard.append)
    step(3, 10)
    step(3, 10)
    step(5, 10)
    assert heard == [10] * 5


def test_knobs_are_the_encoders_the_denoiser_or_blocks_by_a_name():
    te, early = knobs_of(["te=0..1.2", "early=IN01+IN02:0.5..1.5"])
    assert (te.name, te.range, te.addresses) == ("te", (0.0, 1.2), ("te",))
    assert (early.name, early.range, early.addresses) == ("early", (0.5, 1.5), ("IN01", "IN02"))


@pytest.mark.parametrize("text", ["te", "te=1", "te=0-1", "=0..1", "early=:0..1", "early=IN01:IN02:0..1"])
def test_what_is_no_knob_is_told(text):
    with pytest.raises(UsageError, match="--knob"):
        knobs_of([text])


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["te=0..1", "te=0..1.2"], "named te"),
        (["a=IN01:0..1", "b=IN01:0..1"], "at IN01"),
        ([f"{name}={name}:0..1" for name in ("IN01", "IN02", "IN04", "MID")], "4 groups of blocks"),
        (["te=1.2..0"], "holds no strength"),
    ],
)
def test_knobs_that_make_no_sense_together_are_told(texts, told):
    with pytest.raises(UsageError, match=told):
        space_of(["x", "y"], Wish(knobs=tuple(knobs_of(texts))))
