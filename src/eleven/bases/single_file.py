"""A checkpoint file as a pipeline, offline: Eleven brings the configurations and the tokenizer that it lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from eleven.bases.clip_words import clip_tokenizer
from eleven.bases.components import Weights, load_model
from eleven.bases.families import check_channels
from eleven.bases.options import Prediction
from eleven.bases.pipeline_folder import assemble, listed_classes, read_index
from eleven.bases.predictions import Told, prediction_of
from eleven.errors import FamilyMismatch, FileError
from eleven.files.opening import open_container
from eleven.finetunes.checkpoint import Checkpoint, as_checkpoint

if TYPE_CHECKING:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

CONFIGURATIONS = Path(__file__).parent / "configurations"
"""Diffusers folders without weights and vocabularies, one a family."""

ENTRY = "unet.conv_in.weight"
SIZE_OF_NOISE = 64
"""Latent pixels of the Stable Diffusion 2 that predicts noise."""


def read_single(path: Path, dtype: torch.dtype, prediction: Prediction) -> tuple[DiffusionPipeline, tuple[str, ...]]:
    """The pipeline in a file, and what was assumed of it. FileError or FamilyMismatch where it holds no whole one."""
    with open_container(path) as container:
        found = as_checkpoint(container)
        if found is None:
            told = f"{path}: holds no whole model, but perhaps an adapter or an embedding."
            raise FileError(told, hint="Give the base that it is mixed into as the base.")
        configuration = configuration_of(found)
        given = dict(_parts(found, configuration, dtype))
        pipeline = assemble(configuration, read_index(configuration), given, dtype)
        stated = prediction_of(path, configuration.name, container.entries, container.metadata)
    if prediction is not Prediction.AUTO:
        stated = Told(prediction, stated.zero_snr)
    _predict(pipeline, stated)
    return pipeline, (stated.note,) if stated.note else ()


def configuration_of(model: Checkpoint) -> Path:
    """The folder for a model's family. FamilyMismatch where there is none, or the model is a variant for inpainting."""
    known = sorted(folder.name for folder in CONFIGURATIONS.iterdir())
    family = model.family
    if family is None or family.name not in known:
        kind = family.title if family else "no family that Eleven knows"
        told = f"{model.path}: is a single file of {kind}; they are read of {', '.join(known)}."
        raise FamilyMismatch(told, hint="Give the model as a diffusers folder, the one with model_index.json.")
    if ENTRY in model.sources:
        shape = model.container.entries[model.sources[ENTRY].key].shape
        check_channels(str(model.path), shape[1], family.layers()[ENTRY].shape[1])
    return CONFIGURATIONS / family.name


def _parts(model: Checkpoint, configuration: Path, dtype: torch.dtype) -> Iterator[tuple[str, object]]:
    for name, kind in listed_classes(configuration, read_index(configuration)):
        if name.startswith("tokenizer"):
            told = json.loads((configuration / name / "tokenizer_config.json").read_bytes())
            yield name, clip_tokenizer(length=told["model_max_length"], padding=told["pad_token"])
        elif name != "scheduler":
            keys = {key.removeprefix(f"{name}.") for key in model.sources if key.startswith(f"{name}.")}
            weights = Weights(f"{model.path}: {name}", keys, lambda key, name=name: model.stored(f"{name}.{key}"))
            yield name, load_model(kind, configuration / name, weights, dtype)


def _predict(pipeline: DiffusionPipeline, told: Told) -> None:
    """Sets the sampler to what the denoiser predicts, and the size that goes with it."""
    sampler = pipeline.components["scheduler"]
    more = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"} if told.zero_snr else {}
    pipeline.register_modules(
        scheduler=type(sampler).from_config(sampler.config, prediction_type=str(told.prediction), **more)
    )
    denoiser = pipeline.components["unet"]
    if sampler.config["prediction_type"] == Prediction.V and told.prediction is Prediction.EPSILON:
        denoiser.register_to_config(sample_size=SIZE_OF_NOISE)
