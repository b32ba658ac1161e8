from hypothesis import given
from hypothesis import strategies as st

from eleven.suggestions.groups import apart, groups_of

COUNT = 6
PAIRS = [(one, other) for one in range(COUNT) for other in range(one)]


@given(
    st.fixed_dictionaries({pair: st.sampled_from((True, False, None)) for pair in PAIRS}),
    st.sets(st.sampled_from(range(COUNT))),
)
def test_every_model_is_in_one_group_and_groups_are_as_large_as_can_be(known, numbers):
    def same(one, other):
        return known[max(one, other), min(one, other)]

    groups = groups_of(list(numbers), same)
    assert sorted(sum(groups, ())) == sorted(numbers)
    place = {number: at for at, group in enumerate(groups) for number in group}
    assert all(place[one] == place[other] for one, other in PAIRS if {one, other} <= numbers and same(one, other))
    assert all(apart(one, other, same) for at, one in enumerate(groups) for other in groups[:at])


def test_what_nothing_sets_apart_belongs_together_but_not_through_a_third():
    known = {frozenset((0, 2)): False}
    assert groups_of((0, 1, 2), lambda one, other: known.get(frozenset((one, other)))) == ((0, 1), (2,))


def test_what_is_the_same_as_both_joins_them():
    known = {frozenset((0, 2)): False, frozenset((0, 1)): True, frozenset((1, 2)): True}
    assert groups_of((0, 1, 2), lambda one, other: known.get(frozenset((one, other)))) == ((0, 1, 2),)
