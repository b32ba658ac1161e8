"""A picture's base and parts by the names and hashes of A1111, and the infotext with which it makes the same one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from eleven import __version__
from eleven.files.hashes import hashes
from eleven.finetunes.difference import Difference
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part
from eleven.mix_text import Tag, spell
from eleven.sheets.infotext import Infotext, parameters_of
from eleven.sheets.recipe import Recipe

Kind = Literal["lora", "embedding", "checkpoint"]
UNSAYABLE = str.maketrans("", "", ":,")
"""What A1111 leaves out of names beside hashes."""
BREAKING = set("<>:=")
"""What a name in a tag cannot have."""
SAYABLE = {"te", "unet"}
"""Addresses that a tag has a place for."""


@final
@dataclass(frozen=True)
class Model:
    """A part's file as A1111 knows it: what kind it is, and its short hash, which a folder has none of."""

    kind: Kind
    name: str
    hash: str = ""


def model_of(path: Path) -> Model:
    """What A1111 calls the file: its name without suffix, with the hash that it prints of that kind.

    LoRA: first 12 digits of `sshs_model_hash`, which is stored or, for safetensors, SHA-256 of what follows the header
    (extensions-builtin/Lora/network.py); embeddings: 12 of the whole file (modules/textual_inversion); checkpoints: 10.
    """
    with open_finetune(path) as tune:
        stored = tune.container.metadata.get("sshs_model_hash", "")
        kind: Kind = "embedding" if tune.words and not tune.modules else "lora"
        kind = "checkpoint" if isinstance(tune, Difference) else kind
    if path.is_dir():
        return Model(kind, path.name)
    found = hashes(path)
    shown = {"lora": stored or found.get("addnet", found["sha256"]), "embedding": found["sha256"]}
    return Model(kind, path.stem, found["autov2"] if kind == "checkpoint" else shown[kind][:12])


def infotext_of(recipe: Recipe, size: tuple[int, int], models: Mapping[str, Model]) -> Infotext:
    """The infotext with which A1111 makes the same picture; `models` are the parts' files by SHA-256.

    What its tags cannot tell (blocks, what is not plain, methods, whole models) stands under `Not in tags`.
    """
    mix, base, shot = recipe.mix, recipe.base, recipe.shot
    parts = [(part, models[part.sha256]) for part in (mix.parts if mix else ()) if part.is_active]
    found = parameters_of(shot, *size) | {"Model hash": base.autov2, "Model": base.name}
    found["Lora hashes"] = _hashes(model for _, model in parts if model.kind == "lora")
    found["TI hashes"] = _hashes(model for _, model in parts if model.kind == "embedding")
    if mix:
        found |= {"Mix": mix.digest[:10], "Not in tags": ", ".join(_untold(mix, parts))}
    found["Version"] = f"eleven {__version__}"
    tags = tuple(_tag(part, model) for part, model in parts if model.kind == "lora" and not BREAKING & set(model.name))
    told = {key: value for key, value in found.items() if value}
    return Infotext(shot.prompt, shot.negative, tags, told)


def _tag(part: Part, model: Model) -> Tag:
    return Tag(model.name, part.at.get("te", part.strength), part.at.get("unet", part.strength))


def _hashes(models: Iterable[Model]) -> str:
    return ", ".join(f"{model.name.translate(UNSAYABLE)}: {model.hash}" for model in models if model.hash)


def _untold(mix: Mix, parts: Sequence[tuple[Part, Model]]) -> Iterator[str]:
    if mix.method != "sum":
        yield f"method {mix.method}"
    for part, model in parts:
        if model.kind == "checkpoint":
            yield f"{model.name} {spell(part.strength)} (a whole model)"
        if model.kind == "lora" and BREAKING & set(model.name):
            yield f"{model.name} {spell(part.strength)} (a name that breaks tags)"
        elsewhere = (f"{address}={spell(value)}" for address, value in part.at.items() if address not in SAYABLE)
        live = (f"{name}={spell(getattr(part, name))}" for name in part.live)
        told = " ".join([*elsewhere, *live])
        if told:
            yield f"{model.name} {told}"
