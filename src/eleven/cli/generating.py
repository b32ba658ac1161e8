"""What `eleven generate` is made of: its parts as a mix, the engine that makes the pictures, and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eleven.cli.console import meter, note, note_resumption, show, show_json
from eleven.cli.detail import with_detail
from eleven.engines.engine import Engine, Shot
from eleven.engines.opening import Setup, open_engine
from eleven.engines.shot_text import parse_size
from eleven.errors import UsageError
from eleven.mix import Mix
from eleven.mix_text import parse_mix
from eleven.sheets.axes import parse_axes
from eleven.sheets.contact import contact_sheet
from eleven.sheets.credits import model_of
from eleven.sheets.gallery import Gallery
from eleven.sheets.grid import grid_sheet, plot_of
from eleven.sheets.legend import Subject
from eleven.sheets.page import draw_pages
from eleven.sheets.recipe import origin_of
from eleven.sheets.series import Wanted, series_of


@dataclass(frozen=True)
class Target:
    """Where the pictures go, and what is told in them and of them."""

    to: Path
    metadata: bool = True
    baseline: bool = True
    force: bool = False
    as_json: bool = False


def size_of(text: str | None) -> tuple[int, int]:
    """Width and height as they are typed; 0 for the base's own."""
    return parse_size(text) if text else (0, 0)


def mix_of(parts: Sequence[str], models: Sequence[Path], detail: float = 0.0, *, steps: bool = False) -> Mix | None:
    """The mix that is asked for, its files known by their hashes, steered; None without parts."""
    from eleven.exports.baking import identified

    if steps and not detail:
        raise UsageError("--detail-steps is given without --detail.", hint="Give --detail 0.5, or leave it out.")
    if detail and not parts:
        raise UsageError(f"--detail {detail:g}: there is no part to steer.", hint="Name at least one fine-tune.")
    if not parts:
        return None
    mix = parse_mix(parts, folders=models)
    known = [identified(part, Path(part.file)).model_copy(update={"file": part.file}) for part in mix.parts]
    return with_detail(mix.model_copy(update={"parts": tuple(known)}), parts, detail, steps=steps)


def make(setup: Setup, mix: Mix | None, shots: Sequence[Shot], grid: Sequence[str], target: Target) -> None:
    """Makes what is missing of the pictures, draws the sheet, and reports."""
    axes = parse_axes(grid, mix)
    plot = plot_of(mix, axes, baseline=target.baseline) if mix and axes else None
    files = {part.sha256: Path(part.file) for part in (mix.parts if mix else ())}
    models = {digest: model_of(path) for digest, path in files.items()} if target.metadata else None
    with open_engine(setup, note) as engine:
        base = origin_of(engine.base)
        series = series_of(plot.mixes if plot else [mix], shots, base)
        gallery = Gallery(target.to, series, models, target.force)
        gallery.open("grid" if plot else "sheet")
        made = _fill(gallery, engine)
    subject = Subject(mix, shots, base.name, axes)
    sheet = grid_sheet(subject, plot, gallery.path) if plot else contact_sheet(subject, gallery.path)
    pages = gallery.put_pages("grid" if plot else "sheet", draw_pages(sheet))
    _report(gallery, made, pages, as_json=target.as_json)


def _fill(gallery: Gallery, engine: Engine) -> int:
    """How many pictures were made; when interrupted, tells how to go on."""
    missing = len(gallery.missing)
    try:
        with meter("pictures", missing) as advance:
            gallery.fill(engine, advance)
    except KeyboardInterrupt:
        told = f"{len(gallery.found)} of {len(gallery.series)} pictures are there. Go on with:"
        note_resumption(told, without="--force")
        raise
    return missing


def _report(gallery: Gallery, made: int, pages: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        pictures = [_told(one, gallery.found[one.digest].name) for one in gallery.series]
        show_json({"to": gallery.folder, "made": made, "pictures": pictures, "sheets": [page.name for page in pages]})
        return
    before = len(gallery.series) - made
    kept = f" ({before} of them made before)" if before else ""
    show(f"{gallery.folder}: {len(gallery.series)} pictures{kept}, {', '.join(page.name for page in pages)}")


def _told(one: Wanted, file: str) -> dict[str, object]:
    mix = one.recipe.mix and one.recipe.mix.model_dump(mode="json")
    return {"file": file, "digest": one.digest, "mix": mix, "shot": one.recipe.shot}
