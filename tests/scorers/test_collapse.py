"""The guards against collapse: what they catch, and that they leave real photos alone."""

from __future__ import annotations

import numpy as np
import pytest

from eleven.lab.people import CONCEPTS
from eleven.scorers.collapse import collapsed, limits_of, measures
from eleven.scorers.references import read_references


@pytest.fixture(scope="module")
def photos():
    return CONCEPTS[0].photos(12, 24)


def altered(photo, name):
    values, chance = photo.astype(float), np.random.default_rng(0)
    grey = values.mean(2, keepdims=True)
    made = {
        "saturation": grey + (values - grey) * 8,
        "contrast": np.where(grey > 128, 255.0, 0.0).repeat(3, 2),
        "noise": values + chance.normal(0, 40, values.shape),
        "flat": values * 0.05 + 120,
        "clipped": np.where(values > 128, 255.0, 0.0),
    }[name]
    return np.clip(made, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", ["saturation", "contrast", "noise", "clipped"])
def test_what_is_overdone_is_named_with_its_value_and_limit(photos, name):
    limits = limits_of(photos)
    picture = altered(photos[0], name)
    value, limit = measures(picture)[name], limits[name][1]
    assert f"{name} {value:.3f} above {limit:.3f}" in collapsed(picture, limits)


def test_a_flat_picture_is_named(photos):
    limits = limits_of(photos)
    assert "contrast" in collapsed(altered(photos[0], "flat"), limits)
    assert "below" in collapsed(altered(photos[0], "flat"), limits)


def test_measures_are_what_they_are_called():
    red, half = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32, 3), np.uint8)
    red[:, :, 0], half[:, 16:] = 255, 255
    assert measures(red) == pytest.approx({"saturation": 1, "clipped": 1, "contrast": 0, "noise": 0})
    assert measures(half) == pytest.approx({"saturation": 0, "clipped": 0, "contrast": 0.5, "noise": 0})


def alarms(photos):
    rest = (photos[:number] + photos[number + 1 :] for number in range(len(photos)))
    return [told for photo, others in zip(photos, rest, strict=True) if (told := collapsed(photo, limits_of(others)))]


def test_lab_photos_are_left_alone():
    assert [told for concept in CONCEPTS for told in alarms(concept.photos(12, 24))] == []


def test_real_photos_are_left_alone(assets):
    folders = [folder for folder in (assets / "dreambooth_384").iterdir() if folder.is_dir()]
    subjects = [list(read_references(folder).photos.values()) for folder in folders]
    false = [told for subject in subjects for told in alarms(subject)]
    assert len(false) <= 0.02 * sum(map(len, subjects)), false
