"""A mix added into a diffusers folder: each component's weights rewritten, everything else copied."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from eleven.combination import Combination
from eleven.errors import ElevenError, OutputError
from eleven.exports.checkpoint import STALE, Leaf, Plan, Writing, planned, rewriting, rewritten
from eleven.exports.metadata import RECIPE, common_metadata
from eleven.exports.placing import making
from eleven.exports.proof import LayerProof, Progress, Proof, ignore
from eleven.exports.streaming import Stream
from eleven.files.dtypes import bytes_of
from eleven.files.joined import Joined, Piece
from eleven.finetunes.checkpoint import Checkpoint, open_checkpoint

PROOF_FILE, RECIPE_FILE = "eleven_proof.json", "eleven_recipe.json"
WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".h5", ".onnx", ".onnx_data", ".pb")
"""Endings of weights."""
INDEX = re.compile(r"\.index(\.\w+)?\.json$")
"""Ending of an index of shards, perhaps with a variant."""
SHARD = re.compile(r"-\d+-of-\d+$")
STEMS = {
    "diffusers": ("diffusion_pytorch_model", "diffusion_flax_model"),
    "transformers": ("model", "pytorch_model", "flax_model", "tf_model", "openvino_model"),
}
"""What the libraries call the same weights in their formats."""
BEFORE = "it holds the model without the mix, so it was left out"


def bake_into_folder(
    combination: Combination, base: Checkpoint, to: Path, *, force: bool = False, progress: Progress = ignore
) -> Proof:
    """Writes the folder with the mix added to its weights, with the recipe and the proof beside them.

    Other formats and variants of these weights are left out; models beside them that the mix would change are listed
    as skipped; the rest is copied. The folder appears whole or not at all. Errors as `making` and `bake_into`.
    """
    plan, lost = planned(combination, base)
    leaves = base.container.leaves() if isinstance(base.container, Joined) else []
    with making(to, force=force) as made:
        _refuse_full_disk(to, leaves)
        others = {file: BEFORE for file in _others(base.path, leaves) if _is_changed(file, combination)}
        lost |= {file.relative_to(base.path).as_posix(): reason for file, reason in others.items()}
        gone = {*others, *_variants(leaves)}
        shutil.copytree(base.path, made, ignore=lambda at, names: {name for name in names if Path(at, name) in gone})
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


def _variants(leaves: list[Piece]) -> set[Path]:
    """Every format and variant of the weights that are rewritten, and their indices."""
    found: set[Path] = set()
    for leaf in leaves:
        own = leaf.container.path
        kind, names = _kind(own.name), {own.name, _safe(own.name)}
        files = [file for file in own.parent.iterdir() if file.name.endswith(WEIGHTS) or INDEX.search(file.name)]
        found |= {file for file in files if file.name in names or _kind(file.name) == kind}
    return found


def _kind(name: str) -> str:
    """What a weights file is called in all its formats and variants."""
    stem = SHARD.sub("", INDEX.sub("", name).partition(".")[0])
    known = next((kind for kind, stems in STEMS.items() if stem in stems), None)
    return known or SHARD.sub("", INDEX.sub("", name).rpartition(".")[0])


def _others(root: Path, leaves: list[Piece]) -> list[Path]:
    """The weights beside those that are rewritten, and in the root, that are no variant of them."""
    folders = {root, *(leaf.container.path.parent for leaf in leaves)}
    files = [file for folder in sorted(folders) for file in sorted(folder.iterdir()) if file.name.endswith(WEIGHTS)]
    known = _variants(leaves)
    return [file for file in files if file not in known and file.is_file()]


def _is_changed(file: Path, combination: Combination) -> bool:
    """Whether a file is a model that the mix would change."""
    try:
        with open_checkpoint(file) as found:
            return bool(planned(combination, found)[0])
    except ElevenError:
        return False


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
    for index in sorted(folder.glob("*.json")):
        ending = INDEX.search(index.name)
        listed = json.loads(index.read_text(encoding="utf-8")) if ending else {}
        if ending and here == set(listed["weight_map"].values()):
            listed["weight_map"] = {key: _safe(name) for key, name in listed["weight_map"].items()}
            text = json.dumps(listed, indent=2, ensure_ascii=False) + "\n"
            (made / f"{_safe(index.name[: ending.start()])}{ending[0]}").write_text(text, encoding="utf-8")


def _safe(name: str) -> str:
    """The name of a weights file as safetensors: transformers calls `pytorch_model.bin` then `model.safetensors`."""
    stem, _, ending = name.rpartition(".")
    if ending == "safetensors":
        return name
    return f"{stem.removeprefix('pytorch_') if stem.startswith('pytorch_model') else stem}.safetensors"
