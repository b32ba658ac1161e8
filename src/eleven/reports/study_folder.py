"""What a study leaves behind: the recipe, the baked file, the best pictures, the page and its data, in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from eleven.effects import Effect, effects_to_toml
from eleven.exports.proof import Progress, ignore
from eleven.files.hashes import identity
from eleven.mix import Mix, Part
from eleven.mix_text import Tag, spell
from eleven.reports.study import Baked, Snippet
from eleven.reports.study_measures import Carried
from eleven.reports.study_page import write_report
from eleven.reports.study_view import Case, view_of
from eleven.reports.verdict import Verdict, verdict_of
from eleven.sheets.png import write_bytes
from eleven.studies.confirming import Confirmation, winner_of
from eleven.studies.plan import DIGITS
from eleven.studies.study import Study
from eleven.studies.tuning import Searched

RECIPE, ADAPTER, BEST = "mix.toml", "mix.safetensors", "best"
HOW = "the page tells how ComfyUI gives it."
MOST = 8
"""Pictures in the folder of the best."""


@final
@dataclass(frozen=True)
class Left:
    """Where the page, the recipe and the baked file lie, what the study says, and what each model carries.

    There is no adapter where nothing was baked.
    """

    report: Path
    recipe: Path | None
    adapter: Path | None
    verdict: Verdict
    carried: tuple[Carried, ...] = ()


@final
@dataclass(frozen=True)
class Baking:
    """The base, for parts that depend on its weights, and who hears how far the file is."""

    base: Path
    progress: Progress = ignore


def write_results(
    study: Study, confirmation: Confirmation, case: Case, searched: Searched | None = None, baking: Baking | None = None
) -> Left:
    """Writes everything into the study's folder, over an earlier result of it; without `baking`, no adapter."""
    folder = study.taker.ledger.folder
    mix = confirmation.arms[winner_of(confirmation, study)].mix(study.plan)
    recipe = adapter = None
    if mix is not None:
        recipe = folder / RECIPE
        effects = effects_to_toml(effects_in(mix, study, searched))
        write_bytes(recipe, f"{mix.to_toml()}\n{effects}".encode() if effects else mix.to_toml().encode(), force=True)
        case = replace(case, snippets=tuple(snippets_of(mix)))
    filed = mix.filed if mix is not None else None
    if filed is not None and baking is not None:
        adapter = folder / ADAPTER
        case = replace(case, baked=baked(filed[0], adapter, baking))
        if filed[1] != 1:
            study.tell(
                f"{ADAPTER} alone was not measured: it needs a share of {filed[1]:g} for the negative prompt; {HOW}"
            )
    copy_best(study, confirmation, folder / BEST)
    view = view_of(study, confirmation, case, searched)
    return Left(write_report(view, folder), recipe, adapter, verdict_of(view), view.carried)


def effects_in(mix: Mix, study: Study, searched: Searched | None) -> tuple[Effect, ...]:
    """What was measured of the mix's own models."""
    if searched is None or searched.effects is None:
        return ()
    measured = searched.effects.by_file([part.sha256 for part in study.plan.models])
    own = {part.sha256 for part in mix.parts}
    return tuple(effect for effect in measured if effect.sha256 in own)


def baked(mix: Mix, to: Path, baking: Baking) -> Baked:
    """The mix as one exact adapter, with its proof."""
    from eleven.exports.baking import Request, bake
    from eleven.exports.forms import Form

    proof = bake(mix, Request(to, Form(), base=baking.base, force=True), progress=baking.progress)
    return Baked(to.name, "an adapter, exact", to.stat().st_size, identity(to), proof.error)


def copy_best(study: Study, confirmation: Confirmation, folder: Path) -> None:
    """The winner's likest pictures, the best first; a folder of an earlier result is replaced."""
    winner = winner_of(confirmation, study)
    scores, mix = confirmation.scores[winner], confirmation.arms[winner].mix(study.plan)
    ranked = sorted(zip(scores, confirmation.shots, strict=False), key=lambda one: -study.objective.likeness(one[0]))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for place, (_, shot) in enumerate(ranked[:MOST], 1):
        kept = study.taker.ledger.picture_of(mix, shot)
        if kept is not None:
            shutil.copyfile(study.taker.ledger.folder / kept[0], folder / f"{place}_seed{shot.seed}.png")


def snippets_of(mix: Mix) -> Sequence[Snippet]:
    """How other programs are told to mix the same; only recipes tell strengths of blocks."""
    parts = " ".join(f"{Path(part.file).name}:{spelled(part)}" for part in mix.parts)
    tags = "".join(
        str(Tag(Path(part.file).stem, part.strength_at("text_encoder", ""), part.strength_at("unet", "")))
        for part in mix.parts
    )
    sayable = all(part.at.keys() <= {"te", "unet"} and not part.live for part in mix.parts)
    return (
        *([Snippet("A1111, Forge, SD.Next", tags)] if sayable else []),
        *([Snippet("ComfyUI", hooked(mix.filed[1]))] if mix.differs_for_negative and mix.filed else []),
        Snippet("Eleven, pictures", f'eleven generate --base BASE {parts} --prompt "…" --seeds 1-8 --to pictures'),
        *([] if mix.is_live else [Snippet("Eleven, one file", f"eleven bake {parts} --to {ADAPTER}")]),
    )


def hooked(share: float) -> str:
    """How ComfyUI applies the baked file in whole to the prompt and with a share to the negative prompt."""
    whole = f"Load LoRA: {ADAPTER}, strength_model {spell(share)}, strength_clip 1"
    rest = spell(round(1 - share, DIGITS))
    return f"{whole}; Create Hook LoRA (MO): {ADAPTER}, strength_model {rest}, on the positive prompt only"


def spelled(part: Part) -> str:
    """The strengths of a part as they are typed."""
    told = {**part.at, **{name: getattr(part, name) for name in part.live}}
    return ",".join([spell(part.strength), *(f"{address}={spell(value)}" for address, value in told.items())])
