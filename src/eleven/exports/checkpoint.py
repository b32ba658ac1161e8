"""A mix added into a checkpoint, tensor by tensor in the file's order; what it does not touch is copied bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from eleven.algebra import norm
from eleven.combination import Combination
from eleven.delta import Delta
from eleven.errors import FamilyMismatch, TensorError
from eleven.exports.fusing import fuse
from eleven.exports.metadata import PROOF, common_metadata, summary_text
from eleven.exports.patching import Stored, copy, patch, size_of
from eleven.exports.proof import LayerProof, Progress, Proof, ignore
from eleven.exports.streaming import Stream
from eleven.files.container import Container
from eleven.files.dtypes import bytes_of, torch_type
from eleven.files.growing import GrowingFile, room_for
from eleven.finetunes.checkpoint import Checkpoint
from eleven.layers.family import Source

STALE = ("modelspec.hash_sha256", "sshs_model_hash", "sshs_legacy_hash")
"""Metadata that would be wrong in a changed file."""


@dataclass(frozen=True)
class Hit:
    """One changed parameter of a stored tensor."""

    module: str
    parameter: str
    source: Source


Plan = Mapping[str, list[Hit]]
"""What changes in each stored tensor, by its key in the whole base."""


@dataclass(frozen=True)
class Leaf:
    """One file of the base, and what stands before its keys in the base."""

    container: Container
    prefix: str = ""


def bake_into(
    combination: Combination, base: Checkpoint, to: Path, *, force: bool = False, progress: Progress = ignore
) -> Proof:
    """Writes the base with the mix added, in the base's own types and layout, and gives the proof.

    FamilyMismatch where the base is for another family, or has none of the mix's layers.
    """
    plan, skipped = planned(combination, base)
    metadata = {key: value for key, value in base.container.metadata.items() if key not in STALE}
    metadata |= common_metadata(combination, to.stem)
    layers: list[LayerProof] = []
    with rewriting(base.container, to, metadata, force=force) as file:
        with Stream(file) as stream:
            for proof in rewritten(Leaf(base.container), plan, combination, (file, stream)):
                layers.append(proof)
                progress(proof)
        proof = Proof(tuple(layers), skipped)
        file.metadata |= {PROOF: summary_text(proof)}
    return proof


def rewriting(container: Container, to: Path, metadata: dict[str, str], *, force: bool) -> GrowingFile:
    """A file with room for the same tensors and this metadata."""
    size = sum(bytes_of(entry) for entry in container.entries.values())
    file = GrowingFile(to, room=room_for(list(container.entries), metadata), size=size, force=force)
    file.metadata |= metadata
    return file


def planned(combination: Combination, base: Checkpoint) -> tuple[Plan, tuple[tuple[str, str], ...]]:
    """What changes in each stored tensor, and the modules that the base does not have."""
    if combination.family != base.family:
        named = combination.family.title if combination.family else "an unknown family"
        raise FamilyMismatch(
            f"the mix is for {named}, {base.path.name} is not.", hint="Bake into a model of its family."
        )
    plan: dict[str, list[Hit]] = {}
    for module in combination.modules:
        for parameter, name in base.modules.get(module, {}).items():
            source = base.sources[name]
            plan.setdefault(source.key, []).append(Hit(module, parameter, source))
    missing = tuple(module for module in combination.modules if module not in base.modules)
    if not plan:
        raise FamilyMismatch(
            f"{base.path.name} has none of the layers that the mix changes.", hint="Is it the right base?"
        )
    return plan, tuple((module, "the checkpoint has no such layer") for module in missing)


def rewritten(
    leaf: Leaf, plan: Plan, combination: Combination, output: tuple[GrowingFile, Stream]
) -> Iterator[LayerProof]:
    """Copies the tensors of one file, or writes them with their change, of which it yields the proof."""
    file, stream = output
    for key, entry in leaf.container.entries.items():
        stored = Stored(leaf.container, key, file.reserve(key, entry))
        delta = change_of(stored, plan.get(leaf.prefix + key, []), combination)
        if delta is None:
            copy(stored, stream)
        else:
            yield LayerProof(leaf.prefix + key, norm(delta) ** 2, _patched(stored, delta, stream), "weight")


def _patched(stored: Stored, delta: Delta, stream: Stream) -> float:
    dtype = torch_type(stored.entry.dtype)
    if dtype is None or not dtype.is_floating_point:
        raise TensorError(f"{stored.key} is stored as {stored.entry.dtype}, which cannot be added to.")
    missed = patch(stored, delta, stream)
    if not missed < float("inf"):
        told = f"{stored.key} overflows {stored.entry.dtype} with the mix added."
        raise TensorError(told, hint="Lower the strengths, or use a float32 base.")
    return missed


def change_of(stored: Stored, hits: list[Hit], combination: Combination) -> Delta | None:
    """The delta of a stored tensor, put together where it holds several layers; None where nothing changes."""
    shape = size_of(stored.entry.shape)
    pieces: list[tuple[tuple[tuple[int, int], ...], Delta]] = []
    for hit in hits:
        name = f"{hit.module}.{hit.parameter}"
        for layer, delta in combination.change(hit.module):
            if layer.name == name:
                turned = delta.T if hit.source.transposed else delta
                pieces.append((hit.source.ranges or ((0, shape[0]),), turned))
    if not pieces:
        return None
    found = pieces[0][1] if len(pieces) == 1 and pieces[0][1].shape == shape else fuse(pieces, shape[0])
    if found.shape != shape:
        told = f"{stored.key} is {list(stored.entry.shape)}, its change {list(found.shape)}."
        raise TensorError(told, hint="The mix is for another variant of the base.")
    return found
