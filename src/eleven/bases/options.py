"""How a base is opened: what it saves memory with, and what its denoiser predicts where the file does not tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, final

from eleven.errors import UsageError

if TYPE_CHECKING:
    import torch
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline


class Offload(StrEnum):
    """What waits in main memory until its turn comes: nothing, whole components, or single layers (slow)."""

    NONE = "none"
    MODEL = "model"
    SEQUENTIAL = "sequential"


class Prediction(StrEnum):
    """What the denoiser was trained to predict: noise, or velocity; `AUTO` asks the file."""

    AUTO = "auto"
    EPSILON = "epsilon"
    V = "v_prediction"


@final
@dataclass(frozen=True)
class BaseOptions:
    """Options of opening a base; those that save memory cost time.

    `prediction` is for single files, which often do not tell it.
    """

    attention_slicing: bool = False
    vae_slicing: bool = False
    vae_tiling: bool = False
    offload: Offload = Offload.NONE
    prediction: Prediction = Prediction.AUTO


PLAIN = BaseOptions()
"""Nothing saved, nothing assumed."""


def place_on(pipeline: DiffusionPipeline, device: torch.device, options: BaseOptions) -> None:
    """Moves a pipeline to its device, or prepares it to move as it is needed. UsageError for what it cannot do."""
    vae = pipeline.components.get("vae")
    for asked, method in ((options.vae_slicing, "enable_slicing"), (options.vae_tiling, "enable_tiling")):
        if asked:
            _call(vae, method, f"{type(vae).__name__} cannot decode in {method.removeprefix('enable_')}.")
    if options.attention_slicing:
        denoiser = pipeline.components.get("unet")
        _call(denoiser, "set_attention_slice", f"{type(pipeline).__name__} has no attention to slice.", "auto")
    if options.offload is Offload.NONE:
        pipeline.to(device)
        return
    if device.type == "cpu":
        raise UsageError(f"{options.offload} offload needs an accelerator.", hint="Leave the offload out on the CPU.")
    method = "enable_model_cpu_offload" if options.offload is Offload.MODEL else "enable_sequential_cpu_offload"
    getattr(pipeline, method)(device=device)


def _call(part: object, method: str, otherwise: str, *arguments: str) -> None:
    call = getattr(part, method, None)
    if call is None:
        raise UsageError(otherwise, hint="Leave that option out.")
    call(*arguments)
