"""A mix baked into one adapter file, module by module, each read back and compared with what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from eleven import techniques
from eleven.algebra import norm, squares
from eleven.combination import Combination
from eleven.errors import BaseNeeded, TensorError
from eleven.exports.forms import DTYPES, Form, concrete, spelled, stored, unspelled
from eleven.exports.fusing import Asked, asked
from eleven.exports.metadata import adapter_metadata, proof_metadata
from eleven.exports.proof import LayerProof, Progress, Proof, ignore
from eleven.exports.spelling import file_modules
from eleven.exports.words import bundled_words
from eleven.files.growing import GrowingFile, room_for
from eleven.layers.layer import Place
from eleven.techniques.exact import is_finite
from eleven.tensors import Tensor

LONGEST, MOST_TENSORS = "lora_down.weight", 5

Tensors = Mapping[str, Tensor]


def bake_adapter(
    combination: Combination, to: Path, form: Form, *, force: bool = False, progress: Progress = ignore
) -> Proof:
    """Writes the mix as one adapter and gives the proof, which the file's metadata hold too.

    Exact means concatenated factors, and whole matrices where factors would be larger; each number is rounded once to
    the form's type. OutputError where `to` exists (unless `force`) or the disk is full.
    """
    modules, unnamed = file_modules(combination, form.dialect)
    words = bundled_words(combination, DTYPES[form.dtype])
    metadata = adapter_metadata(combination, to.stem, form.dialect, private=form.private)
    room = room_for([*words, *_names(modules)], metadata)
    layers: list[LayerProof] = []
    with GrowingFile(to, room=room, size=_size(combination, form), force=force) as file:
        for prefix, places in modules.items():
            layers += _module(file, prefix, asked(combination, places), form)
            progress(layers[-1])
        for key, tensor in words.items():
            file.append(key, tensor)
        missing = [layer.layer for layer in layers if layer.form == NOTHING and layer.missed]
        skipped = [*((name, f"{form.dialect} has no place for it") for name in missing), *_nameless(unnamed, form)]
        proof = Proof(tuple(layers), tuple(skipped))
        file.metadata |= metadata | proof_metadata(proof, file.digest)
    return proof


NOTHING = "nothing"


def _module(file: GrowingFile, prefix: str, change: Mapping[str, Asked], form: Form) -> list[LayerProof]:
    """Appends one module's tensors, reads them back, and measures what they decode to against what was asked."""
    proofs: list[LayerProof] = []
    for parameter, one in change.items():
        known = replace(one, delta=concrete(one.delta, exact=form.target is None))
        name = f"{prefix}.{parameter}"
        found = stored(known, name, parameter, form)
        tensors = _rounded(found.tensors, name, form)
        for suffix, tensor in tensors.items():
            file.append(f"{prefix}.{suffix}", tensor)
        back = unspelled({suffix: file.read(f"{prefix}.{suffix}") for suffix in tensors}, form)
        proofs.append(_proof(name, replace(known, whole=found.whole), back, parameter))
    return proofs


def _proof(name: str, one: Asked, back: Tensors, parameter: str) -> LayerProof:
    if not back:
        whole = norm(one.delta) ** 2
        return LayerProof(name, whole, whole, NOTHING)
    found = techniques.decode(back, NoBase())[parameter]
    rank = next((len(tensor) for suffix, tensor in back.items() if suffix == "lora_down.weight"), None)
    return LayerProof(name, *squares(one.delta, found, one.whole), f"rank {rank}" if rank else "full")


def _rounded(tensors: Tensors, name: str, form: Form) -> dict[str, Tensor]:
    out = {suffix: tensor.to(DTYPES[form.dtype]) for suffix, tensor in tensors.items()}
    for suffix, tensor in out.items():
        if not is_finite(tensor):
            told = f"{name}: {suffix} is too large for {form.dtype}."
            raise TensorError(told, hint="Use --dtype fp32.")
    return spelled(out, form)


class NoBase:
    """Implements `Original` for files that are read back: none of what is written depends on a base."""

    def weight(self) -> NoReturn:
        """BaseNeeded."""
        raise BaseNeeded("a baked adapter asked for a base: this is a bug in Eleven, please report it.")

    bias = weight


def _nameless(modules: Iterable[str], form: Form) -> list[tuple[str, str]]:
    return [(module, f"{form.dialect} has no name for it") for module in modules]


def _names(modules: Mapping[str, tuple[Place, ...]]) -> list[str]:
    """At least as long as all names that can come."""
    return [f"{prefix}.{LONGEST}" for prefix in modules for _ in range(MOST_TENSORS)]


def _size(combination: Combination, form: Form) -> int:
    """About as many bytes as will be written: the parts' own sizes where the mix is exact."""
    if form.target is None:
        return sum(finetune.path.stat().st_size for _, finetune in combination.parts if finetune.path.is_file())
    known = combination.family.modules().items() if combination.family else ()
    shapes = (layer.matrix for module, layer in known if module in combination.names and len(layer.shape) > 1)
    rank, width = form.target.rank, DTYPES[form.dtype].itemsize
    return sum(min(rank, rows, columns) * (rows + columns) * width for rows, columns in shapes)
