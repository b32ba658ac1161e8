"""What each model carries, from a search to the page, its data and the recipe."""

from __future__ import annotations

from dataclasses import replace

import pytest
from study_example import World, build
from tiny_study import BEST, tuned

from eleven.effects import effects_to_toml
from eleven.mix_text import read_effects, read_recipe
from eleven.reports.carried import carried_of
from eleven.reports.study_folder import effects_in
from eleven.reports.study_page import render_page
from eleven.reports.study_results import from_json, to_json
from eleven.studies.effects import Effects

EFFECTS = Effects((0.1, -0.2), (0.01, 0.02), (0.3, 0.4), (0.0, 0.1))


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    found, result = tuned(tmp_path_factory.mktemp("study"), BEST)
    return found, replace(result.searched, effects=EFFECTS), found.plan.mix(result.best)


def test_effects_are_told_for_a_tenth_of_strength_with_intervals(searched):
    first, second = carried_of(searched[1])
    assert (first.overall, first.detail) == pytest.approx((0.01, 0.03))
    assert (first.overall_interval.low, first.overall_interval.high) == pytest.approx((0.00804, 0.01196))
    assert (second.model, second.detail_interval.low) == (1, pytest.approx(0.0204))
    assert carried_of(None) == carried_of(replace(searched[1], effects=None)) == ()


def test_the_page_and_its_data_tell_what_each_model_carries(searched, tmp_path):
    view = build(tmp_path, World(prompts=2, seeds=1))
    assert 'id="carried"' not in render_page(view, tmp_path)
    view = replace(view, carried=carried_of(searched[1]))
    page = render_page(view, tmp_path)
    assert 'id="carried"' in page
    assert "+0.0100" in page
    assert from_json(to_json(view)) == view


def test_the_recipe_keeps_the_effects_of_its_own_models(searched, tmp_path):
    one, told, mix = searched
    assert [effect.detail for effect in effects_in(mix, one, told)] == [0.3, 0.4]
    alone = mix.model_copy(update={"parts": mix.parts[1:]})
    (effect,) = effects_in(alone, one, told)
    assert (effect.sha256, effect.overall) == (mix.parts[1].sha256, -0.2)
    path = tmp_path / "mix.toml"
    path.write_text(f"{alone.to_toml()}\n{effects_to_toml([effect])}", "utf-8")
    assert read_recipe(path).digest == alone.digest
    assert read_effects(path) == (effect,)
    assert effects_in(mix, one, None) == ()
