"""A family for a model of any size, made from its own parameters' names and shapes and the nearest known family."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property

from eleven.errors import FamilyMismatch
from eleven.layers.family import FAMILIES, Component, Family
from eleven.layers.table import Row
from eleven.tensors import Shape

Shapes = Mapping[str, Shape]
NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
LEVEL = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.")
ROOT = "text_model."


@dataclass(frozen=True, eq=False)
class LiveFamily:
    """The family of a model in memory, and what its own components call each of the family's layers."""

    family: Family
    own: Mapping[str, str]


def live_family(components: Mapping[str, Shapes], *, hint: str = "") -> LiveFamily:
    """The known family where every shape is its own, else one like it of the size that these parameters have.

    `hint` names a family to prefer where several are equally near. FamilyMismatch where none is near.
    """
    near = nearest(components, hint)
    names = {part.folder: canonical(part, components.get(part.folder, {})) for part in near.components}
    own = {f"{folder}.{name}": f"{folder}.{mine}" for folder, known in names.items() for name, mine in known.items()}
    made = tuple(
        replace(part, given=rows_like(part, {name: components[part.folder][mine] for name, mine in known.items()}))
        for part in near.components
        if (known := names[part.folder])
    )
    same = all(is_same(part, known) for part in made for known in near.components if known.folder == part.folder)
    return LiveFamily(near if same else replace(near, name=f"{near.name}-own", components=made), own)


def known_family(components: Mapping[str, Shapes]) -> Family | None:
    """The family whose parameters are exactly these in name and shape, the picture decoder's aside; or None."""
    return next((family for family in FAMILIES if is_of(family, components)), None)


def is_of(family: Family, components: Mapping[str, Shapes]) -> bool:
    """Whether every component, a picture decoder aside, is the family's own; text encoders may be missing."""
    parts = {part.folder: part for part in family.components if part.role != "vae"}
    given = {folder: shapes for folder, shapes in components.items() if folder != "vae"}
    if not given.keys() <= parts.keys() or not any(parts[folder].role == "denoiser" for folder in given):
        return False
    return all(has_rows(parts[folder], shapes) for folder, shapes in given.items())


def has_rows(component: Component, shapes: Shapes) -> bool:
    """Whether a model's parameters are exactly these rows."""
    if len(component.rows) != len(shapes):
        return False
    names = canonical(component, shapes)
    return {row.name: row.shape for row in component.rows} == {name: shapes[mine] for name, mine in names.items()}


def nearest(components: Mapping[str, Shapes], hint: str) -> Family:
    """The family whose parameters these are, else that whose names, numbers aside, are most like them."""
    known = known_family(components)
    if known is not None:
        return known
    ranked = sorted(FAMILIES, key=lambda family: family.name != hint)
    best = max(ranked, key=lambda family: likeness(family, components))
    if likeness(best, components) < 0.5:
        raise FamilyMismatch(
            "the model's layers are named as in no known family.", hint="Use a base of a known family."
        )
    return best


def likeness(family: Family, components: Mapping[str, Shapes]) -> float:
    """The share of names, numbers aside, that a family and a model have in common."""
    folders = {part.folder: part for part in family.components if part.role != "vae"}
    mine = {
        (folder, pattern(name)) for folder in folders for name in canonical(folders[folder], components.get(folder, {}))
    }
    others = {
        (folder, name) for folder, known in components.items() if folder not in (*folders, "vae") for name in known
    }
    theirs = {(folder, name) for folder, part in folders.items() for name in patterns(part)}
    return len(mine & theirs) / len(mine | theirs | others)


def pattern(name: str) -> str:
    """A name without its numbers."""
    return NUMBER.sub("*", name)


@cache
def patterns(component: Component) -> Mapping[str, tuple[Row, ...]]:
    """The rows of a component by name without numbers."""
    found: dict[str, list[Row]] = {}
    for row in component.rows:
        found.setdefault(pattern(row.name), []).append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def canonical(component: Component, names: Iterable[str]) -> dict[str, str]:
    """The model's names by the family's spelling of them: some versions leave `text_model.` out."""
    rooted = any(row.name.startswith(ROOT) for row in component.rows)
    return {(name if not rooted or name.startswith((ROOT, "text_projection")) else ROOT + name): name for name in names}


def is_same(made: Component, known: Component) -> bool:
    """Whether a model's component is of the known size; nothing is trained in the picture decoder."""
    mine, theirs = ({row.name: row.shape for row in part.rows} for part in (made, known))
    return known.role == "vae" or mine == theirs


def rows_like(component: Component, shapes: Shapes) -> tuple[Row, ...]:
    """The model's own rows, with block and original name as the known component has them."""
    places = Places(component, shapes)
    found = [places.row(name, shape) for name, shape in shapes.items()]
    return tuple(with_ranges(found))


@dataclass(frozen=True, eq=False)
class Places:
    """Finds the known row that is like one of the model's, and renumbers it."""

    component: Component
    shapes: Shapes

    @cached_property
    def resnets(self) -> Counter[tuple[str, int]]:
        """How many residual blocks each level of a UNet has."""
        levels = {found.groups() for name in self.shapes if (found := LEVEL.match(name))}
        return Counter((side, int(level)) for side, level, kind, _ in levels if kind == "resnets")

    @cached_property
    def last(self) -> Mapping[str, int]:
        """The number of the last block of each kind."""
        counted = sorted((number_of(name), head_of(name)) for name in self.shapes)
        return {head: number for number, head in counted}

    def row(self, name: str, shape: Shape) -> Row:
        """A row of the model."""
        alike = patterns(self.component).get(pattern(name), ())
        if not alike or self.component.role == "vae":
            return Row(name, shape, "", name, None, False)
        level = LEVEL.match(name)
        if level is None:
            return renumbered(self.like(name, alike), name, shape)
        known = same_ends(alike, name)[0]
        place, block = self.step(level, known)
        return Row(name, shape, block, f"{place}.{known.original.split('.', 3)[3]}", known.ranges, known.transposed)

    def like(self, name: str, alike: tuple[Row, ...]) -> Row:
        """The row of the same number; the last block of some transformers is unlike the others."""
        same = same_ends(alike, name)
        if number_of(name) == self.last[head_of(name)]:
            return max(same, key=lambda row: number_of(row.name))
        return next((row for row in same if row.name == name), same[0])

    def step(self, level: re.Match[str], known: Row) -> tuple[str, str]:
        """Where the original layout counts a UNet's block: one step a residual block, one more for resampling down."""
        side, number, kind, index = level.group(1), int(level.group(2)), level.group(3), int(level.group(4))
        down = side == "down"
        before = sum(self.resnets[side, other] + down for other in range(number)) + down
        resampling = kind in ("downsamplers", "upsamplers")
        step = before + (self.resnets[side, number] - (not down) if resampling else index)
        attentive = any(name.startswith(f"{side}_blocks.{number}.attentions.") for name in self.shapes)
        inner = str(1 + attentive) if kind == "upsamplers" else known.original.split(".")[2]
        return f"{'input' if down else 'output'}_blocks.{step}.{inner}", f"{'IN' if down else 'OUT'}{step:02}"


def number_of(name: str) -> int:
    """The first number of a name, or -1."""
    found = NUMBER.search(name)
    return int(found.group()) if found else -1


def head_of(name: str) -> str:
    """What stands before the first number."""
    found = NUMBER.search(name)
    return name[: found.start()] if found else name


def same_ends(alike: tuple[Row, ...], name: str) -> tuple[Row, ...]:
    """The known rows with the same numbers behind the first, or all of them."""
    numbers = NUMBER.findall(name)[1:]
    return tuple(row for row in alike if NUMBER.findall(row.name)[1:] == numbers) or alike


def renumbered(known: Row, name: str, shape: Shape) -> Row:
    """The known row with the first number of this name."""
    number, old = number_of(name), number_of(known.name)
    original, block = known.original, known.block
    if number >= 0 and number != old:
        original = re.sub(rf"(?<=\.){old}(?=\.)", str(number), original, count=1)
        block = re.sub(rf"(?<=[A-Z]){old:02}$", f"{number:02}", block)
    return Row(name, shape, block, original, known.ranges, known.transposed)


def with_ranges(rows: list[Row]) -> Iterator[Row]:
    """The rows with their ranges in a fused tensor counted in the model's own sizes."""
    starts: dict[str, int] = {}
    ends: Counter[str] = Counter()
    for row in sorted((row for row in rows if row.ranges and len(row.ranges) == 1), key=lambda row: row.ranges or ()):
        starts[row.name] = ends[row.original]
        ends[row.original] += row.shape[0]
    for row in rows:
        size, start = row.shape[0] if row.shape else 0, starts.get(row.name, 0)
        halves = ((size // 2, size), (0, size // 2))
        own = ((start, start + size),) if row.name in starts else halves
        yield row._replace(ranges=own if row.ranges else None)
