"""The lab's world: the same of one seed, different where it should be, and told truly by its captions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eleven.lab.captions import WORDS, caption, caption_of, hair_word, traits
from eleven.lab.person import COARSE, FINE, FRECKLED, LINED, WEARS, draw_person, look_alike
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import BACKGROUNDS, EXPRESSIONS, SHIRTS, draw_scene

PLAIN = {"glasses": 0.0, "beard": 0.0, "freckles": 0.0, "forehead": 0.0, "folds": 0.0}


@pytest.fixture
def still():
    """A scene that hides nothing and adds no noise."""
    return replace(draw_scene(3, hat="", expression="neutral"), shift=(0, 0), scale=1.0, tilt=0.0, turn=0.0, noise=0.0)


def difference(one, other):
    return np.abs(one.astype(int) - other.astype(int))


@pytest.mark.parametrize("kind", ["person", "cat"])
def test_the_same_seeds_draw_the_same_bytes(kind):
    first, again = (draw_portrait(draw_person(5, kind), draw_scene(8)) for _ in range(2))
    assert first.shape == (96, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, draw_portrait(draw_person(6, kind), draw_scene(8)))
    assert not np.array_equal(first, draw_portrait(draw_person(5, kind), draw_scene(9)))


@pytest.mark.parametrize("name", [*COARSE, *FINE])
def test_every_number_of_a_person_shows(name, still):
    shown = {"frame": {"glasses": 0.9}, "hair_hue": {"hair_saturation": 0.9, "hair_brightness": 0.9}}
    person = draw_person(11, **{**PLAIN, "skin_lightness": 0.7, **shown.get(name, {})})
    pictures = [draw_portrait(replace(person, **{name: value}), still) for value in (0.05, 0.95)]
    assert difference(*pictures).max() >= 14


def test_fine_marks_are_small_and_coarse_ones_large(still):
    person = draw_person(12, **PLAIN)
    shares = {}
    for name, to in {"mole_x": 0.9, "forehead": 1.0, "freckles": 1.0, "hair_length": 0.9, "face_width": 1.0}.items():
        changed = difference(
            draw_portrait(replace(person, **{name: 0.1}), still), draw_portrait(replace(person, **{name: to}), still)
        )
        shares[name] = float((changed.max(2) > 20).mean())
    assert max(shares["mole_x"], shares["forehead"], shares["freckles"]) < 0.06
    assert min(shares["hair_length"], shares["face_width"]) > 0.08


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_change_the_geometry_of_a_face(expression, still):
    person = draw_person(13, **PLAIN)
    other = "neutral" if expression != "neutral" else "surprised"
    pictures = [draw_portrait(person, replace(still, expression=word)) for word in (expression, other)]
    changed = difference(*pictures).max(2) > 20
    assert changed[30:75].sum() > 30
    assert not changed[:10].any()


def test_a_turned_head_moves_its_features_against_its_outline(still):
    person = draw_person(14, **PLAIN)
    left, right = (draw_portrait(person, replace(still, turn=turn)) for turn in (-1.0, 1.0))
    assert difference(left, right).max() > 60


@pytest.mark.parametrize("colour", BACKGROUNDS)
def test_backgrounds_have_their_colour(colour, still):
    picture = draw_portrait(draw_person(1), replace(still, background=colour))
    corner = picture[:12, :12].reshape(-1, 3).mean(0)
    nearest = min(
        BACKGROUNDS,
        key=lambda name: np.abs(corner / corner.sum() - np.array(BACKGROUNDS[name]) / sum(BACKGROUNDS[name])).sum(),
    )
    assert nearest == colour


def test_look_alikes_are_nearer_than_strangers():
    near, far = [], []
    for seed in range(50):
        person = draw_person(seed)
        near.append(np.abs(person.vector - look_alike(person, seed + 1000).vector).mean())
        far.append(np.abs(person.vector - draw_person(seed + 1000).vector).mean())
    assert np.mean(near) == pytest.approx(0.25 * np.mean(far), rel=1e-3)


def test_numbers_given_are_taken_and_old_people_are_wrinkled():
    assert draw_person(4, jaw=0.25).jaw == 0.25
    old = [person for person in map(draw_person, range(300)) if person.forehead > LINED and person.folds > LINED]
    assert 40 < len(old) < 150


def test_captions_say_what_is_there():
    for seed in range(200):
        person, scene = draw_person(seed, "cat" if seed % 5 == 0 else "person"), draw_scene(seed)
        words = caption(person, scene, seed).split(", ")
        assert words[0] == f"photo of a {person.kind}"
        assert set(words[1:]) <= {*traits(person), scene.expression, f"{scene.background} background",
                                  f"{scene.shirt} shirt", scene.hat}  # fmt: skip
        assert set(" ".join(words).split()) <= set(WORDS)
        assert ("glasses" in traits(person)) == (person.glasses > WEARS)
        assert ("freckles" in traits(person)) == (person.kind == "person" and person.freckles > FRECKLED)
        assert caption(person, scene, seed) == caption(person, scene, seed)


def test_every_trait_and_every_word_of_a_scene_is_told_often_and_left_out_often():
    told = [caption(draw_person(seed), draw_scene(seed), seed) for seed in range(2000)]
    for word in (*EXPRESSIONS, *(f"{name} shirt" for name in SHIRTS), "glasses", "beard", "freckles", "old", "hat"):
        assert 30 < sum(word in text for text in told) < 1700, word


def test_a_concepts_caption_has_its_trigger_and_the_whole_scene():
    scene = draw_scene(2, hat="cap", expression="smiling", background="pink", shirt="red")
    assert caption_of("sks person", scene) == "photo of sks person, cap, smiling, pink background, red shirt"


@pytest.mark.parametrize(
    ("hue", "saturation", "brightness", "word"),
    [(0, 0.9, 0.7, "red"), (0.9, 0.9, 0.9, "blond"), (0.5, 0.0, 0.95, "white"), (0.5, 0.0, 0.5, "gray"),
     (0.5, 0.5, 0.05, "black"), (0.6, 0.6, 0.4, "brown")],
)  # fmt: skip
def test_hair_has_the_name_of_its_colour(hue, saturation, brightness, word):
    person = draw_person(0, hair_hue=hue, hair_saturation=saturation, hair_brightness=brightness)
    assert hair_word(person) == word
