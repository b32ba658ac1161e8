import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures_for_tests import mix_of, part

from eleven.errors import UsageError
from eleven.sheets.axes import GRAMMAR, letter, parse_axes, parse_axis, total

MIX = mix_of(part("eve", 0.7), part("eve.v2", 0.5, IN04=0.0), part("c", 0.3, te=0.1))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=0..1.2/0.2", (0, 0.2, 0.4, 0.6, 0.8, 1, 1.2)),
        ("a = 0 .. 1 / 0.5", (0, 0.5, 1)),
        ("a=0..1/0.3", (0, 0.3, 0.6, 0.9)),
        ("a=-0.5..0.5/0.5", (-0.5, 0, 0.5)),
        ("a=0.7", (0.7,)),
        ("a=1,0,0.5", (1, 0, 0.5)),
        ("a=0,0.5..1/0.25,1.5", (0, 0.5, 0.75, 1, 1.5)),
        ("a=0.5..0.5/1", (0.5,)),
        ("a=-0", (0,)),
        ("a=.5,1.", (0.5, 1)),
    ],
)
def test_values_are_exact_decimals(text, values):
    axis = parse_axis(text, MIX)
    assert axis.values == values
    assert all(str(value) != "-0.0" for value in axis.values)


@pytest.mark.parametrize(
    ("name", "place", "address", "label"),
    [
        ("a", 0, "", "a"),
        ("eve", 0, "", "a"),
        ("b", 1, "", "b"),
        ("eve.v2", 1, "", "b"),
        ("eve.te", 0, "te", "a.te"),
        ("eve.v2.unet", 1, "unet", "b.unet"),
        ("b.IN04", 1, "IN04", "b.IN04"),
        ("c.te", 2, "te", "c.te"),
        ("total", None, "", "total"),
    ],
)
def test_axes_are_named_by_letter_file_or_address(name, place, address, label):
    axis = parse_axis(f"{name}=0.5,1", MIX)
    assert (axis.part, axis.address, axis.label) == (place, address, label)
    assert axis.heading(0.5) == f"{label} = 0.5"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "--grid is ''"),
        ("a", "--grid is 'a'"),
        ("a=", "--grid is 'a='"),
        ("=1", "--grid is '=1'"),
        ("a=x", "'x' is not a strength"),
        ("a=1,,2", "'' is not a strength"),
        ("a=nan", "'nan' is not a strength"),
        ("a=inf", "'inf' is not a strength"),
        ("a=101", "'101' is not a strength"),
        ("a=1e-99", "'1e-99' is not a strength"),
        ("a=0..1", "'' is not a strength"),
        ("a=0..1/0", "in steps of 0"),
        ("a=1..0/0.5", "goes from 1 to 0"),
        ("a=0..1/-0.5", "in steps of -0.5"),
        ("a=0..1/1e-6", "too many values"),
        ("a=0..100/0.1", "too many values"),
        ("a=0..99/1,0.5", "has 101 values"),
        ("a=0,0", "has 0 twice"),
        ("a=0..1/0.5,0.5", "has 0.5 twice"),
        ("z=1", "no part is called 'z': there are a (eve), b (eve.v2), c (c)"),
        ("te=1", "no part is called 'te'"),
        ("a.=1", "no part is called 'a.'"),
        ("c=1", "has strengths of its own at te, which c would not change. Vary c.unet or c.te."),
        ("1=1", "no part is called '1'"),
    ],
)
def test_bad_axes_are_told(text, told):
    with pytest.raises(UsageError) as error:
        parse_axis(text, MIX)
    assert told in str(error.value)
    assert error.value.hint


def test_the_grammar_is_told_with_what_does_not_follow_it():
    with pytest.raises(UsageError) as error:
        parse_axis("a=0..1", MIX)
    assert error.value.hint == GRAMMAR


def test_file_that_is_called_like_another_parts_letter_is_refused():
    mix = mix_of(part("b"), part("x"))
    with pytest.raises(UsageError, match="'b' can be the parts a, b"):
        parse_axis("b=1", mix)
    assert parse_axis("a=1", mix).part == 0


def test_axis_sets_the_strength_of_its_part_alone():
    mix = parse_axis("b=0,1", MIX).at(MIX, 1.0)
    assert [one.strength for one in mix.parts] == [0.7, 1.0, 0.3]
    assert mix.parts[1].at == {"IN04": 0.0}
    assert MIX.parts[1].strength == 0.5


def test_axis_of_an_address_leaves_the_strength_elsewhere():
    mix = parse_axis("c.te=0,1", MIX).at(MIX, 1.0)
    assert (mix.parts[2].strength, mix.parts[2].at) == (0.3, {"te": 1.0})
    assert parse_axis("a.unet=0,1", MIX).at(MIX, 0.0).parts[0].at == {"unet": 0.0}


@settings(deadline=None)
@given(value=st.floats(-3, 3).map(lambda value: round(value, 2)))
def test_total_keeps_the_proportions(value):
    mix = parse_axis("total=1", MIX).at(MIX, value)
    assert total(mix) == pytest.approx(value, abs=1e-5)
    assert mix.parts[0].strength * 0.5 == pytest.approx(mix.parts[1].strength * 0.7, abs=1e-5)
    assert mix.parts[2].at["te"] == pytest.approx(value / 1.5 * 0.1, abs=1e-5)


def test_total_of_strengths_that_add_up_to_nothing_is_refused():
    with pytest.raises(UsageError, match="add up to 0"):
        parse_axis("total=1", mix_of(part("a", 1.0), part("b", -1.0)))


def test_total_that_takes_a_part_too_far_is_refused():
    with pytest.raises(UsageError, match="takes a part to 200"):
        parse_axis("total=1,20", mix_of(part("a", 1.0), part("b", -0.9)))


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["a=1", "b=1", "c.te=1"], "given 3 times"),
        (["a=0,1", "eve=2"], "both axes vary a"),
        (["total=1", "a=1"], "the total would change"),
        (["total=1", "total=2"], "both axes vary total"),
    ],
)
def test_axes_that_contradict_each_other_are_refused(texts, told):
    with pytest.raises(UsageError, match=told):
        parse_axes(texts, MIX)


def test_axes_without_parts_are_refused():
    assert parse_axes([], None) == ()
    with pytest.raises(UsageError, match="no part to vary"):
        parse_axes(["a=1"], None)


def test_strength_and_address_of_one_part_can_be_two_axes():
    assert [axis.address for axis in parse_axes(["a=0,1", "a.te=0,1"], MIX)] == ["", "te"]


def test_letters_go_on_after_z():
    assert [letter(place) for place in (0, 25, 26, 27, 51, 52, 701, 702)] == [
        "a", "z", "aa", "ab", "az", "ba", "zz", "aaa",
    ]  # fmt: skip


def test_the_share_for_the_negative_prompt_is_an_axis_of_all_parts():
    (axis,) = parse_axes(["negative=0..1/0.5"], MIX)
    assert axis.values == (0, 0.5, 1)
    assert {part.negative for part in axis.at(MIX, 0.5).parts} == {0.5}
    assert axis.at(MIX, 1).digest == MIX.digest
    assert len(parse_axes(["negative=0,1", "a=0,1"], MIX)) == 2
    with pytest.raises(UsageError, match="range of a share"):
        parse_axes(["negative=0,3"], MIX)
