"""Pictures that repeat a training photo are told by name and counted; misses for other reasons are not looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from eleven.lab.shipped import concept_folder
from eleven.reports.study import Arm, Taken
from eleven.reports.study_copies import notes_on_copies, with_copy
from eleven.reports.study_measures import Interval, Rate
from eleven.scorers.copies import COPY, CopyGuard
from eleven.scorers.references import photos_of

RATE = Rate(3, 20, Interval(0.0, 0.5))
ARMS = [Arm(name, "given", (1.0,), RATE, RATE, 0.0) for name in ("mine", "other")]
GOOD = Taken(0, 0, "one.png", perfect=False, good=True)


@pytest.fixture(scope="module")
def training():
    return photos_of(concept_folder("ada") / "photos")


@pytest.fixture(scope="module")
def guard(training):
    return CopyGuard(photos_of(concept_folder("ada") / "references"), training)


def test_a_good_picture_is_held_against_the_training_photos(tmp_path, guard, training):
    name, photo = next(iter(training.items()))
    Image.fromarray(photo).save(tmp_path / "one.png")
    assert with_copy(GOOD, tmp_path, guard).copy_of == name
    assert with_copy(replace(GOOD, good=False), tmp_path, guard).copy_of == ""
    Image.fromarray(np.full_like(photo, 90)).save(tmp_path / "one.png")
    assert with_copy(GOOD, tmp_path, guard).copy_of == ""


def test_a_refused_copy_is_told_by_its_fault(tmp_path, guard):
    refused = replace(GOOD, good=False, fault=f"{COPY}03.png")
    assert with_copy(refused, tmp_path, guard).copy_of == "03.png"


def test_copies_are_counted_for_each_arm(guard):
    pictures = [replace(GOOD, copy_of="03.png"), replace(GOOD, shot=1, copy_of="04.png"), replace(GOOD, arm=1)]
    (note,) = notes_on_copies(ARMS, pictures, guard)
    assert note.text.startswith("Pictures that repeat a training photo: mine 2 of 20; by chance up to 8 %. ")
    assert "--refuse-copies" in note.text
    (note,) = notes_on_copies(ARMS, [replace(GOOD, copy_of="03.png", fault=f"{COPY}03.png")], guard)
    assert note.text.endswith("They count as misses.")
    assert not list(notes_on_copies(ARMS, [GOOD], guard))
    assert not list(notes_on_copies(ARMS, pictures, None))
