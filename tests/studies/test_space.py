from __future__ import annotations

import numpy as np
import pytest

from eleven.errors import UsageError
from eleven.studies.racing import behind, heats, survivors
from eleven.studies.space import Knob, Space, starts, usual_total

SHARED = Space(("one", "two"), knobs=(Knob("negative", (0.0, 1.0), 1.0, ("negative",)),))


def test_what_counts_the_same_has_the_same_coordinates_but_for_the_share():
    rows = np.array([[0.8, 0.4, 1.0], [0.4, 0.2, 0.0], [0.8 / 2**0.5, 0.4 / 2**0.5, 0.5]])
    found = SHARED.coordinates(rows, 1.2)
    assert np.allclose(found[:, 0], 0)
    assert np.allclose(found[:, 1:3], found[0, 1:3])
    assert np.allclose(found[:, 3] - found[1, 3], [1, 0, 0.5])
    assert np.allclose(SHARED.points(rows, 1.2).mixes[:, :2], [[0.8, 0.4]] * 3)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_totals_are_kept_within_what_counts(share):
    clipped = SHARED.clip(np.array([[1.1, 1.1, share], [0.1, 0.1, share]]))
    assert np.allclose(SHARED.counted(clipped).sum(1), [1.8, 0.8], atol=2e-3)


def test_a_share_for_the_negative_prompt_is_begun_at_several_values():
    rows = starts(SHARED, predicted_total=1.2)
    assert tuple(rows[0]) == (0.7, 0.7, 1.0)
    assert {row[2] for row in rows} == {1.0, 0.35, 0.0}
    assert {round(float(SHARED.counted(row[None]).sum()), 2) for row in rows[1:4]} <= {1.2, 1.32, 1.08}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_ranges_hold_whatever_a_share_makes_strengths_count(share):
    ranges = ((1.0, 1.2), (0.0, 1.0), (0.6, 0.7))
    space = Space(("one", "two", "three"), ranges, knobs=SHARED.knobs)
    rows = np.vstack([np.array(starts(space)), space.clip(np.array([[3.0, 2.0, 0.0, share], [0.0, 0.0, 0.0, share]]))])
    low, high = (np.array(side) for side in zip(*ranges, strict=True))
    assert (rows[:, :3] >= low).all()
    assert (rows[:, :3] <= high).all()


def test_a_share_that_may_not_be_neutral_is_begun_within_its_range_at_the_same_total():
    space = Space(("one", "two"), knobs=(Knob("negative", (0.0, 0.5), 1.0, ("negative",)),))
    first = starts(space)[0]
    assert first[2] == 0.5
    assert space.counted(first[None]).sum() == pytest.approx(1.4, abs=1e-3)


def test_low_strengths_that_count_enough_are_a_space():
    knobs = (Knob("negative", (0.0, 0.5), 1.0, ("negative",)),)
    assert Space(("one", "two"), ((0.0, 0.3),) * 2, knobs=knobs).total_range == pytest.approx((0.8, 1.2))
    with pytest.raises(UsageError):
        Space(("one", "two"), ((0.0, 0.3),) * 2)


def test_clipping_keeps_shares_where_it_can():
    clipped = Space(("one", "two")).clip(np.array([[2.0, 1.0], [0.2, 0.1], [0.0, 0.0]]))
    assert np.allclose(clipped, [[1.2, 0.6], [0.5333, 0.2667], [0.4, 0.4]], atol=1e-3)


def test_starts_are_presets_totals_tilts_and_models_alone():
    rows = [tuple(row) for row in starts(Space(("one", "two")), predicted_total=1.2)]
    assert rows[0] == (0.7, 0.7)
    assert {(0.6, 0.6), (0.66, 0.66), (0.48, 0.48), (0.6894, 0.5106), (1.0, 0.0), (0.0, 0.8)} <= set(rows)
    assert len(rows) == len(set(rows))
    assert tuple(starts(Space(("one", "two")), 1.2, ratios=(3, 1))[1]) == (0.9, 0.3)
    assert (0.9, 0.0) in {tuple(row) for row in starts(Space(("one", "two")), None, 0.9)}
    assert usual_total(Space(("one", "two")), 9) == 1.8


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": ()},
        {"names": ("one",), "ranges": ((0, 1), (0, 1))},
        {"names": ("one",), "ranges": ((1, 0.5),)},
        {"names": ("one", "two"), "totals": (3, 4)},
        {"names": ("one",), "knobs": (Knob("te", (2, 1)),)},
    ],
)
def test_a_space_that_holds_nothing_is_refused(wrong):
    with pytest.raises(UsageError):
        Space(**wrong)


def test_the_worse_half_and_the_clearly_worse_are_dropped():
    luck = np.array([0.0, 1.0, -1.0, 0.5])
    values = np.array([luck, luck + 1 + 0.1 * luck, luck - 3, luck - 1])
    assert survivors(values) == [1]
    assert behind(values, 1)[0][2] == pytest.approx(4.0, abs=0.1)


def test_heats_stay_within_what_they_may_cost():
    assert heats(4, 100) == [2, 4, 8]
    assert heats(10, 20) == [2]


def test_a_capped_space_has_no_higher_totals_than_its_ranges_demand():
    assert Space(("a", "b")).capped(1.5).total_range == (0.8, 1.5)
    assert Space(("a", "b")).capped(9.0).total_range == Space(("a", "b")).total_range
    assert Space(("a", "b"), ((0.9, 1.0), (0.9, 1.0))).capped(1.5).total_range == (1.8, 1.8)


def test_a_share_for_the_negative_prompt_that_no_mix_can_have_is_refused():
    with pytest.raises(UsageError, match="share of 9 for the negative prompt"):
        Space(("a", "b"), knobs=(Knob("negative", (0.0, 9.0), addresses=("negative",)),))
