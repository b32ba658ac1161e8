"""Recognises the family and the dialects of a file from its modules' names and shapes; reads no tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eleven.layers.dialect import DIALECTS
from eleven.layers.family import FAMILIES, Component, Family
from eleven.layers.layer import Place
from eleven.layers.positions import positions
from eleven.layers.spelling import Matrix, heads, lookup

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

    def behind(self, prefix: str) -> list[tuple[str, str]]:
        """(rest, whole name) of the modules that start so."""
        if prefix not in self.known:
            cut = len(prefix)
            self.known[prefix] = [(name[cut:], name) for name in self.modules if name.startswith(prefix)]
        return self.known[prefix]


def recognise(modules: Mapping[str, Matrix], *, prefer: Family | None = None) -> Recognition:
    """The family that names and shapes fit best; unknown unless more than half of the modules fit it.

    A shape is (out, in·kh·kw), None where the file does not tell. `prefer` decides where families fit equally well.
    """
    families = sorted(FAMILIES, key=lambda family: family is not prefer)
    found = [(family, placed) for family in families if (placed := positions(family, modules))]
    if not found:
        prefixes = Prefixes(modules)
        found = [(family, placed) for family in families if (placed := fitting(family, modules, prefixes))]
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


def fitting(family: Family, modules: Mapping[str, Matrix], prefixes: Prefixes) -> Hits:
    """For each module that the family has under that name with that shape: who spells it so, and its places."""
    hits: Hits = {}
    for component in family.components:
        for dialect in DIALECTS:
            prefix = dialect.prefix_of(component)
            rests = prefixes.behind(prefix) if prefix is not None else []
            if not may_hold(component, rests, rootless=dialect.spelling == "rootless"):
                continue
            known = lookup(component, dialect.spelling, flat=dialect.flat)
            for rest, name in rests:
                at = known.get(rest)
                if at and fits(modules[name], at.matrix):
                    hits.setdefault(name, []).append((dialect.name, at.places))
    return hits


def may_hold(component: Component, rests: Iterable[tuple[str, str]], *, rootless: bool) -> bool:
    """Whether any name begins as one of the component's does, which spares writing out the tables of other families."""
    starts = ("encoder", "embeddings", "final_layer_norm") if rootless else heads(component.table)
    return any(rest.startswith(starts) for rest, _ in rests)


def fits(given: Matrix, known: Matrix) -> bool:
    """Whether two shapes agree as far as both are known."""
    return all(size in (None, other) or other is None for size, other in zip(given, known, strict=True))


def unknown(modules: Mapping[str, Matrix], found: Iterable[tuple[Family, Hits]]) -> Recognition:
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
