from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eleven.effects import Effect, effects_from_data, effects_to_toml
from eleven.errors import UsageError
from eleven.mix import Mix, Part
from eleven.mix_text import read_effects, read_recipe
from eleven.steering import FURTHEST, RANGE, rising, steer, steered

SETTINGS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def effect(overall, detail, errors=(0.001, 0.001), sha256="a" * 64):
    return Effect(sha256=sha256, overall=overall, overall_error=errors[0], detail=detail, detail_error=errors[1])


slopes = st.floats(-1, 1).map(lambda slope: round(slope, 3))
measured = st.builds(effect, slopes, slopes, st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)))
mixes = st.lists(st.tuples(st.floats(0, 1.2).map(lambda at: round(at, 4)), measured), min_size=1, max_size=4)


@given(mixes, st.sampled_from([RANGE, (0.2, 0.9)]))
def test_steering_is_monotone_stays_in_its_ranges_and_is_nothing_at_0(mix, span):
    strengths, effects = [at for at, _ in mix], [one for _, one in mix]
    rows = [steer(strengths, effects, detail, [span] * len(mix)) for detail in SETTINGS]
    assert rows[2] == tuple(strengths)
    gained = [sum(one.detail * at for one, at in zip(effects, row, strict=True)) for row in rows]
    assert all(later >= earlier - 4e-4 for earlier, later in pairwise(gained))
    for row in rows:
        for at, start in zip(row, strengths, strict=True):
            assert min(max(span[0], 0), start) - 1e-4 <= at <= max(span[1], start) + 1e-4
            assert abs(at - start) <= FURTHEST * start + 1e-4


def test_detail_moves_to_the_model_that_carries_it_and_back_as_far():
    rows = [steer([0.7, 0.7], [effect(0.1, 0.1), effect(0.1, 0.3)], detail, [RANGE] * 2) for detail in SETTINGS]
    assert rows == [(1.12, 0.28), (0.91, 0.49), (0.7, 0.7), (0.49, 0.91), (0.28, 1.12)]


def test_a_range_ends_the_way_on_its_side_only():
    spans = [(0.0, 1.2), (0.0, 0.9)]
    rows = [steer([0.7, 0.7], [effect(0.1, 0.1), effect(0.1, 0.3)], detail, spans) for detail in (-1.0, 1.0)]
    assert rows == [(1.12, 0.28), (0.5, 0.9)]


def test_surely_measured_overall_likeness_stays_where_it_is_predicted_to_be():
    effects = [effect(0.1, 0.3), effect(0.05, 0.05), effect(0.2, -0.1)]
    start = [0.6, 0.5, 0.4]
    moved = steer(start, effects, 1.0, [RANGE] * 3)
    change = [at - before for at, before in zip(moved, start, strict=True)]
    assert abs(sum(one.overall * at for one, at in zip(effects, change, strict=True))) < 1e-3
    assert sum(one.detail * at for one, at in zip(effects, change, strict=True)) > 0.05


@pytest.mark.parametrize(
    "effects",
    [
        [effect(0.1, 0.2), effect(0.1, 0.2)],
        [effect(0.1, 0.1), effect(0.2, 0.2)],
        [effect(0.0, 0.0), effect(0.0, 0.0)],
        [effect(0.1, 0.1, (0.01, 0.5)), effect(0.1, 0.3, (0.01, 0.5))],
    ],
)
def test_models_that_carry_the_same_as_far_as_was_measured_stay_as_they_are(effects):
    assert steer([0.7, 0.6], effects, 1.0, [RANGE] * 2) == (0.7, 0.6)
    assert steer([0.7], effects[:1], 1.0, [RANGE]) == (0.7,)


@pytest.mark.parametrize("detail", [-1.1, 2.0, float("nan")])
def test_a_detail_out_of_range_is_refused(detail):
    with pytest.raises(UsageError, match="between -1 and 1"):
        steer([0.7], [effect(0, 0)], detail, [RANGE])


def parts_of(*strengths):
    return tuple(Part(file=f"{at}.pt", sha256=str(at) * 64, strength=one) for at, one in enumerate(strengths))


def test_a_mix_is_steered_by_the_effects_of_its_files_in_any_order():
    effects = [effect(0.1, 0.3, sha256="1" * 64), effect(0.1, 0.1, sha256="0" * 64)]
    first, second = parts_of(0.7, 0.7)
    mix = Mix(parts=(first, second.model_copy(update={"at": {"te": 0.35}})))
    moved = steered(mix, effects, 1.0)
    assert [part.strength for part in moved.parts] == [0.28, 1.12]
    assert dict(moved.parts[1].at) == {"te": 0.56}
    assert steered(mix, effects, 0.0) == mix
    with pytest.raises(UsageError, match=r"0\.pt: no study has measured"):
        steered(mix, effects[:1], 1.0)


def test_steps_rise_with_detail_and_no_further_than_they_can():
    mix = Mix(parts=(Part(file="a"), Part(file="b", rise=0.9)))
    assert [part.rise for part in rising(mix, 0.5).parts] == [0.15, 1.0]
    assert [part.rise for part in rising(mix, -1.0).parts] == pytest.approx([-0.3, 0.6])


def test_effects_stand_beside_a_recipe_and_change_no_mix(tmp_path):
    mix, effects = Mix(parts=parts_of(0.7, 0.5)), (effect(0.1, -0.25), effect(1e-7, 3, sha256="b" * 64))
    path = tmp_path / "mix.toml"
    path.write_text(mix.to_toml() + "\n" + effects_to_toml(effects), "utf-8")
    assert Mix.from_toml(path.read_text("utf-8")).digest == mix.digest
    assert read_recipe(path).digest == mix.digest
    assert read_effects(path) == effects
    path.write_text(mix.to_toml(), "utf-8")
    assert read_effects(path) == ()
    assert effects_to_toml(()) == ""


@pytest.mark.parametrize("told", ["effects = 3\n", "[[effects]]\noverall = 0.1\n", "[effects]\na = 1\n"])
def test_effects_that_are_none_are_refused(told):
    with pytest.raises(UsageError, match="the recipe's effects do not fit"):
        Mix.from_toml(told + '[[parts]]\nfile = "a"\n')
    with pytest.raises(UsageError, match="do not fit: 0.sha256"):
        effects_from_data([{"overall": 0.1}])
