"""What a trained module is called in a file, spelled forward from the pipeline's own names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from eleven.bases.architectures import Pipeline, text_encoders
from eleven.exports.spelling import DIFFUSERS
from eleven.layers.dialect import spelled_forward, spellings
from eleven.layers.family import Family
from eleven.layers.recognise import recognise
from eleven.tensors import Tensor

ROOTLESS = ("encoder.layers.", "embeddings.", "final_layer_norm")
"""How the modules of a CLIP begin in transformers 5, which names them without `text_model.` in front."""


@dataclass(frozen=True)
class Names:
    """The prefix of each module by (component, module), and whether tensors are spelled as diffusers does."""

    prefixes: Mapping[tuple[str, str], str]
    family: Family | None
    diffusers: bool = False

    def key(self, component: str, module: str, suffix: str) -> str:
        """The key of one tensor of a module."""
        return f"{self.prefixes[component, module]}.{DIFFUSERS[suffix] if self.diffusers else suffix}"


def names_for(pipeline: Pipeline, suffixes: frozenset[str]) -> Names:
    """kohya's names; diffusers' where kohya fuses modules that are apart here, if it has a place for the suffixes.

    Without such a place LyCORIS' names, which are those of the diffusers modules too.
    """
    weights = dict(_weights(pipeline))
    canonical = {at: f"{at[0]}.{full_name(*at)}" for at in weights}
    shapes = {canonical[at]: (len(weight), weight[0].numel()) for at, weight in weights.items()}
    family = recognise(shapes).family
    fused = any(component == "transformer" for component, _ in weights)
    if fused and suffixes <= DIFFUSERS.keys():
        return Names(canonical, family, diffusers=True)
    listed = _listed(family) if family and not fused else {}
    numbered = len(text_encoders(pipeline)) > 1
    return Names({at: listed.get(name) or flat(*at, numbered=numbered) for at, name in canonical.items()}, family)


def full_name(component: str, module: str) -> str:
    """The module as adapters and tables name it."""
    return f"text_model.{module}" if component.startswith("text_encoder") and module.startswith(ROOTLESS) else module


def flat(component: str, module: str, *, numbered: bool) -> str:
    """kohya's spelling of a name that no table has (sd-scripts networks/lora.py); LyCORIS' for transformers."""
    number = component.removeprefix("text_encoder").removeprefix("_") or ("1" if numbered else "")
    begin = {"unet": "lora_unet_", "transformer": "lycoris_"}.get(component, f"lora_te{number}_")
    return begin + full_name(component, module).replace(".", "_")


def modules_of(pipeline: Pipeline) -> Iterator[tuple[str, str, torch.nn.Module]]:
    """(component, name, module) of everything in the denoiser and the text encoders."""
    denoiser = "unet" if getattr(pipeline, "unet", None) is not None else "transformer"
    for component, part in {denoiser: getattr(pipeline, denoiser), **text_encoders(pipeline)}.items():
        for name, module in part.named_modules():
            yield component, name, module


def _weights(pipeline: Pipeline) -> Iterator[tuple[tuple[str, str], Tensor]]:
    for component, name, module in modules_of(pipeline):
        weight = getattr(module, "weight", None)
        if isinstance(weight, torch.Tensor):
            yield (component, name), weight


def _listed(family: Family) -> dict[str, str]:
    """The prefix of each module that kohya does not fuse with others."""
    alone = {prefix for prefix, places in spellings(family, "kohya").items() if len(places) == 1}
    return {module: prefix for module, prefix in spelled_forward(family, "kohya").items() if prefix in alone}
