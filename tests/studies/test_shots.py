"""Lists of shots are endless, fixed, balanced over prompts, and those of search and confirmation never meet."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_study import PLAN, plan_with

from eleven.studies.shots import confirmation_shots, search_shots

COUNTS = st.integers(1, 30)


def plan_of(count, seed=0):
    return plan_with(prompts=tuple(f"prompt {number}" for number in range(count)), seed=seed)


@given(COUNTS, st.integers(0, 2**40))
def test_search_and_confirmation_never_share_a_shot(count, seed):
    plan = plan_of(count, seed)
    search, confirmation = (list(islice(shots(plan), 60)) for shots in (search_shots, confirmation_shots))
    assert len({shot.seed for shot in (*search, *confirmation)}) == 120
    assert all(0 <= shot.seed < 2**32 for shot in (*search, *confirmation))
    shared = {shot.prompt for shot in search} & {shot.prompt for shot in confirmation}
    assert bool(shared) == (count < 8)


@given(COUNTS, st.integers(1, 100))
def test_prompts_are_balanced_at_any_length(count, length):
    for shots in (search_shots(plan_of(count)), confirmation_shots(plan_of(count))):
        told = Counter(shot.prompt for shot in shots.take(range(length)))
        often = [told[prompt] for prompt in shots.prompts]
        assert max(often) - min(often) <= 1


@given(COUNTS, st.integers(0, 50))
def test_a_block_is_of_as_many_prompts_as_there_are(count, number):
    shots = search_shots(plan_of(count))
    block = shots.take(shots.block(number))
    assert len({shot.prompt for shot in block}) == min(8, len(shots.prompts))


def test_nearly_half_of_many_prompts_are_held_out():
    plan = plan_of(21)
    assert len(search_shots(plan).prompts) == 11
    assert len(confirmation_shots(plan).prompts) == 10


def test_a_number_always_names_the_same_shot():
    shots = search_shots(PLAN)
    assert shots[123_456] == search_shots(plan_with(search=9_999))[123_456]
    assert shots[0].steps == PLAN.shot.steps
    assert (shots[0].prompt, shots[0].seed) == ("a photo of eve, 3", 3_804_560_256)


def test_numbers_begin_at_zero():
    with pytest.raises(IndexError, match="-1"):
        search_shots(PLAN)[-1]
