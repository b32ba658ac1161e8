"""`eleven compare`: given mixes beside each other on the same shots."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from eleven.cli.study_options import Drawn, Machine, Measured, Subject, spread

ARM = 'A mix, as in --arm "a.safetensors:0.7 b.safetensors:0.7", or `none`; the others are compared with the first.'


@spread
def compare(
    arm: Annotated[list[str], Option(help=ARM)],
    subject: Subject,
    measured: Measured,
    drawn: Drawn,
    machine: Machine,
    as_json: Annotated[bool, Option("--json", help="The verdict and the paths as JSON.")] = False,
) -> None:
    """How often given mixes give a perfect likeness, on the same shots, with intervals.

    Example: eleven compare --base sd15 --photos eve --to study --arm "a.safetensors:1" --arm "b.safetensors:0.8"
    """
    from eleven.cli.studying import arms_given, bench, command, report, wish_of

    models, arms = arms_given(arm)
    wish = wish_of(measured, drawn.shot())
    with bench(machine.setup(subject.base), models, subject.known(), wish, (machine.workers, machine.ray)) as opened:
        report(opened.compare(arms, subject.to, command()), as_json=as_json)
