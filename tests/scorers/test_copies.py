"""Copies of training photos are found though they are blurred, moved or noisy; new photos of the person are none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from eleven.engines.engine import Picture, Shot
from eleven.errors import UsageError
from eleven.lab.shipped import concept_folder
from eleven.scorers.copies import COPY, CopyGuard, Strict
from eleven.scorers.references import photos_of
from eleven.scorers.scorer import Score


@pytest.fixture(scope="module", params=["otto", "ada", "minka"])
def photos(request):
    """Photos that nothing was trained on, and those that the lab's models were trained on."""
    return tuple(photos_of(concept_folder(request.param) / name) for name in ("references", "photos"))


def repeated(photo, seed):
    """The photo as a model might repeat it: moved, enlarged, blurred, lighter or darker, with noise."""
    draw = np.random.default_rng(seed)
    zoom, (across, down) = 1 + draw.uniform(-0.04, 0.04), draw.uniform(-0.03, 0.03, 2) * len(photo)
    moved = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(0.8))
    way = (1 / zoom, 0, across, 0, 1 / zoom, down)
    moved = moved.transform(moved.size, Image.Transform.AFFINE, way, Image.Resampling.BICUBIC)
    light = np.asarray(moved, float) * draw.uniform(0.9, 1.1) + draw.normal(0, 4, photo.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


def test_copies_are_found_by_name(photos):
    held_out, training = photos
    guard = CopyGuard(held_out, training)
    assert all(guard.copy_of(photo) == name for name, photo in training.items())
    found = [guard.copy_of(repeated(photo, seed)) == name for seed, (name, photo) in enumerate(training.items())]
    assert np.mean(found) > 0.85


def test_new_photos_of_the_person_are_no_copies(photos):
    held_out, training = photos
    found = [
        CopyGuard({key: other for key, other in held_out.items() if key != name}, training).copy_of(photo)
        for name, photo in held_out.items()
    ]
    assert sum(map(bool, found)) <= 1


def test_too_few_photos_tell_no_copies(photos):
    held_out, training = photos
    with pytest.raises(UsageError, match="2 are not among the 24 training photos"):
        CopyGuard(dict(list(held_out.items())[:2]), training)


class Kind:
    name = "kind"

    def score(self, pictures):
        return [Score(1.0, fault=picture.shot.prompt) for picture in pictures]

    def leave_one_out(self, shown=None):
        return [Score(0.5)]

    def score_impostors(self):
        return []


def test_a_copy_is_a_miss_where_that_is_asked(photos):
    held_out, training = photos
    strict = Strict(Kind(), CopyGuard(held_out, training))
    (name, copy), new = next(iter(training.items())), next(iter(held_out.values()))
    shown = [Picture(None, Shot(fault, 0), pixels) for fault, pixels in (("", copy), ("", new), ("no face", copy))]
    assert [score.fault for score in strict.score(shown)] == [f"{COPY}{name}", "", "no face"]
    assert strict.name == "kind, copies refused"
    assert (strict.leave_one_out(), strict.score_impostors()) == ([Score(0.5)], [])
