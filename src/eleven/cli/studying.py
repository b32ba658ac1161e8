"""What `eleven tune`, `compare` and `demo` share: their options in words, progress, and what a study left."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eleven.cli.console import WORDS, meter, note, note_resumption, show, show_json
from eleven.errors import UsageError

if TYPE_CHECKING:
    from eleven.cli.study_options import Measured
    from eleven.engines.engine import Shot
    from eleven.engines.opening import Setup
    from eleven.main_job import Bench, Photos, Wish
    from eleven.reports.study_folder import Left
    from eleven.studies.arms import Arm
    from eleven.studies.space import Knob, Range

KNOB = "Write te=0..1.2, unet=0.5..1.5, negative=0..1, or a name and its blocks, as in early=IN01+IN02:0.5..1.5."


@contextmanager
def bench(
    setup: Setup, models: Sequence[Path], photos: Photos, wish: Wish, workers: tuple[int, str] = (1, "")
) -> Generator[Bench]:
    """The main job's bench behind a bar with the time left; interrupted, it tells how to go on."""
    from eleven.main_job import open_bench
    from eleven.studies.beginning import Company, Workers

    with meter("pictures", None) as advance:
        company = Company(note, steps_of(advance), batch=setup.batch, workers=Workers(*workers))
        with open_bench(setup, models, photos, wish, company) as opened:
            try:
                yield opened
            except KeyboardInterrupt:
                note_resumption("The study is not done; every picture that was made is kept. Go on with:")
                raise


def tell_cost(opened: Bench, to: Path) -> None:
    """How many pictures a search will take, and for what."""
    plan = opened.tuning(to)
    count, prompts = len(plan.models), len(plan.prompts)
    told = f"{count} model{'s' * (count > 1)}, {prompts} prompts, scored by {plan.scorer}:"
    note(f"{told} {plan.search} pictures to search, up to {plan.confirmation} to confirm.")


def finish(opened: Bench, to: Path, *, bake: bool = True, dry: bool = False, as_json: bool = False) -> None:
    """Tells the cost, does the main job unless the run is dry, and shows what was left."""
    tell_cost(opened, to)
    if dry:
        note(f"All is well, and no picture was made. Without --dry-run the study begins in {to}.")
    else:
        report(opened.tune(to, command(), bake=bake), as_json=as_json)


def command() -> str:
    """The command line that is running."""
    return shlex.join(["eleven", *WORDS.get()])


def steps_of(advance: Callable[..., None]) -> Callable[[int, int], None]:
    """A bar's step for every picture that has come since the last call."""
    before = [0]

    def step(done: int, planned: int) -> None:
        for _ in range(done - before[0]):
            advance(planned)
        before[0] = done

    return step


def report(left: Left, *, as_json: bool) -> None:
    """The verdict and where everything is."""
    if as_json:
        show_json(left)
        return
    show(left.verdict.sentence)
    for what, path in (("page", left.report), ("recipe", left.recipe), ("adapter", left.adapter)):
        if path is not None:
            show(f"  {what}: {path}")


def wish_of(
    measured: Measured, shot: Shot, ranges: Mapping[str, Range] | None = None, knobs: Sequence[Knob] = ()
) -> Wish:
    """What is asked of a study. UsageError for what makes no sense, FileError for a file of prompts without any."""
    from eleven.engines.shot_text import all_prompts
    from eleven.main_job import Wish

    given = tuple(all_prompts([], measured.prompts)) if measured.prompts else ()
    weights, budget = weights_of(measured.weight or []), budget_of(measured.budget)
    return Wish(given, shot, weights, *budget, measured.seed, ranges or {}, knobs=tuple(knobs))


def budget_of(text: str) -> tuple[int, float]:
    """Pictures and minutes of `600`, `10m` or `1.5h`; none of both for "". UsageError for what is none."""
    match = re.fullmatch(r"(\d{1,7}(?:\.\d{1,3})?)\s*(m|min|h|)", text.strip())
    if not text:
        return 0, 0.0
    if match is None or not float(match[1]) or (not match[2] and "." in match[1]):
        raise UsageError(f"--budget is {text!r}.", hint="Write pictures as 600, or time as 10m or 1.5h.")
    return (0, float(match[1]) * (60 if match[2] == "h" else 1)) if match[2] else (int(match[1]), 0.0)


def ranges_of(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Ranges of strengths as they are typed, by model. UsageError for what is none."""
    found: dict[str, tuple[float, float]] = {}
    for text in texts:
        match = re.fullmatch(r"(.+)=(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)", text)
        if match is None:
            raise UsageError(f"--range is {text!r}.", hint="Write NAME=LOW..HIGH, as in eve-lora=0.2..0.9.")
        found[match[1]] = float(match[2]), float(match[3])
    return found


def knobs_of(texts: Sequence[str]) -> list[Knob]:
    """Knobs as they are typed: `te` and `unet` by themselves, blocks by a name. UsageError for what is none."""
    from eleven.studies.space import Knob

    found: list[Knob] = []
    for text in texts:
        match = re.fullmatch(r"([^=:]+)=(?:([^=:]+):)?(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)", text)
        if match is None:
            raise UsageError(f"--knob is {text!r}.", hint=KNOB)
        name, blocks = match[1].strip(), match[2] or match[1]
        addresses = tuple(block.strip() for block in blocks.split("+"))
        found.append(Knob(name, (float(match[3]), float(match[4])), addresses=addresses))
    return found


def weights_of(texts: Sequence[str]) -> dict[str, float]:
    """Weights as they are typed. UsageError for what is none."""
    from eleven.studies.objective import Weights

    found: dict[str, float] = {}
    for text in (piece.strip() for given in texts for piece in given.split(",")):
        name, _, value = text.partition("=")
        if name not in Weights.__dataclass_fields__ or not value.replace(".", "", 1).isdecimal():
            raise UsageError(f"--weight is {text!r}.", hint="Write likeness=1, detail=1 or prompt=0.5.")
        found[name] = float(value)
    Weights(**found)
    return found


def arms_given(texts: Sequence[str]) -> tuple[list[Path], list[Arm]]:
    """The files of all arms, each once, and the arms as strengths of these files."""
    from eleven.mix_text import parse_mix
    from eleven.studies.arms import Arm
    from eleven.studies.beginning import short_names

    mixes = [parse_mix(shlex.split(text)) if text.strip() != "none" else None for text in texts]
    parts = [part for mix in mixes if mix for part in mix.parts]
    filed = [mix and mix.filed for mix in mixes]
    plain = all(mix is None or (mix.method == "sum" and one) for mix, one in zip(mixes, filed, strict=True))
    if any(part.at for part in parts) or not plain:
        told = "an arm is more than strengths of files with one share for the negative prompt."
        raise UsageError(told, hint="Give one strength for each file, and the same `negative` for all of an arm.")
    if not parts:
        raise UsageError("no arm has a model in it.", hint='Give --arm "FILE:0.7 FILE:0.7".')
    files = list(dict.fromkeys(part.file for part in parts))
    rows = [{part.file: part.strength for part in mix.parts} if mix else {} for mix in mixes]
    strengths = [tuple(row.get(file, 0.0) for file in files) for row in rows]
    rated = list(zip(strengths, (one[1] if one else 1.0 for one in filed), strict=True))
    if len(set(rated)) < len(rated):
        raise UsageError("two arms are the same.", hint="Give each once.")
    short = short_names([Path(file).stem for file in files])
    arms = [Arm(arm_name(short, row, share), "given", row, share=share) for row, share in rated]
    return [Path(file) for file in files], arms


def arm_name(names: Sequence[str], strengths: Sequence[float], share: float = 1.0) -> str:
    """What an arm is called: its models by their short names, with their strengths."""
    parts = [f"{name}:{strength:g}" for name, strength in zip(names, strengths, strict=True) if strength]
    told = " ".join(parts) or "no model"
    return told if share == 1 else f"{told} negative={share:g}"
