"""The charts of a suggestion hold what they are given, at any width, and its text fits a terminal."""

from __future__ import annotations

import re

import pytest

from eleven.reports.charts.heat import draw_blocks, draw_matrices
from eleven.reports.suggestion_page import shares_of
from eleven.reports.suggestion_text import closing_lines, finding_lines
from eleven.reports.suggestion_view import view_of
from eleven.suggestions.suggesting import conclude, examine
from models import one_layer, write_layer

MANY = {f"IN{number:02}": 1 / 21 for number in range(21)}


@pytest.mark.parametrize("width", [340.0, 860.0])
def test_every_block_of_every_model_is_drawn_inside_the_picture(width):
    drawn = draw_blocks([("a", MANY), ("b", {"IN00": 1.0})], width=width)
    cells = re.findall(r'<rect [^>]*x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="34"', drawn)
    assert len(cells) == 2 * len(MANY)
    assert max(float(x) + float(wide) for x, wide in cells) <= width
    assert drawn.count("a, IN") == drawn.count("b, IN") == len(MANY)
    assert all(f">{block}<" in drawn for block in MANY)


def test_a_model_that_changes_nothing_is_drawn_grey():
    assert shares_of({"MID": 0.0}) == {"MID": 0.0}
    assert 'fill="#80808030"' in draw_blocks([("a", shares_of({"MID": 0.0}))], width=340.0)


def test_shares_are_of_the_squared_norm():
    assert shares_of({"a": 3.0, "b": 4.0}) == {"a": pytest.approx(0.36), "b": pytest.approx(0.64)}


@pytest.mark.parametrize(("width", "rows"), [(340.0, 2), (860.0, 1)])
def test_tables_stand_side_by_side_where_there_is_room(width, rows):
    table = ((1.0, 0.5, -0.1), (0.5, 1.0, 0.2), (-0.1, 0.2, 1.0))
    drawn = draw_matrices(["a", "b", "c"], [("one", table), ("two", table), ("three", table)], width=width)
    tops = {place.split()[1] for place in re.findall(r"translate\((\S+ \S+)\)", drawn)}
    assert len(tops) == rows
    assert drawn.count(">0.50<") == 6


def test_names_are_text():
    assert "<b>" not in draw_blocks([("<b>", {"MID": 1.0})], width=340.0)


def test_text_fits_a_terminal(tmp_path):
    paths = [
        write_layer(tmp_path / f"{word}-of-a-rather-long-name.safetensors", one_layer(seed)["lora"], trigger_word=word)
        for seed, word in enumerate(("eve", "anna"))
    ]
    view = view_of(conclude(examine(paths)))
    lines = [*finding_lines(view, 60), *closing_lines(view, 60)]
    assert lines[0].startswith("! ")
    assert all(len(line) <= 60 for line in lines)
    assert any("0.70 each" in line for line in lines)
