"""Lines come from the photos as the base returns them, and too few photos draw none."""

from __future__ import annotations

import numpy as np
import pytest

from eleven.engines.opening import Setup, openers
from eleven.errors import UsageError
from eleven.lab.people import concept
from eleven.scorers.scorer import References
from eleven.studies.beginning import Training, calibrated, short_names
from eleven.studies.prompts import COUNT, PLACES, default_prompts


@pytest.fixture(scope="module")
def photos():
    return {f"{number}.png": photo for number, photo in enumerate(concept("ada").photos(6))}


def test_blurred_photos_lower_the_lines(photos):
    blurred = [np.repeat(np.repeat(photo[::2, ::2], 2, 0), 2, 1) for photo in photos.values()]
    sharp = calibrated("lab", References(photos, {}))
    soft = calibrated("lab", References(photos, {}), blurred)
    assert soft.thresholds.detail is not None
    assert sharp.thresholds.detail is not None
    assert soft.thresholds.detail.perfect < sharp.thresholds.detail.perfect - 0.02


def test_two_photos_are_too_few(photos):
    with pytest.raises(UsageError, match="2 reference photos"):
        calibrated("lab", References(dict(list(photos.items())[:2]), {}))


def test_a_stranger_among_the_photos_is_named(photos):
    (stranger,) = concept("minka").photos(1)
    found = calibrated("lab", References(photos | {"stranger.png": stranger}, {}))
    assert any(one.code == "another person" and "stranger.png" in one.text for one in found.advice)


def test_photos_of_two_people_are_told_with_the_way_out():
    halves = {f"{name} {at}": one for name in ("otto", "ada") for at, one in enumerate(concept(name).photos(6))}
    (advice,) = (one for one in calibrated("lab", References(halves, {})).advice if one.code == "several people")
    assert advice.text.startswith("The photos show 2 different people: 6 of one (")
    assert "--impostors" in advice.hint


def test_training_photos_among_the_references_are_named_and_no_yardstick_for_copies(photos):
    trained = {"trained.png": photos["0.png"], "other.png": concept("ada").photos(20)[-1]}
    found = calibrated("lab", References(photos, {}), training=Training(trained))
    assert "0.png is the training photo trained.png." in [one.text for one in found.advice]
    assert found.scorer.name == "lab"
    assert found.guard is not None
    assert found.guard.copy_of(photos["0.png"]) == "trained.png"
    assert found.guard.copy_of(photos["1.png"]) == ""
    assert calibrated("lab", References(photos, {}), training=Training(trained, True)).scorer.name.startswith("lab, ")


def test_references_that_are_all_training_photos_tell_no_copies(photos):
    with pytest.raises(UsageError, match="0 are not among the 6 training photos"):
        calibrated("lab", References(photos, {}), training=Training(photos))


def test_names_are_short_and_different():
    assert short_names(["eve", "eve", "ada"]) == ("eve (1)", "eve (2)", "ada")


@pytest.mark.parametrize(("family", "count"), [("lab", COUNT), ("sd1", len(PLACES)), ("", len(PLACES))])
def test_every_default_prompt_says_the_trigger(family, count):
    prompts = default_prompts(family, "sks person")
    assert len(set(prompts)) == len(prompts) == count >= 40
    assert all("sks person" in prompt for prompt in prompts)


def test_processes_share_the_processors():
    opened = openers(Setup("lab", "cpu"), 2)
    assert len(opened) == 2
