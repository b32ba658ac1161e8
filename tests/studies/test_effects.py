"""What each model carries, from pictures of a made-up search whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_study import BEST, tuned

from eleven.effects import Effect
from eleven.studies.effects import Effects, Seen, estimate
from eleven.studies.tuning import tune

OVERALL, DETAIL = np.array([0.10, 0.02]), np.array([0.05, 0.20])
AROUND = (0.7, 0.6)


def searched(seed: int, *, curved: float = 0.0, luck: float = 0.01, mixes: int = 40) -> Seen:
    """Mixes about the best, four pictures each, with luck of the shot shared by all mixes."""
    chance = np.random.default_rng(seed)
    rows = np.repeat(np.clip(np.array(AROUND) + chance.normal(0, 0.25, (mixes, 2)), 0, 1.2), 4, axis=0)
    shots = np.concatenate([chance.choice(12, 4, replace=False) for _ in range(mixes)])
    shared, moved = chance.normal(0, 0.1, (12, 2)), rows - AROUND
    bent = curved * np.square(moved.sum(1))
    noise = chance.normal(0, luck, (len(rows), 2))
    overall = 0.9 + moved @ OVERALL - bent + shared[shots, 0] + noise[:, 0]
    detail = 0.8 + moved @ DETAIL - bent + shared[shots, 1] + noise[:, 1]
    return Seen(rows, shots, overall, detail)


@pytest.mark.parametrize("curved", [0.0, 0.1])
def test_slopes_are_found_whatever_the_shots_do(curved):
    found = estimate(searched(1, curved=curved), AROUND)
    assert found is not None
    assert found.overall == pytest.approx(OVERALL, abs=0.02)
    assert found.detail == pytest.approx(DETAIL, abs=0.02)


def test_errors_are_about_as_large_as_the_slopes_are_off():
    found = [estimate(searched(seed, luck=0.05), AROUND) for seed in range(60)]
    off = np.array([(np.array(one.detail) - DETAIL) / np.array(one.detail_errors) for one in found if one])
    assert 0.7 < np.sqrt(np.mean(off**2)) < 1.4


def test_pictures_that_were_not_scored_tell_nothing_and_few_mixes_are_too_few():
    seen = searched(2)
    lost = seen.detail.copy()
    lost[::3] = np.nan
    some = estimate(Seen(seen.strengths, seen.shots, seen.overall, lost), AROUND)
    assert some is not None
    assert some.detail == pytest.approx(DETAIL, abs=0.03)
    assert estimate(searched(2, mixes=6), AROUND) is None
    assert estimate(Seen(seen.strengths, seen.shots, seen.overall, np.full_like(lost, np.nan)), AROUND) is None


def test_effects_are_those_of_files():
    found = Effects((0.1, 0.2), (0.01, 0.02), (0.3, 0.4), (0.03, 0.04)).by_file(["a" * 64, "c" * 64])
    assert found[1] == Effect(sha256="c" * 64, overall=0.2, overall_error=0.02, detail=0.4, detail_error=0.04)


class Both:
    """A scorer of two brightnesses: the detail of a picture is that of its second model."""

    name = "brightness"

    def score(self, pictures):
        from eleven.scorers.scorer import Score

        return [
            Score(float(one.pixels.mean()) / 255, one.mix.parts[-1].strength if one.mix else 0.0, 1.0)
            for one in pictures
        ]


def test_what_is_confirmed_is_the_steered_mix(tmp_path, monkeypatch):
    monkeypatch.setattr("tiny_study.Brightness", Both)
    told = []

    def both(study):
        object.__setattr__(study, "tell", told.append)
        return tune(study), tune(study, 0.8)

    _, (plain, moved) = tuned(tmp_path, BEST, 600, then=both)
    assert plain.searched.effects == moved.searched.effects is not None
    assert plain.best == moved.searched.best or plain.best in [one.strengths for one in plain.searched.dropped]
    assert moved.best != plain.best
    assert moved.best[1] > plain.best[1]
    assert moved.confirmation.arms[0].strengths == moved.best


def test_a_scorer_without_detail_leaves_the_mix_as_it_was_found(tmp_path):
    told = []

    def steer(study):
        object.__setattr__(study, "tell", told.append)
        return tune(study, 1.0)

    _, found = tuned(tmp_path, BEST, 400, then=steer)
    assert found.searched.effects is None
    assert any("as it was found" in text for text in told)


def test_knobs_take_part_in_the_fit_and_are_not_told():
    seen = searched(3, luck=0.0)
    turned = np.random.default_rng(5).uniform(0.5, 1.5, (len(seen.strengths), 1))
    knobbed = Seen(np.hstack([seen.strengths, turned]), seen.shots, seen.overall + 0.1 * turned[:, 0], seen.detail, 1)
    plain, found = estimate(seen, AROUND), estimate(knobbed, (*AROUND, 1.0))
    assert plain is not None and found is not None
    assert len(found.overall) == len(AROUND)
    assert found.overall == pytest.approx(plain.overall, abs=0.1)
