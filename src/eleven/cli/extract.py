"""`eleven extract`: the difference of two checkpoints as an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

RANK = "The rank of each layer, at most (default: 32, with --energy no limit)."


def extract(
    tuned: Annotated[Path, Argument(help="The fine-tuned checkpoint: a file or a diffusers folder.")],
    base: Annotated[Path, Option(help="The checkpoint it was trained from.")],
    to: Annotated[Path, Option(help="The file to write.")],
    rank: Annotated[int | None, Option(min=1, help=RANK)] = None,
    energy: Annotated[float | None, Option(help="Take the rank that keeps this share of each layer's energy.")] = None,
    technique: Annotated[str, Option("--as", help="lora or lokr.")] = "lora",
    dialect: Annotated[str, Option(help="kohya, comfyui or diffusers.")] = "kohya",
    dtype: Annotated[str, Option(help="fp16, bf16 or fp32.")] = "fp16",
    tolerance: Annotated[float | None, Option(min=0.0, help="Fail above this relative error.")] = None,
    force: Annotated[bool, Option("--force", help="Overwrite an existing file.")] = False,
    as_json: Annotated[bool, Option("--json", help="The proof as JSON, with every layer.")] = False,
) -> None:
    """Turn a DreamBooth checkpoint into a LoRA or LoKr: what training changed, without the base.

    Example: eleven extract eve.safetensors --base v1-5.safetensors --to eve_lora.safetensors --rank 32
    """
    from eleven.cli.console import note
    from eleven.cli.writing import Job, check_place, form_of, report
    from eleven.exports.extraction import Extraction, extract, suspicious

    limit = str(rank or ("exact" if energy else 32))
    form = form_of(limit, energy, (dialect, dtype), technique=technique)
    check_place(to)
    job = Extraction(tuned, base, to, form, force=force)
    for warning in suspicious(tuned, base):
        note(f"warning: {warning}")
    report(lambda progress: extract(job, progress=progress), Job(to, form, tolerance), as_json=as_json)
