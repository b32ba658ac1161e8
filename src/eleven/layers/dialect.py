"""Dialects: how the programs spell a module's name; a table that is only read forward, from module to spelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from eleven.errors import UsageError
from eleven.layers.family import Component, Family, Role
from eleven.layers.layer import Place
from eleven.layers.spelling import Spelled, Spelling, lookup

BOTH: tuple[Role, ...] = ("denoiser", "text")
DENOISER: tuple[Role, ...] = ("denoiser",)
TEXT: tuple[Role, ...] = ("text",)


@dataclass(frozen=True)
class Dialect:
    """A prefix, with fields of `Component` in braces, before a layout's names.

    `flat` writes underscores for dots; `roles` are the components it can name. A program with two layouts has two rows.
    """

    name: str
    prefix: str
    spelling: Spelling
    flat: bool = False
    roles: tuple[Role, ...] = BOTH

    def prefix_of(self, component: Component) -> str | None:
        """The prefix for this component, or None where the dialect cannot name it."""
        if component.role not in self.roles:
            return None
        calls = {"folder": component.folder, "kohya": component.kohya}
        return self.prefix.format(onetrainer=component.onetrainer, comfyui=component.comfyui, **calls)


DIALECTS: tuple[Dialect, ...] = (
    Dialect("kohya", "lora_{kohya}_", "diffusers", flat=True),
    Dialect("kohya", "lora_{kohya}_", "original", flat=True, roles=DENOISER),
    Dialect("kohya oft", "oft_{kohya}_", "diffusers", flat=True),
    Dialect("kohya oft", "oft_{kohya}_", "original", flat=True, roles=DENOISER),
    Dialect("kohya, two underscores", "lora_{kohya}__", "original", flat=True, roles=DENOISER),
    Dialect("kohya, two underscores", "lora_{kohya}__", "diffusers", flat=True, roles=DENOISER),
    Dialect("kohya, folder twice", "lora_{folder}_{folder}_", "diffusers", flat=True),
    Dialect("lycoris", "lycoris_", "diffusers", flat=True, roles=DENOISER),
    Dialect("onetrainer", "lora_{onetrainer}_", "diffusers", flat=True),
    Dialect("onetrainer, original names", "{folder}.", "split", roles=DENOISER),
    Dialect("diffusers", "{folder}.", "diffusers"),
    Dialect("diffusers", "{folder}.", "rootless", roles=TEXT),
    Dialect("diffusers processors", "{folder}.", "processors"),
    Dialect("diffusers processors, bare", "", "processors"),
    Dialect("peft", "base_model.model.", "diffusers"),
    Dialect("peft", "base_model.model.", "original", roles=DENOISER),
    Dialect("peft", "base_model.model.", "rootless", roles=TEXT),
    Dialect("peft, in folders", "{folder}.base_model.model.", "diffusers"),
    Dialect("peft, in folders", "{folder}.base_model.model.", "rootless", roles=TEXT),
    Dialect("comfyui", "{comfyui}.", "original"),
    Dialect("comfyui", "{comfyui}.", "diffusers", roles=DENOISER),
    Dialect("bare", "", "diffusers"),
    Dialect("bare", "", "original", roles=DENOISER),
    Dialect("xlabs", "", "xlabs", roles=DENOISER),
)


def rows_of(family: Family, dialect: str) -> list[Dialect]:
    """The rows of a dialect by its name, the one that its program writes for the family first, or UsageError."""
    found = [row for row in DIALECTS if row.name == dialect]
    if not found:
        known = ", ".join(dict.fromkeys(row.name for row in DIALECTS))
        raise UsageError(f"no dialect is called {dialect!r}.", hint=f"Known are {known}.")
    if not dialect.startswith("kohya"):
        return found
    return sorted(found, key=lambda row: row.spelling != family.kohya)


def written(family: Family, row: Dialect) -> Iterator[tuple[str, Spelled]]:
    """Every prefix that one row of the table can write for the family."""
    for component in family.components:
        prefix = row.prefix_of(component)
        if prefix is not None:
            for name, at in lookup(component, row.spelling, flat=row.flat).items():
                yield prefix + name, at


@cache
def spellings(family: Family, dialect: str) -> Mapping[str, tuple[Place, ...]]:
    """Each prefix that a program writes for the family, with the modules it stands for; every module at most once."""
    out: dict[str, tuple[Place, ...]] = {}
    named: set[str] = set()
    for row in rows_of(family, dialect):
        for prefix, at in written(family, row):
            if prefix not in out and at.places[0].module not in named:
                out[prefix] = at.places
                named.update(place.module for place in at.places)
    return out


@cache
def spelled_forward(family: Family, dialect: str) -> Mapping[str, str]:
    """Each module's prefix."""
    listed = spellings(family, dialect).items()
    return {place.module: prefix for prefix, places in listed for place in places}


def spell(family: Family, module: str, dialect: str) -> str:
    """The prefix under which a dialect's file keeps a module; parts of a fused one share it.

    `spellings` has their rows. UsageError where the dialect has no name for the module.
    """
    prefix = spelled_forward(family, dialect).get(module)
    if prefix is None:
        raise UsageError(f"{dialect} has no name for {module} of {family.title}.", hint="Choose another dialect.")
    return prefix
