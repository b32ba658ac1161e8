"""What is said of the pictures guided from half of the best mix, and what is left for other tools."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_verdict import PERFECT, SINGLE, arm, found, study

from eleven.mix import Mix, Part
from eleven.reports.guided import notes_on_guidance
from eleven.reports.study import Taken
from eleven.reports.study_folder import snippets_of
from eleven.reports.verdict import verdict_of

MIX, ALONE = arm("the mix", "mix", (0.7, 0.6), PERFECT), arm("a", "single", (0.95, 0.0), SINGLE)
HALF = replace(arm("half of it", "guided", (0.5, 0.42), PERFECT, found(0.4, 0.3, 0.5)), share=0.5)


def pictures(arm, hits):
    return [Taken(arm, shot, f"{arm}-{shot}.png", hit, hit) for shot, hit in enumerate(hits)]


@pytest.mark.parametrize(
    ("guided", "told"),
    [
        (
            (True, True, True),
            "0.50 + 0.42 with 0.5 of it for the negative prompt was perfect in 3 of 3 pictures, 0.70 + ",
        ),
        ((True, True, False), ""),
        ((), ""),
    ],
)
def test_it_is_told_where_it_was_perfect_more_often_on_the_same_shots(guided, told):
    taken = [*pictures(0, (True, False, False, True, True)), *pictures(2, guided)]
    notes = [note.text for note in notes_on_guidance((MIX, ALONE, HALF), taken)]
    assert len(notes) == bool(told)
    assert all(told in note and "0.60 without in 1. --knob negative=0..1" in note for note in notes)
    assert not list(notes_on_guidance((MIX, ALONE), taken))


def test_no_verdict_is_of_it():
    beside = study(arms=(ALONE, HALF, MIX), winner=0, rival=0)
    without = study(arms=(ALONE, MIX), winner=0, rival=0)
    assert verdict_of(beside) == verdict_of(without)


def test_nothing_is_told_where_what_it_was_made_of_was_not_measured():
    guided = replace(HALF, strengths=(0.0, 0.42))
    assert not list(notes_on_guidance((MIX, ALONE, guided), pictures(2, (True, True, True))))


def test_a_lone_model_is_compared_with_something_else():
    raised = replace(arm("a × 1.4", "raised single", (1.33, 0.0), SINGLE), difference=found(-0.1, -0.3, 0.1))
    half = replace(HALF, strengths=(0.67, 0.0))
    study_of = [study(arms=arms, winner=0, rival=0) for arms in ((ALONE, raised, half), (ALONE, raised))]
    assert verdict_of(study_of[0]) == verdict_of(study_of[1])


def test_a_share_that_was_asked_for_is_told():
    given = [replace(MIX, role="given", share=share, name=f"at {share}") for share in (0.35, 1.0)]
    told = verdict_of(study(arms=(given[0], replace(given[1], difference=None)), winner=0, rival=1)).sentence
    assert told.startswith("The mix 0.70 + 0.60 with negative × 0.35 is perfect in 46 %")


def test_comfyui_is_told_the_share_and_a1111_nothing():
    mix = Mix(parts=(Part(file="a.safetensors", strength=0.6),)).guided(0.3858)
    found = {one.label: one.text for one in snippets_of(mix)}
    assert "strength_model 0.3858, strength_clip 1;" in found["ComfyUI"]
    assert "strength_model 0.6142, on the positive prompt only" in found["ComfyUI"]
    assert found.keys() == {"ComfyUI", "Eleven, pictures"}
    assert "ComfyUI" not in {one.label for one in snippets_of(mix.guided(1.0))}
