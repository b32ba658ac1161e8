"""`eleven demo`: the main job on somebody of the concept lab, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eleven.cli.console import note

Name = Annotated[str, typer.Argument(metavar="NAME", help="ada, otto (who is old) or minka (a cat).")]
Target = Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the study goes (default: demo/NAME).")]
Budget = Annotated[int, typer.Option(min=1, help="Pictures in all.")]
Json = Annotated[bool, typer.Option("--json", help="The verdict and the paths as JSON.")]
STEPS, GUIDANCE, BATCH = 12, 3.0, 8
MODELS = ("lora-a", "lora-b", "loha")


def demo(name: Name = "otto", to: Target = Path(), budget: Budget = 580, as_json: Json = False) -> None:
    """Find the best mix of somebody's fine-tunes in the concept lab, and prove it; minutes on two cores, offline.

    The lab's people are drawn by code, and its base and fine-tunes are real, trained models of Stable Diffusion's kind.
    What this does for them, `eleven tune` does for yours.

    Example: eleven demo otto --to demo
    """
    from eleven.cli.studying import bench, finish
    from eleven.engines.engine import Shot
    from eleven.engines.opening import Setup
    from eleven.lab.shipped import NAME, concept_folder
    from eleven.main_job import Photos, Wish

    folder, to = concept_folder(name), to if to != Path() else Path("demo") / name
    models = [folder / f"{name}-{kind}.safetensors" for kind in MODELS]
    wish = Wish(shot=Shot("", 0, steps=STEPS, guidance=GUIDANCE), budget=budget)
    with bench(Setup(NAME, "cpu", batch=BATCH), models, Photos(folder / "references"), wish) as opened:
        note(f"{name}, whom the lab's base does not know: {', '.join(path.stem for path in models)}.")
        finish(opened, to, as_json=as_json)
