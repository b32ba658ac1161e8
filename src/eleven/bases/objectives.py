"""What a base is trained to predict, told by its own scheduler: noise, velocity, the picture, or a flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, final

import torch

from eleven.errors import UsageError
from eleven.tensors import Tensor

Window = tuple[float, float]


class Objective(Protocol):
    """How noise is added, what is asked for, and how much each noise level counts."""

    def times(self, quantiles: Tensor) -> Tensor:
        """Times in this objective's own measure for uniform numbers, 0 being clean."""
        ...

    def noised(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """The latents at these times."""
        ...

    def target(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What should be predicted."""
        ...

    def weights(self, times: Tensor, gamma: float | None) -> Tensor:
        """How much each time's loss counts."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Diffusion:
    """Variance-preserving diffusion; `kept` is ᾱ for each timestep (Ho 2020, arXiv 2006.11239)."""

    kept: Tensor
    prediction: str

    def times(self, quantiles: Tensor) -> Tensor:
        """Whole timesteps, each equally likely."""
        return (quantiles * len(self.kept)).long().clamp(max=len(self.kept) - 1)

    def noised(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """√ᾱ·x + √(1 − ᾱ)·ε."""
        kept = self._kept(times, clean)
        return kept.sqrt() * clean + (1 - kept).sqrt() * noise

    def target(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """ε, x, or √ᾱ·ε − √(1 − ᾱ)·x (Salimans 2022, arXiv 2202.00512)."""
        if self.prediction == "epsilon":
            return noise
        kept = self._kept(times, clean)
        return clean if self.prediction == "sample" else kept.sqrt() * noise - (1 - kept).sqrt() * clean

    def weights(self, times: Tensor, gamma: float | None) -> Tensor:
        """min(SNR, γ) over what the prediction implies already (Hang 2023, arXiv 2303.09556, section 3.4)."""
        kept = self.kept.to(times.device)[times]
        if gamma is None:
            return torch.ones_like(kept)
        ratio = kept / (1 - kept).clamp(min=1e-8)
        implied = {"epsilon": ratio.clamp(min=1e-8), "v_prediction": ratio + 1, "sample": torch.ones_like(ratio)}
        return ratio.clamp(max=gamma) / implied[self.prediction]

    def _kept(self, times: Tensor, like: Tensor) -> Tensor:
        return self.kept.to(like)[times].reshape(-1, *(1 for _ in like.shape[1:]))


@final
@dataclass(frozen=True)
class Flow:
    """Straight paths from the picture to the noise (Esser 2024, arXiv 2403.03206); times are the share of noise."""

    def times(self, quantiles: Tensor) -> Tensor:
        """Logit-normal: the middle more often than the ends (section 3.1)."""
        return torch.special.ndtri(quantiles.clamp(1e-4, 1 - 1e-4)).sigmoid()

    def noised(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """(1 − t)·x + t·ε."""
        part = times.to(clean).reshape(-1, *(1 for _ in clean.shape[1:]))
        return (1 - part) * clean + part * noise

    def target(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:  # noqa: ARG002 - the protocol's signature
        """ε − x."""
        return noise - clean

    def weights(self, times: Tensor, gamma: float | None) -> Tensor:  # noqa: ARG002 - the protocol's signature
        """Every time the same."""
        return torch.ones_like(times)


def objective_of(scheduler: Any) -> Objective:  # noqa: ANN401 - diffusers has no common type of schedulers
    """What the base's scheduler tells. UsageError for a kind that cannot be trained."""
    name = type(scheduler).__name__
    if "FlowMatch" in name:
        return Flow()
    kept, prediction = getattr(scheduler, "alphas_cumprod", None), scheduler.config.get("prediction_type", "epsilon")
    if not isinstance(kept, torch.Tensor) or prediction not in ("epsilon", "v_prediction", "sample"):
        raise UsageError(
            f"bases with {name} ({prediction}) cannot be trained.", hint="Give the base another scheduler."
        )
    return Diffusion(kept.detach().float().cpu(), prediction)
