import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eleven.errors import UsageError
from eleven.mix import Mix, Part, preset

strengths = st.floats(-2, 2, allow_nan=False)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
parts = st.builds(
    Part,
    file=names,
    sha256=st.sampled_from(["", "ab" * 32, "cd" * 32]),
    strength=strengths,
    at=st.dictionaries(st.sampled_from(["unet", "te", "te2", "IN04", "D07"]), strengths, max_size=3),
    rise=st.sampled_from([0.0, 0.5, -1.0]),
)
mixes = st.builds(
    Mix,
    parts=st.lists(parts, min_size=1, max_size=4).map(tuple),
    method=st.sampled_from(["sum", "ties"]),
    options=st.dictionaries(st.sampled_from(["density", "steps"]), st.floats(0, 1), max_size=2),
    seed=st.integers(0, 2**40),
)


@given(mixes)
def test_toml_and_json_give_back_an_equal_mix(mix):
    assert Mix.from_toml(mix.to_toml()) == mix
    assert Mix.from_json(mix.to_json()) == mix
    assert Mix.from_toml(mix.to_toml()).digest == mix.digest


@given(mixes)
def test_the_order_of_parts_does_not_change_the_digest(mix):
    turned = mix.model_copy(update={"parts": mix.parts[::-1]})
    assert turned.digest == mix.digest


@given(mixes, strengths)
def test_another_strength_is_another_digest(mix, strength):
    first, *rest = mix.parts
    other = mix.model_copy(update={"parts": (first.model_copy(update={"strength": strength}), *rest)})
    assert (other.digest == mix.digest) == (strength == first.strength)


def test_a_file_known_by_its_hash_may_move():
    here, there = (Mix(parts=(Part(file=name, sha256="ab" * 32),)) for name in ("here/a", "there/b"))
    assert here.digest == there.digest


def test_the_narrowest_address_wins():
    part = Part(file="a", strength=0.7, at={"te": 0.4, "te2": 0.3, "unet": 0.9, "IN04": 0.1})
    found = [
        part.strength_at(*place)
        for place in [
            ("unet", "IN04"),
            ("unet", "IN05"),
            ("transformer", "D07"),
            ("text_encoder", "TE"),
            ("text_encoder_2", "TE2"),
        ]
    ]
    assert found == [0.1, 0.9, 0.9, 0.4, 0.3]
    assert Part(file="a", strength=0.7).strength_at("unet", "MID") == 0.7


def test_a_rise_of_0_is_written_nowhere_and_another_one_is_another_digest():
    plain, flat, risen = (Mix(parts=(Part(file="a", **more),)) for more in ({}, {"rise": -0.0}, {"rise": 0.5}))
    assert plain.digest == flat.digest == "19f2b9c790e3b4e45b342142c5fc348f0564435967e4a912818ad7d814d484be"
    assert "rise" not in flat.to_toml() + flat.to_json()
    assert risen.digest != plain.digest
    assert (plain.rises, risen.rises) == (False, True)
    with pytest.raises(UsageError, match="part 1: rise is not between -1 and 1"):
        Mix.from_toml('[[parts]]\nfile = "a"\nrise = 1.5\n')


def test_a_file_holds_a_mix_of_which_each_part_has_the_same_share_for_the_negative_prompt():
    def mix(*shares, **more):
        return Mix(parts=tuple(Part(file=f"{at}", strength=0.5, negative=at, **more) for at in shares))

    plain, share = mix(0.3).filed
    assert (plain.is_live, plain.parts[0].strength, share) == (False, 0.5, 0.3)
    assert mix(1.0, 1.0).filed == (mix(1.0, 1.0), 1.0)
    assert mix(0.3, 0.4).filed is None
    assert mix(0.3, rise=0.5).filed is None


def test_a_mix_cannot_be_changed():
    mix = Mix(parts=(Part(file="a", at={"te": 0.4}),))
    with pytest.raises(ValidationError):
        mix.seed = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        mix.parts[0].at["te"] = 1.0  # type: ignore[index]


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}", '{"parts": []}', '{"parts": [{"file": "a", "strength": "much"}]}', "[" * 100_000, '{"x": 1}'],
)
def test_a_text_that_is_no_recipe_is_refused_with_a_reason(text):
    with pytest.raises(UsageError, match="recipe"):
        Mix.from_json(text)


def test_a_toml_text_that_is_no_recipe_is_refused_with_a_reason():
    with pytest.raises(UsageError, match="TOML"):
        Mix.from_toml("parts = [")
    with pytest.raises(UsageError, match="strength"):
        Mix.from_toml('[[parts]]\nfile = "a"\nstrength = nan')


def test_presets_keep_the_noise_of_one_and_the_total_below_the_cliff():
    assert preset(1) == (1.0,)
    assert preset(2) == (0.7, 0.7)
    assert preset(3) == pytest.approx([1.45 / 3] * 3, abs=1e-4)
    assert preset(4) == pytest.approx([0.3625] * 4, abs=1e-4)


def test_presets_turn_a_strong_model_down_and_a_weak_one_up():
    assert preset(3, norms=[1.0, 2.0, 4.0]) == pytest.approx([0.9667, 0.4833, 0.2417], abs=1e-4)


def test_minus_zero_is_zero():
    mixes = [Mix(parts=(Part(file="a", strength=zero, at={"te": zero}),)) for zero in (0.0, -0.0)]
    assert mixes[0] == mixes[1]
    assert mixes[0].digest == mixes[1].digest
