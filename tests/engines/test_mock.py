"""The engine without a model."""

from __future__ import annotations

from pictures import SHOTS, mix_of

from eleven.engines.mock import MockEngine
from eleven.mix import Mix, Part, Table
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


def test_strengths_at_an_address_have_a_hidden_best_of_their_own():
    engine = MockEngine(BEST, knobs={"te": 0.5})
    parts = [Part(file=name, strength=strength) for name, strength in BEST.items()]
    turned = [part.model_copy(update={"at": Table({"te": 0.5 * part.strength})}) for part in parts]
    assert engine.likeness(Mix(parts=tuple(turned))) == 1
    assert engine.likeness(Mix(parts=tuple(parts))) < 0.8
