from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trained import photos_of, short_plan

from eleven.errors import UsageError
from eleven.training.ensemble import arcs, jobs, members
from eleven.training.plan import plan_for
from eleven.training.runs import train


@given(photos=st.integers(6, 60), count=st.integers(2, 6), seed=st.integers(0, 99))
def test_every_member_has_photos_of_its_own(photos, count, seed):
    found = arcs(photos, count, seed)
    assert len(found) == count
    assert all(1 <= len(out) <= photos - 3 for out in found)
    if photos >= 2 * count:
        assert len({frozenset(out) for out in found}) == count
    assert found == arcs(photos, count, seed)


def test_detail_members_learn_from_three_quarters():
    found = arcs(24, 3, seed=0)
    assert [len(out) for out in found] == [3, 6, 6]
    assert not found[1] & found[2]


def test_members_complement_each_other(photos):
    plan = plan_for("lora", trigger="ohwx", class_word="cat", steps=700, learning_rate=1e-3, text_learning_rate=0)
    found = members(plan, photos_of(photos), 4)
    assert [one.name for one in found] == ["overall", "detail1", "detail2", "detail3"]
    assert [one.plan.technique for one in found] == ["lora", "loha", "lokr", "locon"]
    assert [one.plan.layers for one in found] == ["attention+ff", "all", "all", "all"]
    assert {(one.plan.trigger, one.plan.steps, one.plan.learning_rate) for one in found} == {("ohwx", 700, 1e-3)}
    assert found[0].plan.timesteps[1] == 1.0 > found[1].plan.timesteps[1]
    assert len({one.plan.seed for one in found}) == 4
    for one in found:
        assert len(one.photos) + len(one.held) == 6
        assert not {photo.path for photo in one.photos} & {photo.path for photo in one.held}


def test_members_keep_their_own_rates_where_none_is_asked(photos):
    found = members(plan_for("lora", trigger="ohwx"), photos_of(photos), 3)
    assert [one.plan.learning_rate for one in found] == [1e-4, 1e-4, 3e-4]


def test_an_ensemble_is_trained(base_of, photos, tmp_path):
    plan = short_plan("lora", steps=2)
    found = [train(base_of("sd1"), job) for job in jobs(plan, photos_of(photos), tmp_path / "cat.safetensors", 2)]
    assert [one.path.name for one in found] == ["cat-overall.safetensors", "cat-detail.safetensors"]
    assert all(one.outcome.best_step for one in found)


@pytest.mark.parametrize(("count", "some", "told"), [(1, 6, "an ensemble of 1"), (2, 5, "5 photos are too few")])
def test_what_is_no_ensemble(count, some, told, photos):
    with pytest.raises(UsageError, match=told):
        members(short_plan("lora"), photos_of(photos)[:some], count)
