"""The face scorer on the lab's synthetic faces, which YuNet finds and SFace tells apart."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageFilter

from eleven.errors import MissingPackage, UsageError
from eleven.lab.person import draw_person
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import draw_scene
from eleven.scorers.bands import band_distance, bands_of
from eleven.scorers.checking import check_scorer, pictured
from eleven.scorers.face import open_face
from eleven.scorers.faces import load_opencv, similarity
from eleven.scorers.grouping import people_in
from eleven.scorers.scorer import References

pytest.importorskip("cv2")


def portraits(person, scenes):
    drawn = [Image.fromarray(draw_portrait(draw_person(person), draw_scene(scene))) for scene in scenes]
    return [np.asarray(picture.resize((384, 384), Image.Resampling.BICUBIC)) for picture in drawn]


@pytest.fixture(scope="module")
def references():
    photos = {f"{number}.png": photo for number, photo in enumerate(portraits(600, range(900, 906)))}
    others = [portraits(person, [person + 300])[0] for person in range(601, 606)]
    return References(photos, {f"{number}.png": photo for number, photo in enumerate(others)})


@pytest.fixture(scope="module")
def face(references):
    return open_face(references)


@pytest.fixture(scope="module")
def empty():
    return np.full((200, 300, 3), 90, np.uint8)


def test_it_passes_the_battery(references):
    check_scorer(open_face, references)


def test_blur_lowers_detail_and_not_overall(face, references):
    photos = list(references.photos.values())
    blurred = [np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(3))) for photo in photos]
    sharp, soft = face.leave_one_out(), face.leave_one_out(blurred)
    strangers = face.score_impostors()
    overall, detail = (
        [[getattr(one, name) for one in scores] for scores in (sharp, soft, strangers)] for name in NAMES
    )
    assert all(soft < sharp for sharp, soft in zip(detail[0], detail[1], strict=True))
    assert np.mean(detail[1]) < np.min(detail[0])
    assert lost_to_blur(overall) < 0.2
    assert lost_to_blur(detail) > 0.6


def lost_to_blur(scores):
    """What blur takes of what parts a person from strangers."""
    sharp, soft, strangers = map(np.mean, scores)
    return (sharp - soft) / (sharp - strangers)


NAMES = ("overall", "detail")


def test_no_face_and_several_are_faults(face, references, empty):
    (photo, *_) = references.photos.values()
    both = np.concatenate([photo, portraits(603, [77])[0]], axis=1)
    none, two = face.score([pictured(empty), pictured(both)])
    assert none.fault.startswith("no face; contrast")
    assert (none.overall, none.detail) == (None, None)
    assert two.fault == "2 faces"


def test_a_small_face_in_the_background_is_nobody(face, references):
    (photo, *_) = references.photos.values()
    small = np.asarray(Image.fromarray(portraits(603, [77])[0]).resize((80, 80)))
    both = np.concatenate([photo, np.pad(small, ((0, 304), (0, 0), (0, 0)), mode="edge")], axis=1)
    (score,) = face.score([pictured(both)])
    assert score.fault == ""


def test_references_without_any_face_are_refused_by_name(empty):
    with pytest.raises(UsageError, match=r"hill\.jpg \(no face\), sea\.jpg \(no face\)"):
        open_face(References({"hill.jpg": empty, "sea.jpg": empty}, {}))


def test_photos_of_somebody_else_are_in_other_groups(references, empty):
    others = {f"other {number}": photo for number, photo in enumerate(portraits(603, [1, 2]))}
    mixed = open_face(References({**references.photos, **others, "sea": empty}, {}))
    own, *rest = people_in(mixed)
    assert set(own) == set(references.photos)
    assert {name for group in rest for name in group} == set(others)
    assert mixed.faults == {"sea": "no face"}
    assert [score.fault for score in mixed.leave_one_out()][-1] == "no face"


def test_a_photo_in_which_the_autoencoder_loses_the_face_is_a_fault(face, references, empty):
    shown = [empty, *list(references.photos.values())[1:]]
    assert face.leave_one_out(shown)[0].fault == "no face"


def test_band_energies_tell_sharp_from_smooth(references):
    (photo, *_) = references.photos.values()
    soft = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(3)))
    assert band_distance(bands_of(photo), bands_of(photo)) == 0
    assert band_distance(bands_of(photo), bands_of(soft)) > 0.35
    assert (bands_of(photo) >= bands_of(soft)).mean() > 0.9


def test_landmarks_are_brought_where_they_are_wanted():
    points = np.array([[0, 0], [4, 0], [2, 3]], float)
    turned = points @ np.array([[0, 1], [-1, 0]]) * 2.5 + [7, -2]
    matrix = similarity(turned, points)
    assert np.allclose(np.column_stack([turned, np.ones(3)]) @ matrix.T, points)


def test_without_opencv_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingPackage) as caught:
        load_opencv()
    assert caught.value.hint == "pip install 'eleven-mix[face]'"
