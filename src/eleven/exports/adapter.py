"""A mix baked into one adapter file, module by module, each read back and compared with what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch

from eleven import techniques
from eleven.algebra import norm, squares
from eleven.combination import Combination
from eleven.delta import Delta, Dense
from eleven.errors import BaseNeeded, TensorError, UsageError
from eleven.exports.forms import DTYPES, Form, concrete, kept, rounded, spelled, stored, unspelled
from eleven.exports.fusing import Asked, asked
from eleven.exports.metadata import adapter_metadata, proof_metadata
from eleven.exports.product import write_product
from eleven.exports.proof import LayerProof, Progress, Proof, ignore
from eleven.exports.spelling import file_modules
from eleven.exports.words import bundled_words, words_left_out
from eleven.files.dtypes import BITS, torch_type
from eleven.files.growing import GrowingFile, room_for
from eleven.layers.layer import Place
from eleven.techniques import lokr
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
    words = bundled_words(combination, form.dialect, DTYPES[form.dtype])
    metadata = adapter_metadata(combination, to.stem, form)
    room = room_for([*words, *_names(modules)], metadata)
    layers: list[LayerProof] = []
    with GrowingFile(to, room=room, size=_size(combination, form), force=force) as file:
        for prefix, places in modules.items():
            for proof in _written(file, prefix, (combination, places), form):
                layers.append(proof)
                progress(proof, len(modules))
        for key, tensor in words.items():
            file.append(key, tensor)
        if not file.entries and not layers:
            raise UsageError("the mix changes nothing.", hint="Is every strength 0, or every file without a change?")
        missing = [layer.layer for layer in layers if layer.form == NOTHING and layer.missed]
        absent = words_left_out(combination, form.dialect)
        skipped = [
            *absent,
            *((name, f"{form.dialect} has no place for it") for name in missing),
            *_nameless(unnamed, form),
        ]
        proof = Proof(tuple(layers), tuple(skipped))
        file.metadata |= metadata | proof_metadata(proof, file.digest)
    return proof


NOTHING = "nothing"


def _written(
    file: GrowingFile, prefix: str, source: tuple[Combination, tuple[Place, ...]], form: Form
) -> Sequence[LayerProof]:
    """One module, in numpy where its change is a product and nothing else."""
    combination, places = source
    alone = len(places) == 1 and places[0].ranges is None
    change = combination.factors(places[0].module) if alone else None
    proof = write_product(file, prefix, change, form) if change is not None else None
    return _module(file, prefix, _asked(combination, places), form) if proof is None else [proof]


def _module(file: GrowingFile, prefix: str, change: Mapping[str, Asked], form: Form) -> list[LayerProof]:
    """Appends one module's tensors, reads them back, and measures what they decode to against what was asked."""
    known: dict[str, Asked] = {}
    tensors: dict[str, Tensor] = {}
    for parameter, one in change.items():
        thin = replace(one, delta=concrete(one.delta, exact=form.target is None))
        found = stored(thin, f"{prefix}.{parameter}", parameter, form, of_norm=_is_norm(change))
        known[parameter] = replace(thin, whole=found.whole)
        tensors |= found.tensors
    names = spelled(_rounded(tensors, prefix, form), form)
    for suffix, tensor in names.items():
        file.append(f"{prefix}.{suffix}", tensor)
    back = unspelled({suffix: file.read(f"{prefix}.{suffix}") for suffix in names}, form)
    decoded = techniques.decode(back, NoBase()) if back else {}
    proofs = [_proof(f"{prefix}.{name}", one, decoded.get(name), _label(back, name)) for name, one in known.items()]
    return [proof for proof in proofs if proof.asked > 0 or proof.missed > 0]


def _asked(combination: Combination, places: tuple[Place, ...]) -> dict[str, Asked]:
    """The change of one module; of a norm both parameters, since A1111 refuses a file that has one of them alone."""
    change = asked(combination, places)
    layers = combination.family.layers() if combination.family else {}
    names = {parameter: layers.get(f"{places[0].module}.{parameter}") for parameter in ("weight", "bias")}
    weight = names["weight"]
    if not change or weight is None or len(weight.shape) != 1:
        return change
    none = Dense(torch.zeros(weight.matrix))
    partners = {name: Asked(weight.shape, none) for name, at in names.items() if at is not None}
    return partners | change


def _is_norm(change: Mapping[str, Asked]) -> bool:
    return "weight" in change and len(change["weight"].shape) == 1


def _proof(name: str, one: Asked, found: Delta | None, label: str) -> LayerProof:
    if found is None:
        whole = norm(one.delta) ** 2
        return LayerProof(name, whole, whole, NOTHING)
    return LayerProof(name, *squares(one.delta, found, one.whole), label)


def _label(back: Tensors, parameter: str) -> str:
    """How a parameter is stored, in words."""
    if parameter == "weight" and "lora_down.weight" in back:
        return f"rank {len(back['lora_down.weight'])}"
    return "kronecker" if parameter == "weight" and back.keys() & lokr.SUFFIXES - {"alpha"} else "full"


def _rounded(tensors: Tensors, prefix: str, form: Form) -> dict[str, Tensor]:
    out = rounded(kept(tensors, form), torch_type(DTYPES[form.dtype]))
    for suffix, tensor in out.items():
        if not is_finite(tensor):
            hint = "Use --dtype bf16 or fp32." if form.dtype == "fp16" else "Are the strengths right?"
            raise TensorError(f"{prefix}: {suffix} is too large for {form.dtype}.", hint=hint)
    return out


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
    rank, width = form.target.rank, BITS[DTYPES[form.dtype]] // 8
    return sum(min(rank, rows, columns) * (rows + columns) * width for rows, columns in shapes)
