"""The lab's scorer: its likenesses, and the share of a prompt that is there."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from eleven.errors import UsageError
from eleven.lab.eye import open_eye
from eleven.lab.people import concept
from eleven.scorers.checking import check_scorer, pictured
from eleven.scorers.lab import open_lab
from eleven.scorers.opening import open_scorer


@pytest.fixture(scope="module")
def lab(lab_references):
    return open_lab(lab_references)


def test_it_passes_the_battery(lab_references):
    check_scorer(open_lab, lab_references)


def test_it_is_opened_by_its_name_and_takes_no_argument(site, lab_references):
    assert open_scorer("lab", lab_references).name == "lab"
    with pytest.raises(UsageError, match="'coarse'"):
        open_scorer("lab:coarse", lab_references)


def test_likeness_is_the_eyes_cosine_to_the_best_three_others(lab, lab_references):
    photos = np.stack(list(lab_references.photos.values()))
    look = open_eye().look(photos)
    for vectors, name in ((look.overall, "overall"), (look.detail, "detail")):
        cosines = (vectors @ vectors.T).numpy()
        expected = [np.sort(np.delete(row, number))[-3:].mean() for number, row in enumerate(cosines)]
        assert [getattr(score, name) for score in lab.leave_one_out()] == pytest.approx(expected, abs=1e-5)


def test_new_photos_of_the_person_score_above_strangers(lab):
    mine = [score.overall for score in lab.score([pictured(photo) for photo in concept("ada").photos(6, 60)])]
    assert min(mine) > max(score.overall for score in lab.score_impostors())


@pytest.mark.parametrize(
    ("prompt", "share"),
    [
        ("photo of sks person", None),
        ("photo of sks person, {expression}", 1.0),
        ("a ({background} Background:1.2), {wrong} shirt", 0.5),
        ("{expression}, {background} background and {shirt} shirt", 1.0),
        ("{wrong} shirt", 0.0),
        ("{wrong} hair", None),
    ],
)
def test_prompt_is_the_share_of_what_it_names(lab, prompt, share):
    (scene,), (photo,) = concept("ada").scenes(1, 40), concept("ada").photos(1, 40)
    wrong = "red" if scene.shirt != "red" else "blue"
    words = prompt.format(expression=scene.expression, background=scene.background, shirt=scene.shirt, wrong=wrong)
    (score,) = lab.score([pictured(photo, words)])
    assert score.prompt == share


def test_a_larger_picture_scores_like_itself(lab):
    (photo,) = concept("ada").photos(1, 50)
    large = np.asarray(Image.fromarray(photo).resize((384, 384), Image.Resampling.BICUBIC))
    small, wide = lab.score([pictured(photo), pictured(large)])
    assert wide.overall == pytest.approx(small.overall, abs=0.02)


def test_a_collapsed_picture_has_a_fault_with_the_values(lab):
    (photo,) = concept("ada").photos(1, 51)
    burnt = np.clip((photo.astype(float) - 128) * 6 + 128, 0, 255).astype(np.uint8)
    fine, broken = lab.score([pictured(photo), pictured(burnt)])
    assert fine.fault == ""
    assert re.fullmatch(r"clipped 0\.\d{3} above 0\.\d{3}", broken.fault)
    assert broken.overall is not None
