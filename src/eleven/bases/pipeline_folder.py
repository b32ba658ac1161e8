"""A diffusers folder as a pipeline: each model checked and filled by Eleven, the rest loaded by diffusers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from eleven.bases.components import FAULTS, Told, load_model
from eleven.bases.families import check_kind
from eleven.errors import FamilyMismatch, FileError
from eleven.files.folder import INDEX
from eleven.files.opening import open_container
from eleven.files.sharded import is_plain
from eleven.files.strict_json import json_object, shorten

if TYPE_CHECKING:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

AGAIN = "Fetch the whole folder again."
LIBRARIES = ("diffusers", "transformers")
LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")
"""Components that no picture from words needs."""


def read_folder(path: Path, index: Mapping[str, object], dtype: torch.dtype) -> DiffusionPipeline:
    """The pipeline that a folder describes by its `model_index.json`. FileError for what is missing or damaged."""
    kind = pipeline_kind(path, index)
    given: dict[str, object] = {name: None for name in LEFT_OUT if name in index}
    if "requires_safety_checker" in index:
        given["requires_safety_checker"] = False
    for name, model in dict(_models(path, index)).items():
        given[name] = _load(model, path / name, dtype)
    try:
        return kind.from_pretrained(path, local_files_only=True, torch_dtype=dtype, **given)
    except FAULTS as error:
        reason = shorten((str(error).splitlines() or [type(error).__name__])[0])
        raise FileError(f"{path}: is an incomplete pipeline: {reason}", hint=AGAIN) from None


def read_index(path: Path) -> dict[str, object]:
    """What `model_index.json` lists. FileError where the folder has none."""
    try:
        return json_object((path / INDEX).read_bytes(), INDEX)
    except FileNotFoundError:
        told = f"{path}: is no diffusers pipeline: it has no {INDEX}."
        raise FileError(told, hint="Give the folder that holds it, or a checkpoint file.") from None
    except OSError as error:
        raise FileError(f"{path / INDEX}: cannot be read: {error.strerror}.", hint="Check the path.") from None
    except FileError as error:
        raise error.at(path / INDEX) from None


def pipeline_kind(path: Path, index: Mapping[str, object]) -> type[DiffusionPipeline]:
    """The pipeline's class. FileError where diffusers has none of that name, FamilyMismatch where it needs more."""
    import diffusers
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    name = index.get("_class_name")
    kind = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not isinstance(kind, type) or not issubclass(kind, DiffusionPipeline):
        told = f"{path}: describes a pipeline {shorten(str(name))}, which diffusers {diffusers.__version__} has not."
        raise FileError(told, hint="Eleven runs no code of a model's own; a newer diffusers may know the pipeline.")
    try:
        check_kind(kind)
    except FamilyMismatch as error:
        raise error.at(path) from None
    return kind


def _models(path: Path, index: Mapping[str, object]) -> Iterator[tuple[str, Told]]:
    """Every model of the pipeline by its name. FileError where anything that it lists is not there."""
    for name, listed in index.items():
        if name.startswith("_") or name in LEFT_OUT or not isinstance(listed, list) or listed == [None, None]:
            continue
        kind = _class(*map(str, cast("list[object]", listed))) if len(listed) == 2 and is_plain(name) else None
        if kind is None:
            told = f"{path / INDEX}: {shorten(name)} is {shorten(str(listed))}, which is no class to load."
            raise FileError(
                told, hint="Eleven loads what diffusers and transformers have, and no code of a model's own."
            )
        if not (path / name).is_dir():
            raise FileError(f"{path / name}: is missing, and the pipeline needs it.", hint=AGAIN)
        if issubclass(kind, nn.Module):
            yield name, cast(Told, kind)
        _check_words(kind, path / name)


def _check_words(kind: type[object], folder: Path) -> None:
    """FileError for a tokenizer without its words, which transformers would make up."""
    names: Mapping[str, str] = getattr(kind, "vocab_files_names", {})
    whole, parts = names.get("tokenizer_file", ""), [name for key, name in names.items() if key != "tokenizer_file"]
    if names and not (folder / whole).is_file() and not all((folder / name).is_file() for name in parts):
        raise FileError(f"{folder}: lacks the words of the tokenizer ({', '.join(parts)}).", hint=AGAIN)


def _class(library: str, name: str) -> type[object] | None:
    from importlib import import_module

    found = getattr(import_module(library), name, None) if library in LIBRARIES else None
    return found if isinstance(found, type) else None


def _load(kind: Told, folder: Path, dtype: torch.dtype) -> nn.Module:
    with open_container(folder) as file:
        return load_model(kind, folder, file.entries, file.read, dtype)
