"""`eleven generate`: pictures of a mix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

PARTS = "FILE:0.7, FILE:unet=0.7,te=0.4, a recipe (.toml, .json), or text with <lora:NAME:0.7>; none: the base alone."
DETAIL = "More detail (to 1) or less (to -1) by what eleven tune has measured; needs the mix.toml that it wrote."
STEPS = "Let --detail change early against late steps too, with or without such a recipe; no file can hold that."
GRID = "Vary strengths, as in a=0..1.2/0.2, total=1,1.4 or negative=0..1/0.5; twice for two axes."
BASE = "A diffusers folder, a single-file checkpoint, or the name of a model on the Hugging Face hub."


def generate(
    base: Annotated[str, Option(help=BASE)],
    to: Annotated[Path, Option(help="The folder to write to; what is there already is not made again.")],
    parts: Annotated[list[str] | None, Argument(metavar="PART…", help=PARTS)] = None,
    prompt: Annotated[list[str] | None, Option(help="What to draw; may be given several times.")] = None,
    prompts: Annotated[Path | None, Option(help="A text file with one prompt a line.")] = None,
    negative: Annotated[str, Option(help="What not to draw.")] = "",
    seeds: Annotated[str, Option(help="Seeds of each prompt: 1-8, or 3,5,9.")] = "1-8",
    steps: Annotated[int, Option(min=1, max=1000, help="Steps of the sampler.")] = 20,
    guidance: Annotated[float, Option(min=0, max=100, help="How closely to follow the prompt.")] = 7.0,
    sampler: Annotated[str, Option(help="A1111's name, such as \"DPM++ 2M\" (default: the base's own).")] = "",
    schedule: Annotated[str, Option(help="Noise schedule, such as Karras (default: the base's own).")] = "",
    size: Annotated[str | None, Option(help="WIDTHxHEIGHT in pixels (default: the base's own).")] = None,
    clip_skip: Annotated[int, Option(min=1, max=12, help="Layers of the text encoder counted from the end.")] = 1,
    batch: Annotated[int, Option(min=1, help="Pictures made at once; changes none of them.")] = 4,
    device: Annotated[str, Option(help="auto, cuda, mps or cpu.")] = "auto",
    dtype: Annotated[str, Option(help="auto, fp32, fp16 or bf16.")] = "auto",
    detail: Annotated[float, Option(min=-1, max=1, help=DETAIL)] = 0.0,
    detail_steps: Annotated[bool, Option("--detail-steps", help=STEPS)] = False,
    grid: Annotated[list[str] | None, Option(help=GRID)] = None,
    no_baseline: Annotated[bool, Option("--no-baseline", help="No row without models in a grid.")] = False,
    low_memory: Annotated[bool, Option("--low-memory", help="Save memory at the cost of time.")] = False,
    no_metadata: Annotated[bool, Option("--no-metadata", help="Pictures do not tell how they were made.")] = False,
    models: Annotated[list[Path] | None, Option(help="A folder in which <lora:…> names are looked up.")] = None,
    download: Annotated[bool, Option("--download", help="Allow a hub id to be fetched.")] = False,
    force: Annotated[bool, Option("--force", help="Make every picture anew, over existing files.")] = False,
    as_json: Annotated[bool, Option("--json", help="Every picture's file, mix and shot as JSON.")] = False,
) -> None:
    """Make pictures of a mix, with a contact sheet, or a grid over its strengths.

    Example: eleven generate --base sd15 eve.safetensors:0.7 --prompt "a photo of eve" --seeds 1-8 --to pictures
    """
    from eleven.cli.generating import Setup, Shot, Target, make, mix_of, size_of
    from eleven.engines.shot_text import all_prompts, parse_seeds, sampled_by, shots_of

    template = Shot("", 0, negative, *sampled_by(sampler, schedule), steps, guidance, *size_of(size), clip_skip)
    shots = shots_of(all_prompts(prompt or [], prompts), parse_seeds(seeds), template)
    setup = Setup(base, device, dtype, batch, low_memory, download)
    target = Target(to, not no_metadata, not no_baseline, force, as_json)
    make(setup, mix_of(parts or [], models or [], detail, steps=detail_steps), shots, grid or [], target)
