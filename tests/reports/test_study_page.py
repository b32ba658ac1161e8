"""The page is one file that fetches nothing, shows every shot, stays light, and takes no name for markup."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from study_example import World, build

from eleven.errors import FileError, UsageError
from eleven.reports.contact import contact_rows
from eleven.reports.study import Note, Shot, Snippet, Taken
from eleven.reports.study_measures import Interval, Knob, Rate
from eleven.reports.study_page import render_page, took, write_report
from eleven.reports.study_results import from_json, to_json
from eleven.reports.thumbnails import LADDER, Thumbnails, fitting
from eleven.reports.verdict import verdict_of
from eleven.sheets.png import write_png

HOSTILE = '</script><script>alert("1")</script><img src=x onerror=alert(1)>'
TINY = World(prompts=3, seeds=2, arms=3)


class Page(HTMLParser):
    """What a page would run, fetch and say."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.events = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for key, value in attributes if key in ("src", "href", "srcset", "action", "data")]
        self.events += [key for key, _ in attributes if key.startswith("on") or key == "style"]


def data_of(page):
    return json.loads(re.search(r'id="contact-data">(.*?)</script>', page, re.S)[1])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, build(folder, TINY)


def test_knobs_are_shown_in_the_verdict_the_header_and_the_tables(made):
    folder, study = made
    arms = (replace(study.arms[0], knobs=(0.52,)), *study.arms[1:])
    trials = tuple(replace(trial, knobs=(1.0,)) for trial in study.trials)
    turned = replace(study, knobs=(Knob("te", ("te",), 1.0),), arms=arms, trials=trials)
    page = render_page(turned, folder)
    assert " with te × 0.52 is perfect in" in verdict_of(turned).sentence
    assert '<span class="big">× 0.52</span><span class="who">te</span>' in page
    assert page.count(">× te</th>") == 2
    assert from_json(to_json(turned)) == turned
    with pytest.raises(UsageError, match="knobs are not the 1 knobs"):
        replace(turned, arms=(replace(arms[0], knobs=(0.5, 0.5)), *arms[1:]))


def test_a_picture_that_repeats_a_training_photo_says_so(made):
    folder, study = made
    pictures = (replace(study.pictures[0], copy_of="03.png"), *study.pictures[1:])
    assert "repeats the training photo 03.png" in render_page(replace(study, pictures=pictures), folder)


def test_the_report_is_written_beside_its_results(made):
    folder, study = made
    path = write_report(study, folder)
    assert from_json((folder / "results.json").read_text("utf-8")) == study
    assert verdict_of(study).sentence in path.read_text("utf-8")
    assert write_report(study, folder).read_bytes() == path.read_bytes()


def test_one_file_holds_everything(made):
    folder, study = made
    page = Page(render_page(study, folder))
    assert not [
        one for one in page.addresses if re.match(r"(?i)[a-z]+:|//", one) and not one.startswith("data:image/webp")
    ]
    assert not {"link", "iframe", "object", "base", "form"} & set(page.tags) - {"form"}
    assert page.events == []
    assert page.tags.count("script") == 2
    assert "default-src 'none'" in render_page(study, folder)


@pytest.mark.parametrize("width", range(2, 5))
def test_every_section_is_there_for_any_number_of_models(tmp_path, width):
    text = render_page(build(tmp_path, replace(TINY, models=width)), tmp_path)
    ids = set(re.findall(r'<section id="(\w+)"', text))
    assert ids == {"arms", "pictures", "landscape", "sweep", "scores", "models", "search", "made"}
    assert set(re.findall(r'<a href="#(\w+)"', text)) - {"content"} == ids


def test_a_study_with_nothing_but_an_arm_has_a_page(made):
    folder, study = made
    arms = (replace(study.arms[0], difference=None),)
    bare = replace(
        study, arms=arms, rival=None, pictures=(), scales=(), trials=(), surface=None, sweep=None, dropped=()
    )
    bare = replace(bare, snippets=(), baked=None)
    text = render_page(bare, folder)
    assert set(re.findall(r'<section id="(\w+)"', text)) == {"arms", "pictures", "made"}
    assert "Against" not in text


def test_arms_of_fewer_shots_are_told(made):
    folder, study = made
    assert "or, where no claim depends on it" not in render_page(study, folder)
    last = replace(study.arms[-1], perfect=Rate(1, 2, Interval(0.1, 0.9)))
    told = render_page(replace(study, arms=(*study.arms[:-1], last)), folder)
    assert "or, where no claim depends on it, the first 2 of them: equal prompts" in told


def test_names_are_text_and_not_markup(made):
    folder, study = made
    hostile = replace(
        study,
        concept=HOSTILE,
        base=HOSTILE,
        models=tuple(replace(model, name=HOSTILE, file=HOSTILE) for model in study.models),
        arms=tuple(replace(arm, name=HOSTILE) for arm in study.arms),
        shots=tuple(Shot(HOSTILE, shot.seed) for shot in study.shots),
        notes=(Note("warning", HOSTILE),),
        snippets=(Snippet(HOSTILE, HOSTILE),),
        baked=replace(study.baked, file=f"javascript:{HOSTILE}"),
        pictures=tuple(replace(one, fault=HOSTILE) for one in study.pictures),
    )
    text = render_page(hostile, folder)
    page, plain = Page(text), Page(render_page(study, folder))
    assert "<script>alert" not in text
    assert "onerror=alert(1)>" not in text
    assert page.tags.count("script") == plain.tags.count("script")
    assert page.tags.count("img") == plain.tags.count("img")
    assert page.events == []
    assert not [one for one in page.addresses if one.startswith("javascript:")]
    assert data_of(text)["prompts"] == [HOSTILE]


def test_every_picture_is_in_the_sheet_with_its_mark(made):
    folder, study = made
    data = data_of(render_page(study, folder))
    assert len(data["cells"]) == len(study.shots)
    marks = {"perfect": 0, "good": 0, "miss": 0}
    for row in data["cells"]:
        for _, mark, _ in row:
            marks[mark] += 1
    perfect = sum(one.perfect for one in study.pictures)
    assert marks["perfect"] == perfect == sum(arm.perfect.hits for arm in study.arms)
    assert marks["good"] == sum(one.good for one in study.pictures) - perfect


def test_what_was_not_made_leaves_its_place_empty(made):
    folder, study = made
    rows = contact_rows(replace(study, pictures=study.pictures[1:]), folder)
    assert rows[0].cells[0] is None
    assert rows[0].cells[1] is not None


def test_without_room_shots_that_differ_come_first_and_the_rest_is_linked(made):
    folder, study = made
    alike = tuple(replace(one, perfect=False, good=False) if one.shot < 3 else one for one in study.pictures)
    study = replace(study, pictures=alike)
    whole = contact_rows(study, folder)
    some = contact_rows(study, folder, limit=9_000)
    shown = [row.differs for row in some if all(cell.thumbnail for cell in row.cells)]
    assert {row.differs for row in whole} == {True, False}
    assert 0 < len(shown) < len(whole)
    assert all(shown) or sum(shown) == sum(row.differs for row in whole)
    assert sum(len(cell.thumbnail) for row in some for cell in row.cells) <= 9_000
    assert next(cell for row in some for cell in row.cells if not cell.thumbnail).source.startswith("pictures/")


def test_more_pictures_are_smaller(made):
    folder, study = made
    files = [folder / one.file for one in study.pictures]
    assert fitting(files, 10**9) == LADDER[0]
    assert fitting(files, 1) == LADDER[-1]
    assert not Thumbnails(files, limit=1).of(files[0])


def test_a_missing_picture_is_told(made):
    folder, study = made
    with pytest.raises(FileError, match=r"gone\.png"):
        render_page(replace(study, pictures=(replace(study.pictures[0], file="gone.png"),)), folder)


def test_ten_thousand_pictures_add_less_than_four_megabytes_to_their_thumbnails(made, tmp_path):
    _, study = made
    shots = tuple(Shot(f"a prompt of some length, as people write them, number {at % 60}", at) for at in range(5000))
    write_png(tmp_path / "grey.png", np.full((24, 24, 3), 90, np.uint8))
    told = (True, -0.25, (0.75, 0.66), 0.9)
    pictures = tuple(Taken(arm, at, "grey.png", at % 3 == arm, *told) for at in range(5000) for arm in (0, 1))
    many = replace(study, arms=study.arms[:2], shots=shots, pictures=pictures)
    text = render_page(many, tmp_path)
    letters = sum(len(one) for row in data_of(text)["thumbnails"] for one in row)
    assert len(text.encode()) - letters < 4_000_000
    assert len(data_of(text)["cells"]) == 5000
    assert len(Page(text).tags) < 3000


def test_times_are_told_as_people_say_them():
    assert [took(seconds) for seconds in (0.4, 75, 700, 9000)] == ["0 s", "75 s", "12 min", "2 h 30 min"]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here")
def test_a_browser_draws_all_shots_without_complaint(made, tmp_path):
    folder, study = made
    path = write_report(study, folder)
    flags = "--headless --no-sandbox --disable-background-networking --dump-dom --virtual-time-budget=3000"
    command = ["chromium", *flags.split(), f"--user-data-dir={tmp_path}", "--enable-logging=stderr", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "CONSOLE" not in done.stderr
    assert "6 of 6 shots" in done.stdout
    assert done.stdout.count('<button class="picture ') == len(study.pictures)
