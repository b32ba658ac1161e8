import numpy as np
import pytest
from PIL import Image

from eleven.sheets.geometry import EDGE, LARGEST, SMALLEST, Grid, frame_for
from eleven.sheets.lettering import font_for, width_of, wrapped
from eleven.sheets.page import Cell, Row, Sheet, draw_pages
from eleven.sheets.png import write_png

INKS = [[200, 30, 30], [30, 160, 30], [30, 30, 200]]


@pytest.fixture
def pictures(tmp_path):
    """Three pictures, 64 x 48, of one color each."""
    paths = [tmp_path / f"{number}.png" for number in range(len(INKS))]
    for path, ink in zip(paths, INKS, strict=True):
        write_png(path, np.full((48, 64, 3), ink, np.uint8))
    return paths


def share(page, ink):
    """How much of the page has this color."""
    return float((np.asarray(page) == ink).all(axis=2).mean())


def centre(page, ink):
    """The middle of everything of this color, as (x, y)."""
    ys, xs = np.nonzero((np.asarray(page) == ink).all(axis=2))
    return xs.mean(), ys.mean()


def test_pictures_stand_where_their_cells_are(pictures):
    rows = (Row((Cell((pictures[0],)), Cell((pictures[1],))), "first"), Row((Cell((pictures[2],)),), "second"))
    (page,) = draw_pages(Sheet("title", rows, ("left", "right")))
    red, green, blue = (centre(page, ink) for ink in INKS)
    assert red[0] == blue[0] < green[0]
    assert red[1] == green[1] < blue[1]
    areas = [share(page, ink) * page.width * page.height for ink in INKS]
    assert areas == [pytest.approx(SMALLEST * SMALLEST * 48 / 64, rel=0.02)] * 3


def test_headings_and_captions_do_not_run_into_pictures(pictures):
    row = Row((Cell((pictures[0],), "a caption of many words that needs three lines " * 2),), "a heading " * 40)
    (page,) = draw_pages(Sheet("title " * 60, (row,), ("column " * 30,), ("note " * 90,)))
    ys, xs = np.nonzero((np.asarray(page) == INKS[0]).all(axis=2))
    box = np.asarray(page)[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    assert (box == INKS[0]).all()
    edges = np.concatenate([np.asarray(page)[:, :4].reshape(-1, 3), np.asarray(page)[:, -4:].reshape(-1, 3)])
    assert (edges > 240).all(), "text is cut off at the edge"


def test_several_pictures_of_a_cell_stand_in_reading_order(pictures):
    (page,) = draw_pages(Sheet("title", (Row((Cell(tuple(pictures)),)),)))
    red, green, blue = (centre(page, ink) for ink in INKS)
    assert red[1] == green[1] < blue[1]
    assert red[0] == blue[0] < green[0]


def test_baseline_of_one_cell_stands_above_the_headings_of_every_page(pictures):
    rows = tuple(Row(tuple(Cell((pictures[1],)) for _ in range(60)), f"row {number}") for number in range(2))
    pages = list(
        draw_pages(Sheet("t", rows, tuple(map(str, range(60))), baseline=Row((Cell((pictures[0],)),), "none")))
    )
    assert len(pages) > 1
    for page in pages:
        assert centre(page, INKS[0])[1] < centre(page, INKS[1])[1]
        assert share(page, (232, 238, 247)) > 0.01


def test_baseline_goes_with_its_columns(pictures):
    row = Row(tuple(Cell((pictures[1],)) for _ in range(40)))
    baseline = Row((*[Cell((pictures[0],))] * 39, Cell((pictures[2],))))
    first, *_, last = draw_pages(Sheet("t", (row,), tuple(map(str, range(40))), baseline=baseline))
    assert share(first, INKS[2]) == 0 < share(first, INKS[0])
    assert share(last, INKS[2]) > 0


@pytest.mark.parametrize("counts", [(1, 1), (4, 3), (24, 1), (1, 200), (60, 60)])
def test_no_page_is_larger_than_allowed_and_all_pictures_are_on_one(pictures, counts):
    columns, rows = counts
    cell = Cell((pictures[0],), "seed 1234567890")
    table = tuple(Row((cell,) * columns, f"total = {number}") for number in range(rows))
    sheet = Sheet("t" * 500, table, ("a = 0.1",) * columns, ("note " * 50,) * 4, (("part", "file", "strength"),) * 9)
    grid = sheet.grid
    frame = frame_for(grid, 60)
    assert frame.columns * -(-columns // frame.columns) >= columns
    sizes = [page.size for page in draw_pages(sheet)] if columns * rows <= 300 else []
    assert all(max(size) <= EDGE for size in sizes)
    assert frame.width <= EDGE


@pytest.mark.parametrize(("size", "longest"), [((64, 64), SMALLEST), ((300, 200), 300), ((1024, 512), LARGEST)])
def test_pictures_are_drawn_in_their_own_size_within_limits(size, longest):
    frame = frame_for(Grid(2, 2, 1, size), 10)
    assert max(frame.picture) == longest
    assert frame.picture[0] * size[1] == pytest.approx(frame.picture[1] * size[0], rel=0.02)


def test_large_tables_are_scaled_before_they_are_split():
    frame = frame_for(Grid(16, 8, 1, (512, 512)), 10)
    assert (frame.columns, frame.rows) == (16, 8)
    assert SMALLEST < max(frame.picture) < LARGEST


def test_lines_fit_and_lose_nothing_but_what_the_ellipsis_stands_for():
    text = "a photo of eve, head-and-shoulders " + "long" * 30
    lines = wrapped(text, 16, 150, 99)
    assert all(width_of(line, 16) <= 150 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    short = wrapped(text, 16, 150, 2)
    assert len(short) == 2
    assert short[1].endswith("…")
    assert width_of(short[1], 16) <= 150


@pytest.mark.parametrize("text", ["", " ", "x", "\n\n"])
def test_text_of_nothing_needs_no_more_than_a_line(text):
    assert len(wrapped(text, 16, 100, 3)) <= 1


def test_narrow_places_do_not_hang():
    assert wrapped("wide", 20, 1, 3) == ["w", "i", "…"]


def test_plain_text_looks_the_same_on_every_machine():
    assert font_for("a photo of eve · 0.7…", 16).getname() == ("Aileron", "Regular")


def test_pages_are_plain_pictures(pictures, tmp_path):
    (page,) = draw_pages(Sheet("t", (Row((Cell((pictures[0],)),)),)))
    write_png(tmp_path / "sheet.png", page)
    with Image.open(tmp_path / "sheet.png") as image:
        assert (image.mode, image.size) == ("RGB", page.size)
        assert image.getpixel((0, 0)) == (252, 252, 250)
