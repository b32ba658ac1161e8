"""`eleven bake`: a mix written as one adapter, or into a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

PARTS = "FILE:0.7, FILE:unet=0.7,te=0.4, a recipe (.toml, .json), or text with <lora:NAME:0.7>."
DETAIL = "More detail (to 1) or less (to -1) by what eleven tune has measured; needs the mix.toml that it wrote."
ENERGY = "Compress to the rank that keeps this share of each layer's energy."


def bake(
    parts: Annotated[list[str], Argument(metavar="PART…", help=PARTS)],
    to: Annotated[Path, Option(help="The file (or folder) to write.")],
    rank: Annotated[str | None, Option(help="`exact`, or the rank to compress to (default: exact).")] = None,
    energy: Annotated[float | None, Option(help=ENERGY)] = None,
    into: Annotated[Path | None, Option(help="Add the mix to this checkpoint instead of writing an adapter.")] = None,
    base: Annotated[Path | None, Option(help="The base model, for parts that depend on its weights.")] = None,
    detail: Annotated[float, Option(min=-1, max=1, help=DETAIL)] = 0.0,
    method: Annotated[str | None, Option(help="How the parts combine (default: sum).")] = None,
    option: Annotated[list[str] | None, Option(help="An option of the method, as NAME=VALUE.")] = None,
    seed: Annotated[int | None, Option(help="For methods that draw.")] = None,
    dialect: Annotated[str | None, Option(help="kohya, comfyui or diffusers (default: kohya).")] = None,
    dtype: Annotated[str | None, Option(help="fp16, bf16 or fp32 (default: fp16).")] = None,
    tolerance: Annotated[float | None, Option(min=0.0, help="Fail above this relative error (exact: 0.01).")] = None,
    models: Annotated[list[Path] | None, Option(help="A folder in which <lora:…> names are looked up.")] = None,
    ignore_unknown: Annotated[bool, Option("--ignore-unknown", help="Leave out tensors that are not known.")] = False,
    strip_private: Annotated[bool, Option("--strip-private", help="Leave out the training tags.")] = False,
    force: Annotated[bool, Option("--force", help="Overwrite an existing file.")] = False,
    as_json: Annotated[bool, Option("--json", help="The proof as JSON, with every layer.")] = False,
) -> None:
    """Write a mix as one file that other tools load, and prove how close it is to what was asked.

    Example: eleven bake lora.safetensors:0.7 lycoris.safetensors:0.7 --to both.safetensors
    """
    from eleven.cli.detail import with_detail
    from eleven.cli.writing import Job, check_place, form_of, refuse_adapter_options, report, with_method, without_share
    from eleven.exports.baking import Request, bake, refuse_alias
    from eleven.mix_text import RECIPES, parse_mix

    given = with_detail(parse_mix(parts, folders=models or []), parts, detail)
    mix = without_share(with_method(given, method, option or [], seed))
    if into is not None:
        refuse_adapter_options(rank=rank, energy=energy, dialect=dialect, dtype=dtype, strip_private=strip_private)
    form = form_of(rank or "exact", energy, (dialect or "kohya", dtype or "fp16"), private=strip_private)
    request = Request(to=to, form=form, into=into, base=base, ignore_unknown=ignore_unknown, force=force)
    allowed = 0.01 if tolerance is None and form.target is None and mix.method == "sum" else tolerance
    refuse_alias(to, (Path(text) for text in parts if Path(text).suffix.lower() in RECIPES))
    check_place(to, folder=into is not None and into.is_dir())
    job = Job(to, form if into is None else None, allowed)
    report(lambda progress: bake(mix, request, progress=progress), job, as_json=as_json)
