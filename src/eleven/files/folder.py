"""A folder as one model: a diffusers pipeline with its components, one component, or an adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from eleven.errors import FileError
from eleven.files.container import Container
from eleven.files.joined import Joined, Piece
from eleven.files.sharded import is_plain, open_sharded
from eleven.files.single import open_file
from eleven.files.source import Source
from eleven.files.strict_json import json_object

INDEX = "model_index.json"
STEMS = (
    *("diffusion_pytorch_model", "model", "pytorch_model", "adapter_model", "pytorch_lora_weights"),
    "learned_embeds",
)
COMPONENTS = (
    *("unet", "transformer", "transformer_2", "prior", "text_encoder", "text_encoder_2", "text_encoder_3"),
    *("text_encoder_4", "vae"),
)
"""Subfolders looked for where no model_index.json lists them."""


def open_folder(path: Path) -> Joined:
    """Keys are `component.key` for a pipeline, else the file's own. FileError where no weights are found."""
    described = _described(path)
    names = [name for name in described or COMPONENTS if (path / name).is_dir()]
    found = {name: files for name in names if (files := _weights(path / name))}
    if not found:
        return _one(path)
    with ExitStack() as guard:
        pieces = [Piece(guard.enter_context(_open(file)), f"{name}.") for name, file in found.items()]
        guard.pop_all()
    return Joined(path, "diffusers folder", pieces, {INDEX: ", ".join(described)} if described else {})


def is_model(path: Path) -> bool:
    """Whether a folder is one model by its files' names, rather than a place where several may lie."""
    if (path / INDEX).is_file():
        return True
    places = (path, *(path / name for name in COMPONENTS if (path / name).is_dir()))
    return any((place / name).is_file() for place in places for name in _names())


def _one(path: Path) -> Joined:
    """The single model of a folder."""
    file = _weights(path)
    if file is None:
        others = sorted(one.name for one in path.iterdir() if one.suffix in (".safetensors", ".pt", ".bin", ".ckpt"))
        told = f"holds {len(others)} model files ({', '.join(others[:3])} …)" if others else "holds no model"
        raise FileError(f"{path}: {told}.", hint="Name one file." if others else "")
    return Joined(path, "folder", [Piece(_open(file))], {})


def _open(file: Path) -> Container:
    return open_sharded(file) if file.suffix == ".json" else open_file(file)


def _weights(folder: Path) -> Path | None:
    """The file (or index) to read: safetensors before pickles, full precision before variants; else the only one."""
    for name in _names():
        if (folder / name).is_file():
            return folder / name
    only = [one for one in sorted(folder.iterdir()) if one.suffix == ".safetensors" and one.is_file()]
    return only[0] if len(only) == 1 else None


def _names() -> Iterator[str]:
    for variant in ("", ".fp16", ".bf16"):
        for ending in ("safetensors", "bin"):
            for stem in STEMS:
                yield f"{stem}{variant}.{ending}"
                yield f"{stem}.{ending}.index{variant}.json"


def _described(path: Path) -> list[str]:
    """The components that the pipeline's own index lists, or none without an index."""
    if not (path / INDEX).is_file():
        return []
    source = Source(path / INDEX)
    try:
        listed = json_object(source.read(0, source.size), INDEX)
    except FileError as error:
        raise (error if str(path) in error.cause else error.at(path / INDEX)) from None
    finally:
        source.close()
    names = [name for name, value in listed.items() if isinstance(value, list) and not name.startswith("_")]
    return [name for name in names if is_plain(name)]
