"""One model of a pipeline, built from its configuration and filled from Eleven's own reading of its weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from eleven.errors import FamilyMismatch, FileError
from eleven.files.strict_json import shorten
from eleven.layers.family import respelled
from eleven.tensors import Tensor

if TYPE_CHECKING:
    from diffusers.models.modeling_utils import ModelMixin
    from transformers import PreTrainedModel

Read = Callable[[str], Tensor]
Told = type["ModelMixin"] | type["PreTrainedModel"]

FAULTS = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, NotImplementedError)
"""What diffusers and transformers raise on configurations that contradict themselves or the weights."""


def load_model(kind: Told, configuration: Path, keys: Collection[str], read: Read, dtype: torch.dtype) -> nn.Module:
    """A model with every weight from `read`, in eval mode. FileError where its configuration or a weight is missing."""
    from transformers import PreTrainedModel

    try:
        if issubclass(kind, PreTrainedModel):
            return _encoder(kind, configuration, {key: read(key) for key in keys}, dtype)
        return _denoiser(kind, configuration, keys, read, dtype)
    except torch.OutOfMemoryError:
        raise
    except FAULTS as error:
        reason = shorten((str(error).splitlines() or [type(error).__name__])[0])
        told = f"{configuration}: is no {kind.__name__} that can be loaded: {reason}."
        raise FileError(told, hint="Fetch the model again.") from None


def _encoder(
    kind: type[PreTrainedModel], configuration: Path, tensors: Mapping[str, Tensor], dtype: torch.dtype
) -> nn.Module:
    shape = cast(Any, kind.config_class).from_pretrained(configuration, local_files_only=True)
    made = kind.from_pretrained(
        None,
        config=shape,
        state_dict=dict(tensors),
        dtype=dtype,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    model, loaded = cast("tuple[nn.Module, Mapping[str, Collection[str]]]", made)
    _complete(configuration, loaded["missing_keys"])
    _same_shapes(configuration, [str(item[0]) for item in loaded["mismatched_keys"]])
    return model.eval()


def _denoiser(
    kind: type[ModelMixin], configuration: Path, keys: Collection[str], read: Read, dtype: torch.dtype
) -> nn.Module:
    from accelerate import init_empty_weights

    configurable = cast(Any, kind)
    shape = configurable.load_config(configuration, local_files_only=True)
    with init_empty_weights(include_buffers=False):
        model = cast(nn.Module, configurable.from_config(shape))
    wanted = model.state_dict()
    there = {name: next((key for key in (name, respelled(name, "dated")) if key in keys), None) for name in wanted}
    _complete(configuration, [name for name, key in there.items() if key is None])
    wide = tuple(getattr(kind, "_keep_in_fp32_modules", None) or ())
    found: dict[str, Tensor] = {}
    for name, key in there.items():
        tensor = read(cast(str, key))
        kept = not tensor.is_floating_point() or set(wide) & set(name.split("."))
        tensor = tensor if kept else tensor.to(dtype)
        # a linear layer may be stored as a convolution of one pixel
        same = tensor.shape.numel() == wanted[name].shape.numel() and tensor.shape[:1] == wanted[name].shape[:1]
        _same_shapes(configuration, [] if same else [name])
        found[name] = tensor.reshape(wanted[name].shape)
    model.load_state_dict(found, assign=True)
    return model.eval()


def _complete(configuration: Path, missing: Collection[str]) -> None:
    if missing:
        told = f"{configuration}: lacks {len(missing)} of the model's weights ({_some(missing)})."
        raise FileError(told, hint="The download is incomplete; fetch it again.")


def _same_shapes(configuration: Path, names: Collection[str]) -> None:
    if names:
        told = f"{configuration}: weights have other shapes than its configuration says ({_some(names)})."
        raise FamilyMismatch(told, hint="Fetch configuration and weights of the same model.")


def _some(names: Collection[str]) -> str:
    first = ", ".join(sorted(names)[:3])
    return f"{first} …" if len(names) > 3 else first
