"""What models have in common: all of it with themselves, none of it with their opposite."""

from __future__ import annotations

import pytest
import torch

from eleven.bases.opening import open_base
from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.engine import Shot
from eleven.engines.overlap import overlap
from eleven.errors import UsageError
from eleven.lab.shipped import concept_folder
from eleven.mix import Mix, Part

SHOTS = [Shot("photo of sks person, smiling", seed, steps=3, guidance=3.0) for seed in range(2)]


def mix(kind, strength=1.0):
    return Mix(parts=(Part(file=str(concept_folder("ada") / f"ada-{kind}.safetensors"), strength=strength),))


def test_what_models_have_in_common():
    one, other = mix("lora-a"), mix("lora-b")
    with DiffusersEngine(open_base("lab", device="cpu")) as engine:
        before = {name: weight.clone() for name, weight in engine.base.components["unet"].state_dict().items()}
        alike = overlap(engine, [one, other], one, SHOTS)
        assert overlap(engine, [one, one], one, SHOTS) == pytest.approx(1, abs=1e-4)
        assert overlap(engine, [one, mix("lora-a", -0.5)], other, SHOTS) < -0.2
        assert 0.1 < alike < 0.99
        with pytest.raises(UsageError, match="1 model"):
            overlap(engine, [one], one, SHOTS)
        engine.switch(None)
        assert all(
            torch.equal(before[name], weight) for name, weight in engine.base.components["unet"].state_dict().items()
        )
