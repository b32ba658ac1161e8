"""Targets and weights against diffusers' own schedulers and the formulas."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler

from eleven.bases.objectives import Diffusion, Flow, objective_of
from eleven.errors import UsageError
from eleven.training.plan import plan_for
from eleven.training.session import rate_at

CLEAN, NOISE = torch.randn(2, 4, 4, 4), torch.randn(2, 4, 4, 4)
TIMES = torch.tensor([3, 900])


def test_noise_is_added_as_diffusers_does():
    scheduler = DDPMScheduler(beta_schedule="scaled_linear")
    found = objective_of(scheduler)
    torch.testing.assert_close(found.noised(CLEAN, NOISE, TIMES), scheduler.add_noise(CLEAN, NOISE, TIMES))
    assert found.target(CLEAN, NOISE, TIMES) is NOISE


def test_velocity_is_diffusers_own():
    scheduler = DDPMScheduler(prediction_type="v_prediction")
    found = objective_of(scheduler)
    torch.testing.assert_close(found.target(CLEAN, NOISE, TIMES), scheduler.get_velocity(CLEAN, NOISE, TIMES))


def test_other_schedulers_tell_the_same():
    first, second = (
        objective_of(kind(beta_schedule="scaled_linear")) for kind in (DDPMScheduler, EulerDiscreteScheduler)
    )
    torch.testing.assert_close(first.kept, second.kept)


def test_flow_is_a_straight_path():
    found = objective_of(FlowMatchEulerDiscreteScheduler())
    assert isinstance(found, Flow)
    times = torch.tensor([0.25, 1.0])
    noised = found.noised(CLEAN, NOISE, times)
    torch.testing.assert_close(noised[0], 0.75 * CLEAN[0] + 0.25 * NOISE[0])
    torch.testing.assert_close(noised[1], NOISE[1])
    torch.testing.assert_close(CLEAN + times[:, None, None, None] * found.target(CLEAN, NOISE, times), noised)
    assert found.times(torch.tensor([0.0, 0.5, 1.0])).tolist() == pytest.approx([0.0237, 0.5, 0.9763], abs=1e-3)


@pytest.mark.parametrize(
    ("prediction", "wanted"), [("epsilon", lambda r: min(r, 5) / r), ("v_prediction", lambda r: min(r, 5) / (r + 1)),
                               ("sample", lambda r: min(r, 5))]
)  # fmt: skip
def test_min_snr(prediction, wanted):
    kept = torch.tensor([0.99, 0.6, 0.01])
    found = Diffusion(kept, prediction).weights(torch.arange(3), 5.0)
    assert found.tolist() == pytest.approx([wanted(at / (1 - at)) for at in (0.99, 0.6, 0.01)], rel=1e-4)
    assert Diffusion(kept, prediction).weights(torch.arange(3), None).tolist() == [1, 1, 1]


def test_a_schedule_that_ends_in_pure_noise_has_finite_weights():
    scheduler = DDIMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True)
    assert objective_of(scheduler).weights(torch.tensor([0, 999]), 5.0).isfinite().all()


def test_times_cover_the_whole_range():
    found = objective_of(DDPMScheduler()).times(torch.tensor([0.0, 0.5, 0.9999, 1.0]))
    assert found.tolist() == [0, 500, 999, 999]


def test_an_unknown_prediction_is_refused():
    scheduler = DDPMScheduler()
    scheduler.register_to_config(prediction_type="dreams")
    with pytest.raises(UsageError, match="dreams"):
        objective_of(scheduler)


def test_the_rate_rises_then_falls():
    plan = plan_for("lora", steps=100, warmup=0.1)
    rates = [rate_at(step, plan) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.01
