"""`eleven demo`: what works so far, on files that it makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eleven.cli.console import note, show, show_json, show_table
from eleven.reports.inspection import inspect_file
from eleven.reports.inspection_text import COLUMNS, row

Target = Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the files go.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
TOLERANCE, ROUNDED = 1e-6, 1e-3


def demo(to: Target = Path("demo"), as_json: Json = False) -> None:
    """What works so far, shown offline on three tiny fine-tunes that it makes itself.

    It inspects them, mixes them at 0.5 each and bakes the mix. Exit code 1 where a layer of the mix is not exact to
    1e-6, or the file, which is rounded to fp16, to 1e-3.
    """
    from eleven.demonstration import STRENGTH, bake_mix, check_mix, make_files

    files = make_files(to)
    reports = [inspect_file(file) for file in files]
    layers = list(check_mix(files))
    worst = max(layer.error for layer in layers)
    baked, proof = bake_mix(files)
    if as_json:
        show_json({"files": reports, "layers": layers, "worst": worst, "baked": baked, "proof": proof.summary()})
    else:
        show(f"three fine-tunes in {to}")
        show_table(COLUMNS, (row(to, told) for told in reports))
        show(f"\ntheir mix at {STRENGTH} each")
        rows = [(one.layer.partition("blocks.0.")[2], f"{one.norm:.4g}", f"{one.error:.1e}") for one in layers]
        show_table(("layer", "norm", "relative error"), rows)
        show(f"\nLargest difference from the dense sum in float64: {worst:.1e} of the change.")
        told = f"{proof.error:.1e} from what was asked, over {len(proof.layers)} layers"
        show(f"Baked to {baked} in fp16 and read back: {told}.")
    note("Finding the best strengths (`eleven tune`) comes later; this shows reading, exact mixing and baking.")
    if not (worst <= TOLERANCE and proof.error <= ROUNDED):
        raise typer.Exit(1)
