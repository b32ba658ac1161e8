import numpy as np
import pytest
from findings_for_tests import only_probed, probed

from eleven.suggestions.findings import Finding
from judging.bases import sets_apart
from judging.trials import Trial, judged, trials

NAMES = ("ada-lora-a", "ada-lora-b", "ada-run-000100", "ada-run", "otto-loha", "ada-lora-a-turned", "ada-weak")


def near(count, *pairs):
    """Cosines of 0.8 between these, of 0.1 between all others."""
    table = np.full((count, count), 0.1)
    for one, other in pairs:
        table[one, other] = table[other, one] = 0.8
    np.fill_diagonal(table, 1.0)
    return table


@pytest.mark.parametrize(
    ("cosines", "helping", "wanted", "told", "false"),
    [
        (near(2), (), {1}, True, False),
        (near(2), (0.5, 0.0), {1}, True, False),
        (near(2), (0.0, 0.5), {1}, False, True),
        (near(2), (), (), True, True),
        (near(3, (0, 1)), (), {2}, True, False),
        (near(3, (0, 2)), (), {2}, False, True),
        (near(3), (), {2}, False, True),
        (near(3, (0, 1), (1, 2)), (), {2}, False, False),
    ],
)
def test_a_stranger_is_told_and_who_else_is_accused(cosines, helping, wanted, told, false):
    numbers = tuple(range(len(cosines)))
    trial = Trial(numbers, frozenset(wanted), "another person" if wanted else "one person")
    assert judged(only_probed(probed(cosines, helping), numbers), trial) == (told, false)


def test_sets_are_of_one_person_with_at_most_one_odd_one_out():
    found = list(trials(NAMES, "ada", ("ada", "otto"), 1000))
    assert {one.kind for one in found} == {"one person", "another person", "another base", "one run"}
    for trial in found:
        names = [NAMES[number] for number in trial.numbers]
        odd = {"another person": {"otto-loha"}, "another base": {"ada-lora-a-turned"}}.get(trial.kind, set())
        odd |= {"ada-run-000100", "ada-run"} if trial.kind == "one run" else set()
        assert {NAMES[number] for number in trial.wanted} == odd
        assert {"otto-loha", "ada-lora-a-turned"} & set(names) <= odd
        assert "ada-weak" not in names
        assert len(set(names)) == len(names) in (2, 3, 4)


def test_the_odd_one_must_be_named_apart():
    def of(files, text):
        return Finding("different-bases", "warning", files, text, "")

    assert sets_apart(of((0, 1, 2), "Trained on different bases: a and b on lab; c on other."), 2, "c")
    assert not sets_apart(of((0, 1, 2), "Trained on different bases: a and c on lab; b on other."), 2, "c")
    assert sets_apart(of((2,), "c was trained on other, which is not the given base."), 2, "c")
