"""An inspection as text for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from eleven.files.sidecars import Trigger
from eleven.reports.catalogue import Unreadable
from eleven.reports.inspection import Inspection

COLUMNS = ("name", "technique", "family", "rank", "size", "warnings")
LABEL = 12
MOST = 20
"""Unread keys that are listed; JSON has them all."""

NAMES = {
    "modelspec.title": "title",
    "ss_output_name": "name",
    "modelspec.architecture": "made for",
    "ss_base_model_version": "made for",
    "ss_sd_model_name": "trained on",
    "ss_network_module": "trained by",
    "ss_network_args": "options",
    "ss_resolution": "resolution",
    "modelspec.resolution": "resolution",
    "modelspec.author": "author",
    "modelspec.license": "licence",
    "modelspec.merged_from": "merged from",
    "modelspec.usage_hint": "usage",
    "eleven.recipe": "recipe",
}
"""What people call the fields of the metadata that are shown; `--json` has more."""


def lines(told: Inspection, *, width: int = 80) -> Iterator[str]:
    """The report, line by line, each no wider than `width` where its words allow it."""
    yield str(told.path)
    for label, text in rows(told):
        if text:
            yield from wrapped(f"  {label:<{LABEL}}", text, width)
    for fault in told.warnings:
        yield from wrapped("  ! ", f"{fault.text}.", width)
    if told.unread_keys:
        yield f"  not understood ({len(told.unread_keys)}):"
        yield from (f"    {key[:200]}" for key in told.unread_keys[:MOST])
        if len(told.unread_keys) > MOST:
            yield f"    and {len(told.unread_keys) - MOST} more (all with --json)"


def row(folder: Path, told: Inspection | Unreadable) -> tuple[str, ...]:
    """A file's row in the table of its folder, one cell for each of `COLUMNS`."""
    name = str(told.path.relative_to(folder))
    if isinstance(told, Unreadable):
        return name, "unreadable", "", "", "", ""
    warnings = len(told.warnings) + bool(told.unread_keys)
    family = told.family or "unknown"
    return name, listed(told.techniques), family, times(told.ranks), size(told.size), str(warnings or "")


def rows(told: Inspection) -> Iterator[tuple[str, str]]:
    """Everything but the warnings, as labels and texts."""
    yield "technique", listed(told.techniques)
    also = f" (fits as well: {', '.join(told.also)})" if told.also else ""
    yield "family", f"{told.family_title}{also}: {told.evidence}"
    yield "dialect", listed(told.dialects) if len(told.dialects) > 1 else told.dialect or ""
    yield "layers", changed(told)
    yield "rank", times(told.ranks)
    yield "alpha", times(told.alphas)
    yield "scale", times(told.scales)
    yield "words", "; ".join(f"{word.token}: {vectors(word.vectors, word.widths)}" for word in told.words)
    yield "trigger", triggers(told.trigger_words)
    for field, name in NAMES.items():
        yield name, told.metadata.get(field, "")[:300]
    yield "file", f"{size(told.size)}, {told.container}, {listed(told.dtypes)}"
    yield "norm", norms(told)
    for name, digest in (told.hashes or {}).items():
        yield name, digest


def listed(counts: Mapping[str, int]) -> str:
    """`lora 192, full 3`."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def times(counts: Mapping[float, int] | Mapping[int, int]) -> str:
    """One number, or each with how many layers have it."""
    if len(counts) == 1:
        return f"{next(iter(counts)):g}"
    shown = [f"{number:g} ({count} layers)" for number, count in list(counts.items())[:8]]
    return ", ".join(shown) + (" …" if len(counts) > 8 else "")


def changed(told: Inspection) -> str:
    """How many layers of which components, and whether any is a text encoder's."""
    if not told.components:
        return str(told.layers) if told.layers else ""
    trained = any(name.startswith("text_encoder") for name in told.components)
    return f"{told.layers}: {listed(told.components)}" + ("" if trained else "; no text encoder")


def vectors(counts: Mapping[str, int], widths: Mapping[str, int]) -> str:
    """`text_encoder 8 × 768`."""
    return ", ".join(f"{encoder} {count} × {widths[encoder]}" for encoder, count in counts.items())


def triggers(found: Iterable[Trigger]) -> str:
    """The words by their source."""
    sources: dict[str, list[str]] = {}
    for one in found:
        sources.setdefault(one.source, []).append(one.text)
    return "; ".join(f"{', '.join(texts)} ({source})" for source, texts in sources.items())


def norms(told: Inspection) -> str:
    """The whole's and each block's norm, and what is missing from them."""
    if told.norms is None:
        return ""
    missing = f"; {told.norms.needs_base} layers need --base" if told.norms.needs_base else ""
    missing += f"; {len(told.norms.failed)} layers cannot be decoded" if told.norms.failed else ""
    blocks = ", ".join(f"{block}={norm:.3g}" for block, norm in told.norms.blocks.items())
    return f"{told.norms.total:.4g}{missing}" + (f": {blocks}" if blocks else "")


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count = count / 1000  # pyright: ignore[reportAssignmentType]
    return f"{count:.3g} GB"


def wrapped(start: str, text: str, width: int) -> list[str]:
    """The text behind its label, broken at spaces; what has none, as a digest, stays whole."""
    flat = " ".join(text.split())
    indent = " " * len(start)
    return textwrap.wrap(flat, width, initial_indent=start, subsequent_indent=indent, break_long_words=False)
