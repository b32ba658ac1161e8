"""The configurations that ship describe the layers that the families' tables list, with the right shapes."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from eleven.bases.clip_words import MERGES
from eleven.bases.single_file import CONFIGURATIONS
from eleven.layers.family import family

PARTS = [
    (name, part)
    for name, more in (("sd1", ()), ("sd2", ()), ("sdxl", ("text_encoder_2",)))
    for part in ("unet", "vae", "text_encoder", *more)
]


def empty(name, part):
    """The model that a configuration describes, without memory for its weights."""
    folder = CONFIGURATIONS / name / part
    with torch.device("meta"):
        if part in ("unet", "vae"):
            return (UNet2DConditionModel if part == "unet" else AutoencoderKL).from_config(
                json.loads((folder / "config.json").read_text("utf-8"))
            )
        kind = CLIPTextModelWithProjection if part == "text_encoder_2" else CLIPTextModel
        return kind(CLIPTextConfig.from_pretrained(folder))


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_a_configuration_has_the_layers_of_its_table(name, part):
    made = {
        key.removeprefix("text_model."): tuple(value.shape) for key, value in empty(name, part).state_dict().items()
    }
    layers = family(name).layers().values()
    listed = {layer.name.removeprefix(f"{part}.").removeprefix("text_model."): layer for layer in layers}
    assert made
    assert {key: shape for key, shape in made.items() if listed[key].shape != shape} == {}
    absent = {key for key, layer in listed.items() if layer.component == part and key not in made}
    last = {key for key in absent if key.startswith("encoder.layers.23.")}
    assert absent - last == ({"text_projection.weight"} & absent)
    assert bool(last) == (name == "sd2" and part == "text_encoder")


def test_what_ships_is_small():
    files = [file for folder in (CONFIGURATIONS, MERGES.parent) for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 20
    assert sum(file.stat().st_size for file in files) < 2_000_000
