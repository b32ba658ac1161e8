"""What a denoiser predicts is taken from where files tell it, the surest place first."""

from __future__ import annotations

import pytest

from eleven.bases.options import Prediction
from eleven.bases.predictions import ASSUMED, Told, prediction_of

V, EPSILON = Prediction.V, Prediction.EPSILON


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"modelspec.prediction_type": "epsilon"}, Told(EPSILON)),
        ({"modelspec.prediction_type": "v"}, Told(V)),
        ({"modelspec.prediction_type": "v_prediction"}, Told(V)),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v"}, Told(V)),
        ({"modelspec.architecture": "stable-diffusion-v2-512"}, Told(EPSILON)),
        ({}, Told(V, note=ASSUMED)),
    ],
)
def test_metadata_tell_it_of_stable_diffusion_2(path, metadata, told):
    assert prediction_of(path, "sd2", (), metadata) == told


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_the_others_predict_noise_unless_told_otherwise(path, family):
    assert prediction_of(path, family, (), {}) == Told(EPSILON)
    assert prediction_of(path, family, (), {"modelspec.prediction_type": "v"}) == Told(V)
    assert prediction_of(path, family, ("v_pred",), {}) == Told(V)
    assert prediction_of(path, family, ("v_pred", "ztsnr"), {}) == Told(V, zero_snr=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('model:\n  params:\n    parameterization: "v"\n', V),
        ("model:\n  params:\n    parameterization: eps\n", EPSILON),
        ("model:\n  params:\n    timesteps: 1000\n", EPSILON),
    ],
)
def test_the_configuration_beside_the_file_tells_it(path, text, told):
    path.with_suffix(".yaml").write_text(text, "utf-8")
    assert prediction_of(path, "sd2", (), {}) == Told(told)
    assert prediction_of(path, "sd2", (), {"modelspec.prediction_type": "v"}) == Told(V)
