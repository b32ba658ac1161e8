"""`results.json` comes back equal, and what does not fit is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from test_verdict import study

from eleven.errors import FileError, UsageError
from eleven.reports.study import Taken
from eleven.reports.study_results import from_json, to_json
from eleven.reports.verdict import verdict_of

TAKEN = Taken(0, 1, "pictures/1.png", True, True, 0.25, (), 0.5)


def test_a_study_comes_back_equal():
    told = study(pictures=(TAKEN,))
    text = to_json(told)
    assert from_json(text) == told
    assert to_json(from_json(text)) == text


def test_the_verdict_stands_first():
    told = json.loads(to_json(study()))
    assert list(told) == ["schema_version", "outcome", "verdict", "study"]
    assert (told["outcome"], told["verdict"]) == ("confirmed", verdict_of(study()).sentence)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(wrong):
    with pytest.raises(UsageError, match="infinite"):
        to_json(study(pictures=(replace(TAKEN, likeness=wrong),)))
    text = to_json(study(pictures=(TAKEN,))).replace("0.25", "NaN" if wrong != wrong else "Infinity")
    with pytest.raises(FileError, match=r"results\.json"):
        from_json(text)


@pytest.mark.parametrize(
    ("old", "new"), [('"schema_version": 1', '"schema_version": 2'), ('"concept"', '"idea"'), ("{", "")]
)
def test_other_texts_are_refused(old, new):
    with pytest.raises(FileError, match=r"results\.json"):
        from_json(to_json(study()).replace(old, new, 1))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"arms": ()}, "needs a model, an arm and a shot"),
        ({"winner": 2}, "winner or rival is no arm"),
        ({"rival": None}, "without a rival"),
        ({"models": study().models[:1]}, "strengths is not of 1 models"),
        ({"pictures": (replace(TAKEN, arm=5),)}, "of no arm or shot"),
        ({"pictures": (TAKEN, TAKEN)}, "two pictures"),
        ({"pictures": (replace(TAKEN, scores=(1.0,)),)}, "not of 0 scales"),
        ({"pictures": (replace(TAKEN, file="../up.png"),)}, "outside the report's folder"),
        ({"pictures": (replace(TAKEN, file="//host/x.png"),)}, "outside the report's folder"),
    ],
)
def test_data_that_contradict_themselves_are_refused(changes, rule):
    with pytest.raises(UsageError, match=rule):
        study(**changes)
