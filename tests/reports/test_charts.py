"""Charts draw whatever data there are, refuse what is no number, and escape what they say."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from eleven.errors import UsageError
from eleven.reports.charts.axis import Axis, axis_for, spelled
from eleven.reports.charts.forest import Dot, Line, draw_forest
from eleven.reports.charts.histogram import Scores, counts, draw_histograms
from eleven.reports.charts.history import draw_history
from eleven.reports.charts.landscape import draw_map, draw_strips
from eleven.reports.charts.meter import Mark, Meter, draw_meter
from eleven.reports.charts.ramp import STOPS, colour
from eleven.reports.charts.sweep import draw_sweep
from eleven.reports.study_measures import Interval, Rate, Surface, Sweep, SweepPoint, Trial

NAN = float("nan")
HOSTILE = '<script>alert("1")</script>'
ALL, NONE = Dot(1.0, 0.96, 1.0), Dot(0.0, 0.0, 0.04)
RATE = Rate(1, 2, Interval(0.1, 0.9))


def sweep(*likeness, cliff=None):
    points = [SweepPoint(1 + at / 10, one, Interval(one - 1, one + 1), RATE) for at, one in enumerate(likeness)]
    return Sweep(tuple(points), 1.0, cliff)


def trial(likeness, *strengths):
    return Trial(strengths, likeness, 8)


DRAWN = {
    "all hit": lambda width: draw_forest([Line("a", "100 %", (ALL,))], width=width, title="t"),
    "none hit": lambda width: draw_forest([Line("a", "0 %", (NONE,)), Line("b", "", (NONE,))], width=width, title="t"),
    "no difference": lambda width: draw_forest([Line("a", "0", (Dot(0, 0, 0),))], width=width, title="t", zero=True),
    "one total": lambda width: draw_sweep(sweep(0.0), width=width),
    "cliff outside": lambda width: draw_sweep(sweep(0.0, 1.0, cliff=9.0), width=width),
    "one trial": lambda width: draw_map([trial(0.0, 1.0, 0.0)], (1.0, 0.0), None, width=width, name="a"),
    "nothing chosen": lambda width: draw_map([trial(0.0, 0.5, 0.5)], (0.0, 0.0), None, width=width, name="a"),
    "six models": lambda width: draw_strips([trial(0.0, *[0.2] * 6)], (0.2,) * 6, "abcdef", width=width),
    "one picture": lambda width: draw_history([trial(1.0, 1.0)], width=width),
    "no scores": lambda width: draw_histograms([Scores("a", (), "arm", 3)], 0.8, 0.8, width=width, title="t"),
    "meter": lambda width: draw_meter(Meter(0.9, 1.3, 1.5), [Mark("mix", 1.4), Mark("one", 9.0)], width=width),
    "meter of nothing": lambda width: draw_meter(Meter(0.0, 1.3, 1.5), [], width=width),
    "equal scores": lambda width: draw_histograms([Scores("a", (0.8,) * 9, "arm")], 0.8, 0.8, width=width, title="t"),
}


@pytest.mark.parametrize("width", [860.0, 340.0])
@pytest.mark.parametrize("name", DRAWN)
def test_degenerate_data_are_drawn_inside_the_picture(name, width):
    svg = ElementTree.fromstring(DRAWN[name](width))
    for one in svg.iter():
        for key in ("x", "cx", "x1", "x2"):
            assert -1 <= float(one.get(key, 0)) <= width
        assert float(one.get("width", 1)) >= 0
        assert "nan" not in "".join(one.attrib.values())


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_forest([Line("a", "", (Dot(NAN, 0, 1),))], width=800, title="t"),
        lambda: draw_sweep(sweep(NAN), width=800),
        lambda: draw_map([trial(NAN, 1.0, 1.0)], (1.0, 1.0), None, width=800, name="a"),
        lambda: draw_strips([trial(float("inf"), 1.0, 1.0, 1.0)], (1.0,) * 3, "abc", width=800),
        lambda: draw_history([trial(NAN, 1.0)], width=800),
        lambda: draw_histograms([Scores("a", (NAN,), "arm")], 0.8, 0.7, width=800, title="t"),
    ],
)
def test_what_is_no_number_is_refused(draw):
    with pytest.raises(UsageError, match="cannot show"):
        draw()


def test_names_are_escaped():
    drawn = draw_forest([Line(HOSTILE, HOSTILE, (ALL,))], width=800, title=HOSTILE)
    drawn += draw_map([trial(0.0, 1.0, 1.0)], (1.0, 1.0), None, width=800, name=HOSTILE)
    drawn += draw_histograms([Scores(HOSTILE, (1.0,), "arm")], 0.8, 0.7, width=800, title=HOSTILE)
    assert "<script" not in drawn
    assert drawn.count("&lt;script&gt;") >= 6


def test_the_cliff_is_marked_where_it_is():
    svg = ElementTree.fromstring(draw_sweep(sweep(0.0, 0.2, -2.0, cliff=1.1), width=800))
    (shade,) = [one for one in svg if one.get("class") == "cliff"]
    dots = [one for one in svg if one.get("class") == "dot first"]
    assert float(shade.get("x")) == float(dots[1].get("cx"))
    assert float(shade.get("x")) + float(shade.get("width")) == pytest.approx(786, abs=0.02)


def test_a_surface_fills_the_map_exactly():
    surface = Surface((1.0, 1.5), (0.0, 1.0), ((0.0, 1.0), (2.0, 3.0)))
    svg = ElementTree.fromstring(draw_map([trial(1.0, 0.5, 0.5)], (0.5, 0.5), surface, width=800, name="a"))
    cells = [one for one in svg if one.tag == "rect"][:4]
    assert {one.get("fill") for one in cells} == {colour(share) for share in (0, 1 / 3, 2 / 3, 1)}
    assert min(float(one.get("x")) for one in cells) == 46


def test_every_value_is_in_one_bin():
    axis = Axis(0.0, 1.0, 0.0, 100.0)
    assert sum(counts([0.0, 0.5, 1.0, 1.0], axis)) == 4
    assert counts([1.0], axis)[-1] == 1


def test_ticks_are_round_and_told_apart():
    axis = axis_for([0.93, 1.86], 0, 100)
    assert spelled(axis.ticks(5)) == ["1.00", "1.25", "1.50", "1.75"]
    assert spelled([-0.25, 0.0, 0.25]) == ["−0.25", "0", "0.25"]
    assert axis_for([2.0, 2.0], 0, 100).at(2.0) == 50


def test_lighter_is_better():
    brightness = [sum(int(colour(at / 20)[one : one + 2], 16) for one in (1, 3, 5)) for at in range(21)]
    assert brightness == sorted(brightness)
    assert colour(0) == "#{:02x}{:02x}{:02x}".format(*STOPS[0])


def test_a_meter_crosses_the_red_line_where_its_label_says():
    svg = ElementTree.fromstring(draw_meter(Meter(0.5, 1.0, 1.5), [Mark("mix <1>", 1.2)], width=860))
    assert svg.get("aria-label") == "Collapse meter over total strength: mix <1> 1.20: 0.60; red from 3.00"
    kinds = {one.get("class"): one for one in svg.iter() if one.get("class") in ("safe", "watch", "cliff", "curve")}
    tops = [float(kinds[name].get("y")) for name in ("safe", "watch", "cliff")]
    assert tops == sorted(tops, reverse=True)
    curve, red = kinds["curve"], tops[1]
    rise = (float(curve.get("y1")) - red) / (float(curve.get("y1")) - float(curve.get("y2")))
    assert rise == pytest.approx(3.0 / (1.25 * 3.0), abs=0.01)
