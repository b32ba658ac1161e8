"""docs/evidence.md says what docs/evidence.json holds, and nothing else; and how it is found is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proving.claims import Claim, disagree, mean, verdict
from proving.page import page
from proving.rules import best_total
from proving.totals import summit

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_page_and_data_agree():
    data = json.loads((DOCS / "evidence.json").read_text("utf-8"))
    assert (DOCS / "evidence.md").read_text("utf-8") == page(data)


def test_every_arm_has_enough_shots_and_its_interval_around_its_rate():
    people = json.loads((DOCS / "evidence.json").read_text("utf-8"))["arms"]
    assert people
    for person in people.values():
        assert person["rows"]
        for row in person["rows"]:
            assert row["shots"] >= 100
            assert all(
                row[name][1] <= row[name][0] <= row[name][2] for name in ("perfect", "good", "overall", "detail")
            )


@pytest.mark.parametrize(
    ("points", "interval", "expected"),
    [
        ("up", (0.02, 0.2), "holds"),
        ("up", (-0.1, 0.2), "unclear"),
        ("up", (-0.04, 0.03), "does not hold"),
        ("up", (-0.2, -0.1), "does not hold"),
        ("down", (-0.2, -0.1), "holds"),
        ("down", (0.1, 0.2), "does not hold"),
        ("nowhere", (-0.04, 0.04), "holds"),
        ("nowhere", (0.01, 0.2), "does not hold"),
        ("nowhere", (-0.1, 0.1), "unclear"),
        ("nowhere", (-0.2, -0.1), "holds"),
    ],
)
def test_verdicts(points, interval, expected):
    low, high = interval
    assert verdict(Claim("", "", points), ((low + high) / 2, low, high), 0.05) == expected


def test_people_disagree_only_where_both_are_sure():
    up, down, open_ = (0.2, 0.1, 0.3), (-0.2, -0.3, -0.1), (-0.1, -0.3, 0.1)
    assert disagree([up, open_, down])
    assert not disagree([up, open_])


def test_a_mean_of_people_is_surer_than_one():
    one = (0.2, 0.1, 0.3)
    middle, low, high = mean([one, one, one, one])
    assert (middle, low, high) == pytest.approx((0.2, 0.15, 0.25))


def test_the_summit_of_a_parabola_is_found_between_its_places():
    places = (0.8, 1.0, 1.2, 1.4, 1.6)
    assert summit(places, [-((at - 1.27) ** 2) for at in places]) == pytest.approx(1.27)
    assert summit(places, [*places]) == 1.6


@pytest.mark.parametrize("best", [0.7, 1.0, 1.4, 2.5, 4.0])
def test_the_best_total_is_found_uphill(best):
    assert best_total(lambda at: -abs(at - best)) == best
