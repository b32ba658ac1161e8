"""A mix added into a diffusers folder: each component's weights rewritten, everything else copied."""

from __future__ import annotations

import shutil
from pathlib import Path

from eleven.combination import Combination
from eleven.errors import OutputError
from eleven.exports.checkpoint import Leaf, Plan, planned, rewriting, rewritten
from eleven.exports.metadata import RECIPE, common_metadata
from eleven.exports.proof import LayerProof, Progress, Proof, ignore
from eleven.exports.streaming import Stream
from eleven.files.joined import Joined
from eleven.finetunes.checkpoint import Checkpoint

PROOF_FILE, RECIPE_FILE = "eleven_proof.json", "eleven_recipe.json"


def bake_into_folder(
    combination: Combination, base: Checkpoint, to: Path, *, force: bool = False, progress: Progress = ignore
) -> Proof:
    """Writes the folder with the mix added to its weights, with the recipe and the proof beside them.

    The folder appears whole or not at all. Errors as `bake_into`.
    """
    if to.exists() and not force:
        raise OutputError(f"{to}: exists already.", hint="Choose another name, or use --force.")
    plan, skipped = planned(combination, base)
    made = to.parent / f".{to.name}.part"
    shutil.rmtree(made, ignore_errors=True)
    try:
        layers = _write(combination, base, plan, made, progress)
        proof = Proof(tuple(layers), skipped)
        (made / PROOF_FILE).write_text(proof.to_json(), encoding="utf-8")
        (made / RECIPE_FILE).write_text(common_metadata(combination, to.name)[RECIPE], encoding="utf-8")
        _put_in_place(made, to)
    except OSError as error:
        raise OutputError(f"{to}: cannot be written: {error}.", hint="Check the folder and the disk.") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return proof


def _write(combination: Combination, base: Checkpoint, plan: Plan, made: Path, progress: Progress) -> list[LayerProof]:
    leaves = base.container.leaves() if isinstance(base.container, Joined) else []
    weights = {leaf.container.path.resolve() for leaf in leaves}
    root = base.path

    def passed_over(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if (Path(folder) / name).resolve() in weights or _is_other_weights(name)}

    shutil.copytree(root, made, ignore=passed_over)
    layers: list[LayerProof] = []
    for leaf in leaves:
        place = (made / leaf.container.path.relative_to(root)).with_suffix(".safetensors")
        with (
            rewriting(leaf.container, place, dict(leaf.container.metadata), force=False) as file,
            Stream(file) as stream,
        ):
            for proof in rewritten(Leaf(leaf.container, leaf.prefix), plan, combination, (file, stream)):
                layers.append(proof)
                progress(proof)
    return layers


def _is_other_weights(name: str) -> bool:
    """Copies in other formats or precisions would keep the old weights beside the new ones."""
    return Path(name).suffix in (".bin", ".ckpt", ".msgpack", ".onnx") or ".fp16." in name or ".non_ema." in name


def _put_in_place(made: Path, to: Path) -> None:
    old = to.parent / f".{to.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if to.exists():
        to.rename(old)
    made.rename(to)
    shutil.rmtree(old, ignore_errors=True)
