"""`eleven tune`: the mix that most often gives a perfect likeness, with the evidence and the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from eleven.cli.study_options import Drawn, Machine, Measured, Subject, spread

DETAIL = "More detail (to 1) or less (to -1) than the mix that was found, by what the search saw each model carry."
RANGE = "Where a model's strength may lie, as eve-lora=0.2..0.9."
KNOB = "A factor on all strengths to search too: te=0..1.2, unet=0.5..1.5, negative=0..1, or NAME=IN01+IN02:0.5..1.5."


@spread
def tune(
    models: Annotated[list[Path], Argument(metavar="FILE…", help="Fine-tunes of one concept.")],
    subject: Subject,
    measured: Measured,
    drawn: Drawn,
    machine: Machine,
    detail: Annotated[float, Option(min=-1, max=1, help=DETAIL)] = 0.0,
    span: Annotated[list[str] | None, Option("--range", help=RANGE)] = None,
    knob: Annotated[list[str] | None, Option(help=KNOB)] = None,
    no_bake: Annotated[bool, Option("--no-bake", help="Do not write the mix as one file.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Check everything, tell the cost, make no picture.")] = False,
    as_json: Annotated[bool, Option("--json", help="The verdict and the paths as JSON.")] = False,
) -> None:
    """Find the strengths that most often give a perfect likeness, prove it on fresh pictures, and bake the mix.

    Example: eleven tune eve-lora.safetensors eve-loha.safetensors --base sd15 --photos eve --to study
    """
    from eleven.cli.studying import bench, finish, knobs_of, ranges_of, wish_of

    known = wish_of(measured, drawn.shot(), ranges_of(span or []), knobs_of(knob or []))
    wish = replace(known, detail=detail)
    with bench(machine.setup(subject.base), models, subject.known(), wish, (machine.workers, machine.ray)) as opened:
        finish(opened, subject.to, bake=not no_bake, dry=dry_run, as_json=as_json)
