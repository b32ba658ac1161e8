"""A mix added into a checkpoint, tensor by tensor in the file's order; what it does not touch is copied bit for bit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from eleven.algebra import gathered, norm
from eleven.combination import Combination
from eleven.delta import Delta, Dense, LowRank
from eleven.errors import FamilyMismatch, TensorError, UsageError
from eleven.exports.fusing import fuse
from eleven.exports.metadata import PROOF, common_metadata, summary_text
from eleven.exports.patching import Stored, copy, patch, size_of
from eleven.exports.proof import LayerProof, Progress, Proof, ignore
from eleven.exports.streaming import Stream
from eleven.files.container import Container, Entry
from eleven.files.dtypes import BITS, bytes_of, torch_type
from eleven.files.growing import GrowingFile, room_for
from eleven.finetunes.checkpoint import Checkpoint
from eleven.layers.family import Source

STALE = ("modelspec.hash_sha256", "sshs_model_hash", "sshs_legacy_hash")
"""Metadata that would be wrong in a changed file."""
LOST = "the checkpoint has no such layer"
HOMELESS = "a checkpoint has no place for an embedding; keep the file beside it"


@dataclass(frozen=True)
class Hit:
    """One changed parameter of a stored tensor."""

    module: str
    parameter: str
    source: Source
    others: Collection[str] = ()
    """Every parameter of the module that the base has."""


Plan = Mapping[str, list[Hit]]
"""What changes in each stored tensor, by its key in the whole base."""


@dataclass(frozen=True)
class Leaf:
    """One file of the base, and what stands before its keys in the base."""

    container: Container
    prefix: str = ""


@dataclass(frozen=True)
class Writing:
    """A file in the making, and the changes that turned up on the way and that the base has no tensor for."""

    file: GrowingFile
    stream: Stream
    lost: dict[str, str]


def bake_into(
    combination: Combination, base: Checkpoint, to: Path, *, force: bool = False, progress: Progress = ignore
) -> Proof:
    """Writes the base with the mix added, in the base's own types and layout, and gives the proof.

    Words are listed as skipped. FamilyMismatch where the base is for another family, or has none of the mix's layers;
    UsageError for a mix of words alone.
    """
    plan, lost = planned(combination, base)
    metadata = {key: value for key, value in base.container.metadata.items() if key not in STALE}
    metadata |= common_metadata(combination, to.stem, bundled=False)
    layers: list[LayerProof] = []
    with rewriting(base.container, to, metadata, force=force) as file:
        with Stream(file) as stream:
            for proof in rewritten(Leaf(base.container), plan, combination, Writing(file, stream, lost)):
                layers.append(proof)
                progress(proof, len(plan))
        proof = Proof(tuple(layers), tuple(lost.items()))
        file.metadata |= {PROOF: summary_text(proof)}
    return proof


def rewriting(container: Container, to: Path, metadata: dict[str, str], *, force: bool) -> GrowingFile:
    """A file with room for the same tensors and this metadata."""
    size = sum(bytes_of(entry) for entry in container.entries.values())
    file = GrowingFile(to, room=room_for(list(container.entries), metadata), size=size, force=force)
    file.metadata |= metadata
    return file


def planned(combination: Combination, base: Checkpoint) -> tuple[Plan, dict[str, str]]:
    """What changes in each stored tensor, and the modules and words that the base has no place for, with the reason."""
    words = {word.token: HOMELESS for _, finetune in combination.parts for word in finetune.words}
    if words and not combination.modules:
        raise UsageError(
            f"an embedding cannot be baked into a checkpoint ({', '.join(words)}).",
            hint="Keep the file beside it, or bake an adapter.",
        )
    if combination.family != base.family:
        named = combination.family.title if combination.family else "an unknown family"
        raise FamilyMismatch(
            f"the mix is for {named}, {base.path.name} is not.", hint="Bake into a model of its family."
        )
    plan: dict[str, list[Hit]] = {}
    for module in combination.modules:
        here = base.modules.get(module, {})
        for parameter, name in here.items():
            source = base.sources[name]
            plan.setdefault(source.key, []).append(Hit(module, parameter, source, here))
    if not plan:
        raise FamilyMismatch(
            f"{base.path.name} has none of the layers that the mix changes.", hint="Is it the right base?"
        )
    return plan, {module: LOST for module in combination.modules if module not in base.modules} | words


def rewritten(leaf: Leaf, plan: Plan, combination: Combination, to: Writing) -> Iterator[LayerProof]:
    """Copies the tensors of one file, or writes them with their change, of which it yields the proof."""
    for key, entry in aligned(leaf.container.entries):
        stored = Stored(leaf.container, key, to.file.reserve(key, entry))
        delta = change_of(stored, plan.get(leaf.prefix + key, []), combination, to.lost)
        if delta is None:
            copy(stored, to.stream)
        else:
            known = _worked_out(delta)
            yield LayerProof(leaf.prefix + key, norm(known) ** 2, _patched(stored, known, to.stream), "weight")


def aligned(entries: Mapping[str, Entry]) -> list[tuple[str, Entry]]:
    """The tensors in their order; wide types first where they would not be aligned, as torch's own files allow."""
    end = 0
    for entry in entries.values():
        if end % max(1, BITS[entry.dtype] // 8):
            return sorted(entries.items(), key=lambda item: -BITS[item[1].dtype])
        end += bytes_of(entry)
    return list(entries.items())


def _worked_out(delta: Delta) -> Delta:
    """The same change as factors or as a matrix, so that measuring and adding it do not both work it out."""
    found = gathered(delta)
    return found if isinstance(found, LowRank) else Dense(found.dense())


def _patched(stored: Stored, delta: Delta, stream: Stream) -> float:
    dtype = torch_type(stored.entry.dtype)
    if dtype is None or not dtype.is_floating_point:
        raise TensorError(f"{stored.key} is stored as {stored.entry.dtype}, which cannot be added to.")
    missed = patch(stored, delta, stream)
    if not missed < float("inf"):
        if not bool(stored.container.read(stored.key).float().isfinite().all()):
            told = f"{stored.container.path.name}: {stored.key} holds NaN or infinity."
            raise TensorError(told, hint="The base is damaged.")
        told = f"{stored.key} overflows {stored.entry.dtype} with the mix added."
        raise TensorError(told, hint="Lower the strengths, or use a float32 base.")
    return missed


def change_of(stored: Stored, hits: list[Hit], combination: Combination, lost: dict[str, str]) -> Delta | None:
    """The delta of a stored tensor, put together where it holds several layers; None where nothing changes."""
    shape = size_of(stored.entry.shape)
    pieces: list[tuple[tuple[tuple[int, int], ...], Delta]] = []
    for hit in hits:
        for layer, delta in combination.change(hit.module):
            parameter = layer.name.rpartition(".")[2]
            if parameter == hit.parameter:
                turned = delta.T if hit.source.transposed else delta
                pieces.append((hit.source.ranges or ((0, shape[0]),), turned))
            elif parameter not in hit.others:
                lost[layer.name] = LOST
    if not pieces:
        return None
    ranges, alone = pieces[0]
    found = alone if len(pieces) == 1 and ranges == ((0, shape[0]),) else fuse(pieces, shape[0])
    if found.shape != shape:
        told = f"{stored.key} is {list(stored.entry.shape)}, its change {list(found.shape)}."
        raise TensorError(told, hint="The mix is for another variant of the base.")
    return found
