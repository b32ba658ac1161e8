"""`eleven tune`: the mix that most often gives a perfect likeness, with the evidence and the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

BASE = "A diffusers folder, a single-file checkpoint, `lab`, or the name of a model on the Hugging Face hub."
BUDGET = "Pictures in all, or time as 10m (default: 200 pictures for each model and 200 more)."
DETAIL = "More detail (to 1) or less (to -1) than the mix that was found, by what the search saw each model carry."
WEIGHT = "What counts for how much, as likeness=1, detail=1, prompt=0.5."


def tune(
    models: Annotated[list[Path], Argument(metavar="FILE…", help="Fine-tunes of one concept.")],
    base: Annotated[str, Option(help=BASE)],
    photos: Annotated[Path, Option(help="A folder of photos of the concept that nothing was trained on.")],
    to: Annotated[Path, Option(help="The folder of the study; an interrupted one is gone on with.")],
    prompts: Annotated[Path | None, Option(help="A text file with one prompt a line (default: forty places).")] = None,
    trigger: Annotated[str, Option(help="What the concept is called in prompts (default: what the files tell).")] = "",
    budget: Annotated[str, Option(help=BUDGET)] = "",
    scorer: Annotated[str, Option(help="auto, lab, concept, face, prompt, process:COMMAND, or a plug-in's.")] = "auto",
    impostors: Annotated[Path | None, Option(help="A folder of photos of others that are like the concept.")] = None,
    weight: Annotated[list[str] | None, Option(help=WEIGHT)] = None,
    detail: Annotated[float, Option(min=-1, max=1, help=DETAIL)] = 0.0,
    span: Annotated[list[str] | None, Option("--range", help="Where a strength may lie, as eve-lora=0.2..0.9.")] = None,
    seed: Annotated[int, Option(help="Another seed makes another study of the same.")] = 0,
    negative: Annotated[str, Option(help="What not to draw.")] = "",
    steps: Annotated[int, Option(min=1, max=1000, help="Steps of the sampler.")] = 20,
    guidance: Annotated[float, Option(min=0, max=100, help="How closely to follow the prompt.")] = 7.0,
    sampler: Annotated[str, Option(help="A1111's name, such as \"DPM++ 2M Karras\" (default: the base's own).")] = "",
    size: Annotated[str | None, Option(help="WIDTHxHEIGHT in pixels (default: the base's own).")] = None,
    batch: Annotated[int, Option(min=1, help="Pictures made at once.")] = 8,
    device: Annotated[str, Option(help="auto, cuda, mps or cpu.")] = "auto",
    dtype: Annotated[str, Option(help="auto, fp32, fp16 or bf16.")] = "auto",
    workers: Annotated[int, Option(min=1, help="Processes that make pictures, on a GPU each where there are.")] = 1,
    ray: Annotated[str, Option(metavar="ADDRESS", help="Make them on this Ray cluster (`auto`: the one around).")] = "",
    low_memory: Annotated[bool, Option("--low-memory", help="Save memory at the cost of time.")] = False,
    download: Annotated[bool, Option("--download", help="Allow a hub id to be fetched.")] = False,
    no_bake: Annotated[bool, Option("--no-bake", help="Do not write the mix as one file.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Check everything, tell the cost, make no picture.")] = False,
    as_json: Annotated[bool, Option("--json", help="The verdict and the paths as JSON.")] = False,
) -> None:
    """Find the strengths that most often give a perfect likeness, prove it on fresh pictures, and bake the mix.

    Example: eleven tune eve-lora.safetensors eve-loha.safetensors --base sd15 --photos eve --to study
    """
    from eleven.cli.studying import bench, finish, photos_of, setup_of, wish_of

    wish = wish_of(prompts, (negative, sampler, size, steps, guidance), (weight, budget, seed, span), detail)
    setup = setup_of(base, (device, dtype), batch, low_memory=low_memory, download=download)
    with bench(setup, models, photos_of(photos, impostors, scorer, trigger), wish, (workers, ray)) as opened:
        finish(opened, to, bake=not no_bake, dry=dry_run, as_json=as_json)
