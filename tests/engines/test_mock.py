"""The engine without a model."""

from __future__ import annotations

from pictures import SHOTS, mix_of

from eleven.engines.mock import MockEngine
from eleven.testing import check_engine

BEST = {"a.safetensors": 0.7, "b.safetensors": 0.6}


def test_the_mock_passes_the_battery():
    mixes = [mix_of(("x/a.safetensors", strength), ("b.safetensors", 0.5)) for strength in (0.2, 0.6)]
    check_engine(MockEngine(BEST), mixes, SHOTS)


def test_pictures_are_brightest_at_the_hidden_best_and_nearly_black_without_a_mix():
    engine = MockEngine(BEST, spread=0.0)
    mixes = [None, mix_of(("a.safetensors", 1.0)), mix_of(("a.safetensors", 0.7), ("b.safetensors", 0.6))]
    shown = [next(engine.take(mix, SHOTS)).pixels.mean() / 255 for mix in mixes]
    assert shown == sorted(shown)
    assert engine.likeness(mixes[-1]) == 1
    assert abs(shown[-1] - 0.9) < 0.02


def test_what_the_hidden_best_does_not_know_only_harms():
    engine = MockEngine(BEST)
    best = mix_of(("a.safetensors", 0.7), ("b.safetensors", 0.6))
    more = mix_of(("a.safetensors", 0.7), ("b.safetensors", 0.6), ("c.safetensors", 0.5))
    assert engine.likeness(more) < engine.likeness(best)
