"""Scorers are found by name, ours and those of others; one that does not load is named, never skipped."""

from __future__ import annotations

import re

import pytest
from installed import OURS, install

from eleven.errors import ElevenError, UsageError
from eleven.scorers.opening import open_scorer, opener, scorer_names


def test_every_scorer_of_ours_loads(site):
    assert set(OURS) <= set(scorer_names())
    for name in OURS:
        assert callable(opener(name))


def test_an_unknown_name_is_answered_with_the_known_ones(site, lab_references):
    with pytest.raises(UsageError, match=re.escape("'nobody'")) as caught:
        open_scorer("nobody", lab_references)
    assert all(name in caught.value.hint for name in OURS)


def test_a_package_adds_a_scorer_that_is_given_its_argument(site, lab_references):
    install(site, "eleven-taste", {"taste": "eleven_taste:open_taste"})
    (site / "eleven_taste.py").write_text("def open_taste(references, argument=''):\n    return argument, references\n")
    assert open_scorer("taste:sweet:2", lab_references) == ("sweet:2", lab_references)


@pytest.mark.parametrize(
    ("value", "code", "told"),
    [
        ("gone_module:open_it", "", "ModuleNotFoundError"),
        ("broken_{n}:open_it", "import nothing_of_this_name", "nothing_of_this_name"),
        ("broken_{n}:open_it", "def", "SyntaxError"),
        ("broken_{n}:open_it", "1 / 0", "ZeroDivisionError"),
        ("broken_{n}:open_it", "open_it = 3", "no function"),
    ],
)
def test_a_scorer_that_does_not_load_is_named_with_its_package(site, lab_references, value, code, told):
    module = f"broken_{abs(hash(code))}"
    (site / f"{module}.py").write_text(code)
    install(site, "eleven-broken", {"broken": value.replace("broken_{n}", module)})
    with pytest.raises(ElevenError, match=told) as caught:
        open_scorer("broken", lab_references)
    assert "'broken'" in str(caught.value)
    assert "eleven-broken" in str(caught.value)


def test_two_packages_with_one_name_are_refused(site, lab_references):
    install(site, "eleven-other", {"lab": "eleven.scorers.lab:open_lab"})
    with pytest.raises(UsageError, match="eleven-mix and eleven-other"):
        open_scorer("lab", lab_references)
