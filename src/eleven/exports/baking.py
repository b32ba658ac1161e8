"""From what a user names to a written file: parts opened, identified and combined, then baked one way or the other."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from os.path import exists
from pathlib import Path

from eleven.amplification.alarm import alarm
from eleven.combination import Combination, combine
from eleven.errors import FileError, OutputError, UsageError
from eleven.exports.adapter import bake_adapter
from eleven.exports.checkpoint import bake_into
from eleven.exports.folder import bake_into_folder
from eleven.exports.forms import Form
from eleven.exports.proof import Progress, Proof, ignore
from eleven.files.hashes import identity
from eleven.finetunes.checkpoint import Checkpoint, open_checkpoint
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part


@dataclass(frozen=True)
class Request:
    """What to write: an adapter of this form, or the checkpoint `into` with the mix added.

    `base` is for parts that depend on its weights; `into` serves where no other is named.
    """

    to: Path
    form: Form = field(default_factory=Form)
    into: Path | None = None
    base: Path | None = None
    ignore_unknown: bool = False
    force: bool = False


def bake(mix: Mix, request: Request, *, progress: Progress = ignore) -> Proof:
    """Writes the mix and gives the proof, with an alarm where the mix is too much.

    Every ElevenError that opening, combining and writing can raise.
    """
    refuse_live(mix)
    inputs = [Path(part.file) for part in mix.parts]
    refuse_alias(request.to, [*inputs, *(place for place in (request.into, request.base) if place)])
    with opened(mix, request) as (combination, into):
        proof = _written(combination, into, request, progress)
        return replace(proof, alarm=alarm(combination, sum(layer.asked for layer in proof.layers) ** 0.5))


def _written(combination: Combination, into: Checkpoint | None, request: Request, progress: Progress) -> Proof:
    if into is None:
        return bake_adapter(combination, request.to, request.form, force=request.force, progress=progress)
    write = bake_into_folder if into.path.is_dir() else bake_into
    return write(combination, into, request.to, force=request.force, progress=progress)


@contextmanager
def opened(mix: Mix, request: Request) -> Generator[tuple[Combination, Checkpoint | None]]:
    """The mix's combination, its files known by their hashes, and the checkpoint to bake into; closed behind the block.

    Parts that need a base take the checkpoint where no other base is named.
    """
    with ExitStack() as stack:
        into = stack.enter_context(open_checkpoint(request.into)) if request.into else None
        base = stack.enter_context(open_checkpoint(request.base)) if request.base else into
        finetunes = [stack.enter_context(open_finetune(part.file, base)) for part in mix.parts]
        parts = tuple(identified(part, finetune.path) for part, finetune in zip(mix.parts, finetunes, strict=True))
        known = mix.model_copy(update={"parts": parts})
        yield combine(known, finetunes, ignore_unknown=request.ignore_unknown), into


def identified(part: Part, path: Path) -> Part:
    """The part with its file's name and hash. FileError where a recipe asks for another file."""
    found = identity(path)
    if part.sha256 and part.sha256.lower() != found:
        told = f"{path}: is not the file that the recipe was made with (SHA-256 {found[:10]}, not {part.sha256[:10]})."
        raise FileError(told, hint="Find that file, or leave its sha256 out of the recipe.")
    return part.model_copy(update={"file": path.name, "sha256": found})


def refuse_live(mix: Mix) -> None:
    """UsageError for a strength that depends on the step or the prompt: a file has one weight for all of them."""
    part = next((part for part in mix.parts if part.rise), None)
    if part is not None:
        told = f"{part.file}: a rise of {part.rise:g} over the steps cannot be written into a file, which has no steps."
        raise UsageError(told, hint="Leave --detail-steps out, set the rise to 0, or make pictures with generate.")
    part = next((part for part in mix.parts if part.negative != 1), None)
    if part is not None:
        told = f"{part.file}: a share of {part.negative:g} for the negative prompt cannot be written into a file."
        hint = (
            "Leave `negative` out of the part, and tell ComfyUI the share (docs/concepts/guiding.md), or use generate."
        )
        raise UsageError(told, hint=hint)


def refuse_alias(to: Path, inputs: Iterable[Path]) -> None:
    """OutputError where what is to be written is, holds or lies in an input, even if overwriting is allowed."""
    for place in inputs:
        same = exists(to) and exists(place) and to.samefile(place)
        if same or _holds(to, place) or _holds(place, to):
            raise OutputError(f"{to} is one of the inputs.", hint="Choose another name.")


def _holds(folder: Path, place: Path) -> bool:
    """Whether a folder is above a place, which need not exist."""
    above = (parent for parent in place.resolve().parents if exists(parent))
    return exists(folder) and any(parent.samefile(folder) for parent in above)
