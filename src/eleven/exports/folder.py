"""A mix added into a diffusers folder: each component's weights rewritten, everything else copied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from eleven.combination import Combination
from eleven.errors import OutputError
from eleven.exports.checkpoint import STALE, Leaf, Plan, Writing, planned, rewriting, rewritten
from eleven.exports.metadata import RECIPE, common_metadata
from eleven.exports.placing import making
from eleven.exports.proof import LayerProof, Progress, Proof, ignore
from eleven.exports.streaming import Stream
from eleven.files.dtypes import bytes_of
from eleven.files.joined import Joined, Piece
from eleven.finetunes.checkpoint import Checkpoint

PROOF_FILE, RECIPE_FILE = "eleven_proof.json", "eleven_recipe.json"
WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".h5", ".onnx", ".onnx_data", ".pb")
"""Endings of weights: beside those that are rewritten, others would be the model as it was before."""
INDEX = ".index.json"


def bake_into_folder(
    combination: Combination, base: Checkpoint, to: Path, *, force: bool = False, progress: Progress = ignore
) -> Proof:
    """Writes the folder with the mix added to its weights, with the recipe and the proof beside them.

    The folder appears whole or not at all. Errors as `making` and `bake_into`.
    """
    plan, lost = planned(combination, base)
    leaves = base.container.leaves() if isinstance(base.container, Joined) else []
    with making(to, force=force) as made:
        _refuse_full_disk(to, leaves)
        shutil.copytree(base.path, made, ignore=lambda folder, names: _left_out(Path(folder), names, base.path, leaves))
        layers: list[LayerProof] = []
        with closing(_rewritten(combination, base.path, made, leaves, (plan, lost))) as proofs:
            for proof in proofs:
                layers.append(proof)
                progress(proof, len(plan))
        proof = Proof(tuple(layers), tuple(lost.items()))
        (made / PROOF_FILE).write_text(proof.to_json(), encoding="utf-8")
        (made / RECIPE_FILE).write_text(common_metadata(combination, to.name, bundled=False)[RECIPE], encoding="utf-8")
    return proof


def _refuse_full_disk(to: Path, leaves: list[Piece]) -> None:
    size = sum(bytes_of(entry) for leaf in leaves for entry in leaf.container.entries.values())
    free = shutil.disk_usage(to.parent).free
    if free < size:
        told = f"{to}: needs {size:,} bytes where the disk has {free:,} left."
        raise OutputError(told, hint="Free some space, or write to another disk.")


def _left_out(folder: Path, names: list[str], root: Path, leaves: list[Piece]) -> set[str]:
    """What is not copied of a folder: weights and their index, where some of its weights are rewritten."""
    rewritten_here = any(leaf.container.path.parent == folder for leaf in leaves)
    stale = {name for name in names if name.endswith(WEIGHTS) or name.endswith(INDEX)}
    return stale if rewritten_here or folder == root else set()


def _rewritten(
    combination: Combination, root: Path, made: Path, leaves: list[Piece], found: tuple[Plan, dict[str, str]]
) -> Generator[LayerProof]:
    plan, lost = found
    for leaf in leaves:
        folder = made / leaf.container.path.parent.relative_to(root)
        metadata = {key: text for key, text in leaf.container.metadata.items() if key not in STALE}
        with (
            rewriting(leaf.container, folder / _safe(leaf.container.path.name), metadata, force=False) as file,
            Stream(file) as stream,
        ):
            yield from rewritten(Leaf(leaf.container, leaf.prefix), plan, combination, Writing(file, stream, lost))
    for folder in {leaf.container.path.parent for leaf in leaves}:
        _write_index(folder, made / folder.relative_to(root), leaves)


def _write_index(folder: Path, made: Path, leaves: list[Piece]) -> None:
    """The index of rewritten shards, under the name that belongs to safetensors."""
    here = {leaf.container.path.name for leaf in leaves if leaf.container.path.parent == folder}
    for index in sorted(folder.glob(f"*{INDEX}")):
        listed = json.loads(index.read_text(encoding="utf-8"))
        if here == set(listed["weight_map"].values()):
            listed["weight_map"] = {key: _safe(name) for key, name in listed["weight_map"].items()}
            text = json.dumps(listed, indent=2, ensure_ascii=False) + "\n"
            (made / f"{_safe(index.name.removesuffix(INDEX))}{INDEX}").write_text(text, encoding="utf-8")


def _safe(name: str) -> str:
    """The name of a weights file as safetensors: transformers calls `pytorch_model.bin` then `model.safetensors`."""
    stem, _, ending = name.rpartition(".")
    if ending == "safetensors":
        return name
    return f"{stem.removeprefix('pytorch_') if stem.startswith('pytorch_model') else stem}.safetensors"
