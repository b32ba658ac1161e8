"""`eleven train`: one fine-tune of a concept from photos, or several that complement each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

TECHNIQUE = "lora, locon, loha, lokr, ia3, oft, dreambooth or textual-inversion."
SET = "Any other setting, as NAME=VALUE; docs/guides/training.md lists them."
PRIOR = "Let the base draw so many pictures of the class, which must stay as they are."


def train(
    base: Annotated[str, Option(help="The model to train on: a diffusers folder, a checkpoint, or a hub id.")],
    photos: Annotated[Path, Option(help="The folder of photos; name.txt beside name.jpg is its caption.")],
    to: Annotated[Path, Option(help="The file to write; with --ensemble NAME-overall.safetensors and so on.")],
    technique: Annotated[str | None, Option(help=f"{TECHNIQUE} (default: lora)")] = None,
    trigger: Annotated[str, Option(help="The word that will call the concept.")] = "",
    class_word: Annotated[str, Option(help="What it is: person, dog …")] = "",
    ensemble: Annotated[int | None, Option(help="Train so many members that complement each other.")] = None,
    steps: Annotated[int | None, Option(help="How many steps.")] = None,
    rank: Annotated[int | None, Option(help="Rank; for textual inversion, how many vectors.")] = None,
    learning_rate: Annotated[float | None, Option(help="Of the denoiser.")] = None,
    text_learning_rate: Annotated[float | None, Option(help="Of the text encoders; 0 leaves them alone.")] = None,
    batch: Annotated[int | None, Option(help="Photos a step.")] = None,
    resolution: Annotated[int | None, Option(help="Pixels of the square (default: the base's own).")] = None,
    layers: Annotated[str | None, Option(help="attention, attention+ff, or all (with convolutions).")] = None,
    seed: Annotated[int | None, Option(help="The same seed gives the same file.")] = None,
    prior_pictures: Annotated[int | None, Option(help=PRIOR)] = None,
    held_out: Annotated[int, Option(min=0, help="Keep so many photos to judge by; the best state is written.")] = 0,
    sample_every: Annotated[int | None, Option(help="Draw sample pictures every so many steps.")] = None,
    dtype: Annotated[str | None, Option(help="fp16, bf16 or fp32 (default: fp16).")] = None,
    setting: Annotated[list[str] | None, Option("--set", help=SET)] = None,
    device: Annotated[str, Option(help="auto, cpu, cuda or mps.")] = "auto",
    download: Annotated[bool, Option("--download", help="Allow a hub id to be fetched.")] = False,
    force: Annotated[bool, Option("--force", help="Overwrite an existing file.")] = False,
    as_json: Annotated[bool, Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Train a fine-tune on photos. A training that was stopped goes on when the same command is given again.

    Example: eleven train --base sd15 --photos anna/ --trigger ohwx --class-word person --to anna.safetensors
    """
    from eleven.cli.training import Source, named, run

    plain = {"steps": steps, "rank": rank, "learning_rate": learning_rate, "text_learning_rate": text_learning_rate}
    plain |= {"batch": batch, "resolution": resolution, "layers": layers, "seed": seed, "dtype": dtype}
    plain |= {"prior_pictures": prior_pictures, "sample_every": sample_every}
    words = {"trigger": trigger, "class_word": class_word}
    source = Source(base, photos, held_out, device, download)
    run(source, to, named(technique, ensemble, {**plain, **words}, setting or []), force=force, as_json=as_json)
