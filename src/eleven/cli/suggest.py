"""`eleven suggest`: how alike models are, what to beware of, and where to start, before a picture is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

BASE = "The base to compare predictions on: a diffusers folder, a checkpoint, `lab`, or the name of a model on the hub."
PHOTOS = "A folder of photos of the concept that nothing was trained on; they decide the proportions (needs --base)."


def suggest(
    models: Annotated[list[Path], Argument(metavar="FILE…", help="Fine-tunes of one concept.")],
    base: Annotated[str, Option(help=BASE)] = "",
    photos: Annotated[Path | None, Option(help=PHOTOS)] = None,
    trigger: Annotated[str, Option(help="What the concept is called in prompts (default: what the files tell).")] = "",
    to: Annotated[Path | None, Option(help="Write the suggested mix as a recipe (.toml or .json).")] = None,
    page: Annotated[Path | None, Option(help="Write everything as one page of HTML that opens offline.")] = None,
    device: Annotated[str, Option(help="auto, cuda, mps or cpu.")] = "auto",
    dtype: Annotated[str, Option(help="auto, fp32, fp16 or bf16.")] = "auto",
    download: Annotated[bool, Option("--download", help="Allow a hub id to be fetched.")] = False,
    force: Annotated[bool, Option("--force", help="Overwrite existing files.")] = False,
    as_json: Annotated[bool, Option("--json", help="Everything as JSON.")] = False,
) -> None:
    """How alike models are, what to beware of, and the strengths to start from, before a picture is made.

    Example: eleven suggest eve-lora.safetensors eve-loha.safetensors --to mix.toml --page mix.html
    """
    from eleven.cli.suggesting import Outputs, check_outputs, examined_by, report
    from eleven.engines.opening import Setup

    outputs = Outputs(to, page, force, as_json)
    check_outputs(outputs, models)
    setup = Setup(base, device, dtype, download=download)
    report(examined_by(setup, models, photos, trigger), outputs)
