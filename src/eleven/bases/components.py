"""One model of a pipeline, built from its configuration and filled from Eleven's own reading of its weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

import torch
from torch import nn

from eleven.bases.memory import lacks_memory
from eleven.errors import FamilyMismatch, FileError
from eleven.files.strict_json import shorten
from eleven.layers.family import respelled
from eleven.tensors import Tensor

if TYPE_CHECKING:
    from diffusers.models.modeling_utils import ModelMixin
    from transformers import PreTrainedModel

Told = type["ModelMixin"] | type["PreTrainedModel"]

AGAIN = "Fetch the whole model again."
FAULTS = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, NotImplementedError)
"""What diffusers and transformers raise on configurations that contradict themselves or the weights."""


@final
@dataclass(frozen=True)
class Weights:
    """What a model is filled from: where they lie, for messages; the keys there are; and how one is read."""

    place: str
    keys: Collection[str]
    read: Callable[[str], Tensor]


def load_model(kind: Told, configuration: Path, weights: Weights, dtype: torch.dtype) -> nn.Module:
    """A model with every weight it has, in eval mode. FileError where its configuration or a weight is missing."""
    from transformers import PreTrainedModel

    if not weights.keys:
        raise FileError(f"{weights.place}: is missing, and the pipeline needs it.", hint=AGAIN)
    try:
        if issubclass(kind, PreTrainedModel):
            return _encoder(kind, configuration, weights, dtype)
        return _denoiser(kind, configuration, weights, dtype)
    except FAULTS as error:
        if lacks_memory(error):
            raise
        told = f"{weights.place}: is no {kind.__name__} that can be loaded: {reason(error)}."
        raise FileError(told, hint=AGAIN) from None


def reason(error: Exception) -> str:
    """The first line of what another library said, fit for a message."""
    return shorten((str(error).splitlines() or [type(error).__name__])[0]).rstrip(".")


def _encoder(kind: type[PreTrainedModel], configuration: Path, weights: Weights, dtype: torch.dtype) -> nn.Module:
    shape = cast(Any, kind.config_class).from_pretrained(configuration, local_files_only=True)
    tensors = {key: weights.read(key) for key in weights.keys}
    asked: dict[str, Any] = {"config": shape, "state_dict": tensors, "dtype": dtype, "ignore_mismatched_sizes": True}
    made = kind.from_pretrained(None, **asked, output_loading_info=True)
    model, loaded = cast("tuple[nn.Module, Mapping[str, Collection[Any]]]", made)
    _complete(weights.place, loaded["missing_keys"])
    _same_shapes(weights.place, [str(item[0]) for item in loaded["mismatched_keys"]])
    return model.eval()


def _denoiser(kind: type[ModelMixin], configuration: Path, weights: Weights, dtype: torch.dtype) -> nn.Module:
    from accelerate import init_empty_weights

    configurable = cast(Any, kind)
    shape = configurable.load_config(configuration, local_files_only=True)
    with init_empty_weights(include_buffers=False):
        model = cast(nn.Module, configurable.from_config(shape))
    wanted = model.state_dict()
    there = {
        name: next((key for key in (name, respelled(name, "dated")) if key in weights.keys), "") for name in wanted
    }
    _complete(weights.place, [name for name, key in there.items() if not key])
    wide = set(getattr(kind, "_keep_in_fp32_modules", None) or ())
    found: dict[str, Tensor] = {}
    for name, key in there.items():
        tensor = weights.read(key)
        # a linear layer may be stored as a convolution of one pixel
        fits = tensor.shape[:1] == wanted[name].shape[:1] and tensor.numel() == wanted[name].numel()
        _same_shapes(weights.place, [] if fits else [name])
        kept = not tensor.is_floating_point() or wide & set(name.split("."))
        found[name] = (tensor if kept else tensor.to(dtype)).reshape(wanted[name].shape)
    model.load_state_dict(found, assign=True)
    return model.eval()


def _complete(place: str, missing: Collection[str]) -> None:
    if missing:
        told = f"{place}: lacks {len(missing)} of the model's weights ({_some(missing)})."
        raise FileError(told, hint=AGAIN)


def _same_shapes(place: str, names: Collection[str]) -> None:
    if names:
        told = f"{place}: weights have other shapes than its configuration says ({_some(names)})."
        raise FamilyMismatch(told, hint="Fetch configuration and weights of the same model.")


def _some(names: Collection[str]) -> str:
    first = ", ".join(sorted(names)[:3])
    return f"{first} …" if len(names) > 3 else first
