"""When a bake warns, and the sample of layers that it looks at."""

from __future__ import annotations

import pytest
import torch

from eleven.amplification.alarm import alarm, sample
from eleven.amplification.zones import EFFECT
from eleven.combination import combine
from eleven.errors import BaseNeeded, TensorError
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part
from models import write_layer


@pytest.fixture
def combined(tmp_path):
    """Combines the same model as often as there are strengths, or models that have nothing in common."""
    opened = []

    def combining(*strengths, alike=True, **more):
        chance = torch.Generator().manual_seed(0)
        finetunes = []
        for at in range(len(strengths)):
            up = torch.zeros(64, 1)
            up[0 if alike else at] = 1.0
            down = torch.randn(1, 32, generator=torch.Generator().manual_seed(0) if alike else chance)
            tensors = {"lora_up.weight": up, "lora_down.weight": down}
            finetunes.append(open_finetune(write_layer(tmp_path / f"{at}.safetensors", tensors)))
        parts = tuple(
            Part(file=f"{at}.safetensors", sha256=str(at), strength=strength) for at, strength in enumerate(strengths)
        )
        opened.extend(finetunes)
        return combine(Mix(parts=parts, **more), finetunes)

    yield combining
    for finetune in opened:
        finetune.close()


@pytest.mark.parametrize(
    ("strengths", "alike", "zone"),
    [
        ((1.0,), True, None),
        ((0.7, 0.7), False, None),
        ((0.7, 0.7), True, "warn"),
        ((0.5, 0.5, 0.5), False, None),
        ((EFFECT.red + 0.1,), True, "red"),
        ((1.2, 1.2), False, "red"),
        ((-1.0, -1.0), True, "red"),
    ],
)
def test_mixes_are_warned_of_by_what_they_do(combined, strengths, alike, zone):
    found = alarm(combined(*strengths, alike=alike), 1.0)
    assert (found and found.zone) == zone


def test_small_strengths_cost_nothing(combined, monkeypatch):
    monkeypatch.setattr("eleven.amplification.alarm.measure", None)
    assert alarm(combined(0.5, 0.5, 0.2), 1.0) is None


def test_other_methods_are_judged_by_the_norm_that_they_made(combined):
    mix = combined(0.6, 0.6, alike=False, method="dare", options={"density": 0.1})
    single = next(iter(mix.parts[0][1].deltas()))[1].dense().norm()
    assert alarm(mix, float(single)) is None
    found = alarm(mix, 3 * float(single))
    assert found is not None
    assert found.zone == "red"


def test_a_sample_of_layers_is_measured_and_nothing_where_nothing_is_changed(combined):
    found = sample([finetune for _, finetune in combined(1.0, 1.0).parts])
    assert found is not None
    assert (found.count, len(found.layers)) == (2, 1)
    assert sample([]) is None


@pytest.mark.parametrize("error", [TensorError, BaseNeeded])
def test_what_was_not_read_for_the_mix_need_not_be_readable(combined, monkeypatch, error):
    def failing(*_, **__):
        raise error("no")

    monkeypatch.setattr("eleven.amplification.alarm.measure", failing)
    assert alarm(combined(2.0), 1.0) is None
