"""Recognises the family and the dialects of a file from its modules' names and shapes; reads no tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from eleven.layers.dialect import DIALECTS, Dialect
from eleven.layers.family import FAMILIES, Component, Family
from eleven.layers.layer import Place
from eleven.layers.positions import positions
from eleven.layers.spelling import Given, lookup

ROOTLESS = ("encoder", "embeddings", "final_layer_norm")
"""How the names of a text encoder begin without `text_model.` before them."""

Places = tuple[Place, ...]
Hits = dict[str, list[tuple[str, Places]]]


@dataclass(frozen=True)
class Recognition:
    """What a file is made for: `places` of every module that was recognised, by its prefix in the file.

    `also` are families that fit as well. In an unknown family (None) every prefix is a place of itself.
    """

    family: Family | None
    evidence: str
    dialects: Counter[str]
    places: Mapping[str, Places]
    unplaced: tuple[str, ...]
    also: tuple[Family, ...] = ()


class Prefixes:
    """A file's modules, sorted by what stands behind a prefix; each question is answered once."""

    def __init__(self, modules: Iterable[str]) -> None:
        self.modules = tuple(modules)
        self.known: dict[str, list[tuple[str, str]]] = {}
        self.begun: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}

    def beginning(self, prefix: str, starts: tuple[str, ...]) -> list[tuple[str, str]]:
        """Those of them whose rest begins with one of these words."""
        if (prefix, starts) not in self.begun:
            self.begun[prefix, starts] = [hit for hit in self.behind(prefix) if hit[0].startswith(starts)]
        return self.begun[prefix, starts]

    def behind(self, prefix: str) -> list[tuple[str, str]]:
        """(rest, whole name) of the modules that start so."""
        if prefix not in self.known:
            cut = len(prefix)
            self.known[prefix] = [(name[cut:], name) for name in self.modules if name.startswith(prefix)]
        return self.known[prefix]


def recognise(
    modules: Mapping[str, Given], *, prefer: Family | None = None, families: Sequence[Family] = FAMILIES
) -> Recognition:
    """The family that names and shapes fit best; unknown unless more than half of the modules fit it.

    `prefer` decides where families fit equally well.
    """
    families = sorted(families, key=lambda family: family is not prefer)
    found = [(family, placed) for family in families if (placed := positions(family, modules))]
    if not found:
        found = best_fitting(families, modules)
    most = max((len(placed) for _, placed in found), default=0)
    if 2 * most <= len(modules):
        return unknown(modules, found)
    (family, placed), *others = ((family, placed) for family, placed in found if len(placed) == most)
    also = tuple(other for other, _ in others)
    totals = Counter(name for hits in placed.values() for name in {name for name, _ in hits})
    chosen = {prefix: max(hits, key=lambda hit: totals[hit[0]]) for prefix, hits in placed.items()}
    return Recognition(
        family,
        evidence(family, {prefix: places for prefix, (_, places) in chosen.items()}, also, len(modules)),
        Counter(name for name, _ in chosen.values()),
        {prefix: chosen[prefix][1] for prefix in modules if prefix in chosen},
        tuple(prefix for prefix in modules if prefix not in chosen),
        also,
    )


def best_fitting(families: Iterable[Family], modules: Mapping[str, Given]) -> list[tuple[Family, Hits]]:
    """The families that fit any module, without those whose names cannot fit as many as the best does."""
    prefixes = Prefixes(modules)
    likely = {family: {hit[1] for *_, hits in named(family, prefixes) for hit in hits} for family in families}
    placed: dict[Family, Hits] = {}
    for family in sorted(likely, key=lambda family: -len(likely[family])):
        if len(likely[family]) >= max((len(hits) for hits in placed.values()), default=1):
            placed[family] = fitting(family, modules, prefixes)
    return [(family, placed[family]) for family in likely if placed.get(family)]


def fitting(family: Family, modules: Mapping[str, Given], prefixes: Prefixes) -> Hits:
    """For each module that the family has under that name with that shape: who spells it so, and its places."""
    hits: Hits = {}
    for component, dialect, rests in named(family, prefixes):
        known = lookup(component, dialect.spelling, flat=dialect.flat)
        for rest, name in rests:
            at = known.get(rest)
            if at and at.fits(modules[name]):
                hits.setdefault(name, []).append((dialect.name, at.places))
    return hits


def named(family: Family, prefixes: Prefixes) -> Iterator[tuple[Component, Dialect, list[tuple[str, str]]]]:
    """What may be each component's in each dialect by the first word alone, which spares writing out most tables."""
    for component in family.components:
        for dialect in DIALECTS:
            prefix = dialect.prefix_of(component)
            starts = ROOTLESS if dialect.spelling == "rootless" else component.heads()
            rests = prefixes.beginning(prefix, starts) if prefix is not None else []
            if rests:
                yield component, dialect, rests


def unknown(modules: Mapping[str, Given], found: Iterable[tuple[Family, Hits]]) -> Recognition:
    """A file of no known family, whose own names stand for its layers."""
    family, placed = max(found, key=lambda item: len(item[1]), default=(None, {}))
    near = f"{len(placed)} fit {family.title}" if family else "none is named as in a known family"
    reason = f"of {len(modules)} modules, {near}"
    return Recognition(None, reason, Counter(), {prefix: (Place(prefix),) for prefix in modules}, ())


def evidence(family: Family, chosen: Mapping[str, Places], also: tuple[Family, ...], count: int) -> str:
    """One sentence on why this family."""
    told = f"{len(chosen)} of {count} modules named and shaped as in {family.title}"
    crossed = (place.module for places in chosen.values() for place in places if place.module.endswith("attn2.to_k"))
    width = next((family.components[0].layers()[f"{module}.weight"].shape[1] for module in crossed), None)
    told += f"; cross-attention width {width}" if width else ""
    return told + (f"; as well as in {', '.join(other.title for other in also)}" if also else "")
