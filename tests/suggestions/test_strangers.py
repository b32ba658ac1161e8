import numpy as np
import pytest
from findings_for_tests import apart, kinds, only_probed, probed
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eleven.suggestions.findings import STRANGE, STRANGE_IN_PICTURES, strangers


def test_predictions_tell_strangers_twins_and_what_does_not_help(tmp_path):
    cosines = np.array([[1, 0.95, 0.1], [0.95, 1, 0.1], [0.1, 0.1, 1]])
    found = kinds(*apart(tmp_path, 3), probe=probed(cosines, (0.5, 0.4, -0.1)))
    assert set(found) == {("redundant", (0, 1)), ("stranger", (2,)), ("no-help", (2,))}
    assert found["stranger", (2,)].numbers == {"prediction_cosine": 0.1}
    assert "do nearly the same to predictions" in found["redundant", (0, 1)].text


def test_of_two_models_apart_neither_is_called_the_stranger_without_photos(tmp_path):
    found = kinds(*apart(tmp_path, 2), probe=probed([[1, 0.1], [0.1, 1]]))
    assert set(found) == {("different-concepts", (0, 1))}
    told = found["different-concepts", (0, 1)]
    assert told.numbers == {"prediction_cosine": 0.1}
    assert "model-0; model-1 (overlap of their predictions 0.10 at most)" in told.text
    assert "cannot be told without photos" in told.text


def test_photos_tell_which_of_two_models_is_the_stranger(tmp_path):
    found = kinds(*apart(tmp_path, 2), probe=probed([[1, 0.1], [0.1, 1]], (-0.1, 0.5)))
    assert set(found) == {("stranger", (0,)), ("no-help", (0,))}


TWO_AND_TWO = np.array([[1, 0.1, 0.2, 0.6], [0.1, 1, 0.7, 0], [0.2, 0.7, 1, 0.1], [0.6, 0, 0.1, 1]])
BETWEEN = (STRANGE + STRANGE_IN_PICTURES) / 2


def test_two_models_each_of_two_concepts_are_named_in_pairs(tmp_path):
    (told,) = kinds(*apart(tmp_path, 4), probe=probed(TWO_AND_TWO)).values()
    assert (told.kind, told.files) == ("different-concepts", (0, 1, 2, 3))
    assert "model-0 and model-3; model-1 and model-2" in told.text


def test_photos_tell_which_two_of_four_are_meant(tmp_path):
    found = kinds(*apart(tmp_path, 4), probe=probed(TWO_AND_TWO, (0.5, 0.1, 0.1, 0.4)))
    assert set(found) == {("stranger", (1, 2)), ("no-help", (1,)), ("no-help", (2,))}


def test_the_smaller_group_are_strangers(tmp_path):
    cosines = np.eye(5) * 0.3 + np.full((5, 5), 0.1)
    for group in ((0, 1, 4), (2, 3)):
        cosines[np.ix_(group, group)] = 0.8
    cosines[0, 4] = cosines[4, 0] = 0.2
    np.fill_diagonal(cosines, 1.0)
    found = kinds(*apart(tmp_path, 5), probe=probed(cosines))
    assert set(found) == {("stranger", (2, 3))}
    assert found["stranger", (2, 3)].numbers == {"prediction_cosine": pytest.approx(0.1)}


def test_what_is_the_same_counts_once_in_a_majority(tmp_path):
    cosines = [[1, 0.96, 0.1], [0.96, 1, 0.1], [0.1, 0.1, 1]]
    found = kinds(*apart(tmp_path, 3), probe=probed(cosines))
    assert set(found) == {("redundant", (0, 1)), ("different-concepts", (0, 1, 2))}
    assert "model-0 and model-1; model-2" in found["different-concepts", (0, 1, 2)].text
    one, other = apart(tmp_path, 2)
    assert ("different-concepts", (0, 1, 2)) in kinds(one, one, other, probe=probed(cosines))


def test_pictures_of_a_mix_part_models_more_than_photos_do(tmp_path):
    cosines = [[1, BETWEEN], [BETWEEN, 1]]
    assert kinds(*apart(tmp_path, 2), probe=probed(cosines)) == {}
    assert ("stranger", (1,)) in kinds(*apart(tmp_path, 2), probe=probed(cosines, (0.5, 0.1)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5).flatmap(lambda count: st.tuples(st.permutations(range(count)), square(count))))
def test_what_predictions_tell_does_not_hang_on_the_order_of_files(drawn):
    order, cosines = drawn
    told = list[set[tuple[str, frozenset[int]]]]()
    for numbers in (range(len(order)), order):
        case = only_probed(probed(cosines[np.ix_(numbers, numbers)]), numbers)
        told.append({(one.kind, frozenset(numbers[at] for at in one.files)) for one in strangers(case)})
    assert told[0] == told[1]
    named = set[int]().union(*(files for _, files in told[0]))
    near = cosines >= STRANGE_IN_PICTURES
    if near.all():
        assert not named
    if not (near & ~np.eye(len(order), dtype=bool)).any() and len(order) > 1:
        assert told[0] == {("different-concepts", frozenset(order))}


def square(count):
    """Symmetric tables of cosines with ones on the diagonal."""
    return arrays(np.float64, (count, count), elements=st.floats(-1, 1, width=16)).map(
        lambda table: np.triu(table, 1) + np.triu(table, 1).T + np.eye(count)
    )
