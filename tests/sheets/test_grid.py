from dataclasses import replace

from pictures_for_tests import FakeEngine, color_of, corner, mix_of, part

from eleven.engines.engine import Shot
from eleven.sheets.axes import parse_axes
from eleven.sheets.contact import columns_for, contact_sheet
from eleven.sheets.gallery import Gallery
from eleven.sheets.grid import BASELINE, grid_sheet, plot_of
from eleven.sheets.legend import Subject
from eleven.sheets.recipe import Origin
from eleven.sheets.series import series_of

MIX = mix_of(part("eve", 0.7), part("bob", 0.5))
SHOTS = [Shot("a photo of eve", seed) for seed in (3, 7)]
BASE = Origin("sd15", "ab" * 32)


def filled(folder, mix, shots, axes=(), *, baseline=True):
    """The gallery with all pictures, and the sheet."""
    plot = plot_of(mix, axes, baseline=baseline) if axes else None
    gallery = Gallery(folder, series_of(plot.mixes if plot else [mix], shots, BASE), None)
    gallery.open("sheet")
    gallery.fill(FakeEngine(), lambda: None)
    subject = Subject(mix, shots, BASE.name, tuple(axes))
    return gallery, grid_sheet(subject, plot, gallery.path) if plot else contact_sheet(subject, gallery.path)


def colors(row):
    """What the pictures in each of the row's cells tell."""
    return [[corner(path) for path in cell.pictures] for cell in row.cells]


def test_one_axis_goes_down_with_a_column_for_each_seed(tmp_path):
    _, sheet = filled(tmp_path, MIX, SHOTS, parse_axes(["a=0..1/0.5"], MIX))
    assert sheet.columns == ("seed 3", "seed 7")
    assert [row.heading for row in sheet.rows] == ["a = 0", "a = 0.5", "a = 1"]
    assert [colors(row) for row in sheet.rows] == [
        [[[0, 50, 3]], [[0, 50, 7]]],
        [[[50, 50, 3]], [[50, 50, 7]]],
        [[[100, 50, 3]], [[100, 50, 7]]],
    ]
    assert colors(sheet.baseline) == [[[255, 255, 3]], [[255, 255, 7]]]


def test_two_axes_have_every_shot_in_each_cell(tmp_path):
    axes = parse_axes(["a=0.2,0.4,0.6", "b=0,1"], MIX)
    _, sheet = filled(tmp_path, MIX, SHOTS, axes)
    assert sheet.columns == ("a = 0.2", "a = 0.4", "a = 0.6")
    assert [row.heading for row in sheet.rows] == ["b = 0", "b = 1"]
    for row, second in zip(sheet.rows, (0, 100), strict=True):
        assert colors(row) == [[[first, second, 3], [first, second, 7]] for first in (20, 40, 60)]
    assert (sheet.baseline.heading, colors(sheet.baseline)) == (BASELINE, [[[255, 255, 3], [255, 255, 7]]])
    assert "in each cell, from left to right and down: seed 3; seed 7" in sheet.notes


def test_mix_without_any_strength_is_the_base_alone_and_made_once(tmp_path):
    gallery, sheet = filled(tmp_path, MIX, SHOTS, parse_axes(["a=0,1", "b=0,1"], MIX))
    assert sheet.rows[0].cells[0] == sheet.baseline.cells[0]
    assert len(gallery.series) == 2 * 4


def test_baseline_can_be_left_out(tmp_path):
    _, sheet = filled(tmp_path, MIX, SHOTS, parse_axes(["a=0,1"], MIX), baseline=False)
    assert sheet.baseline is None
    assert [row.heading for row in sheet.rows] == ["a = 0", "a = 1"]


def test_legend_tells_files_and_what_varies():
    mix = mix_of(part("eve", 0.7), part("bob", 1.0, unet=0.5, te=0.4), part("c", 0.5, IN04=0.0))
    told = Subject(mix, SHOTS, "sd15", parse_axes(["a=0..1.2/0.2", "b.te=0,1"], mix))
    assert legend_of(told) == [
        ("part", "file", "strength"),
        ("a", "eve.safetensors", "0 to 1.2"),
        ("b", "bob.safetensors", "te 0 to 1, unet 0.5"),
        ("c", "c.safetensors", "0.5, IN04 0"),
    ]
    scaled = Subject(MIX, SHOTS, "sd15", parse_axes(["total=1,1.4"], MIX))
    assert legend_of(scaled)[-1] == ("total", "all parts together, in these proportions", "1 to 1.4")


def legend_of(subject):
    from eleven.sheets.legend import titled

    return list(titled(subject, [], ()).legend)


def test_contact_sheet_of_one_prompt_has_captions(tmp_path):
    shots = [replace(SHOTS[0], seed=seed, negative="fog", sampler="Euler", width=64, height=32) for seed in range(6)]
    _, sheet = filled(tmp_path, MIX, shots)
    assert [[cell.caption for cell in row.cells] for row in sheet.rows] == [
        ["seed 0", "seed 1", "seed 2"],
        ["seed 3", "seed 4", "seed 5"],
    ]
    assert colors(sheet.rows[1]) == [[color_of(MIX, shot)] for shot in shots[3:]]
    assert sheet.title == "a photo of eve"
    assert sheet.notes == ("base sd15 · 20 steps · guidance 7 · Euler · 64x32", "negative: fog")


def test_contact_sheet_of_several_prompts_has_a_row_for_each(tmp_path):
    shots = [Shot(prompt, seed) for prompt in ("one", "two") for seed in (1, 2, 3)]
    _, sheet = filled(tmp_path, None, shots)
    assert (sheet.title, sheet.columns) == ("2 prompts", ("seed 1", "seed 2", "seed 3"))
    assert [row.heading for row in sheet.rows] == ["one", "two"]
    assert sheet.rows[0].cells[0] != sheet.rows[1].cells[0]
    assert not sheet.legend


def test_grid_of_several_prompts_numbers_them(tmp_path):
    shots = [Shot(prompt, 1) for prompt in ("one", "two")]
    _, sheet = filled(tmp_path, MIX, shots, parse_axes(["a=1"], MIX))
    assert sheet.columns == ("prompt 1, seed 1", "prompt 2, seed 1")
    assert sheet.notes[1:] == ("prompt 1: one", "prompt 2: two")


def test_columns_leave_few_places_empty():
    assert [columns_for(count) for count in (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 32, 100)] == [
        1, 2, 3, 2, 5, 3, 4, 4, 3, 4, 4, 8, 10,
    ]  # fmt: skip
