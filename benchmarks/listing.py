"""What a family's files hold: a checkpoint's keys, and the modules that adapters change; a JSON file for the peers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

Shape = tuple[int, ...]
CHANGED = ("resnets", "downsamplers", "upsamplers")
"""What a LoCon changes in the denoiser beyond the attention blocks."""


@dataclass(frozen=True)
class Module:
    """A module by kohya's name; `key`, `rows` and `transposed` tell where the checkpoint keeps its weight."""

    prefix: str
    shape: Shape
    key: str
    rows: tuple[tuple[int, int], ...] | None
    transposed: bool
    attention: bool

    @property
    def matrix(self) -> tuple[int, int]:
        """The shape of its delta."""
        return self.shape[0], prod(self.shape[1:])


@dataclass(frozen=True)
class Listing:
    """A checkpoint's keys with their shapes, in file order, and the modules that a LoCon changes."""

    keys: dict[str, Shape]
    modules: tuple[Module, ...]

    def attention(self) -> tuple[Module, ...]:
        """The modules that a LoRA changes: attention blocks of the denoiser, and the text encoders' layers."""
        return tuple(module for module in self.modules if module.attention)


def list_family(name: str, largest: int | None = None) -> Listing:
    """The family's listing by Eleven's tables, without tensors of more than `largest` numbers."""
    from eleven.layers.dialect import spell
    from eleven.layers.family import family

    found = family(name)
    assert found is not None
    layers, sources = found.layers(), found.sources()
    keys: dict[str, Shape] = {}
    for layer, source in sources.items():
        first, *rest = layers[layer].shape
        stop = max((stop for _, stop in source.ranges or ()), default=first)
        keys[source.key] = (max(stop, keys.get(source.key, (0,))[0]), *rest)
    kept = {key: shape for key, shape in keys.items() if largest is None or prod(shape) <= largest}
    modules: list[Module] = []
    for module, layer in found.modules().items():
        source = sources[f"{module}.weight"]
        if len(layer.shape) > 1 and source.key in kept and (is_attention(module) or is_changed(module)):
            prefix = spell(found, module, "kohya")
            at = (source.key, source.ranges, source.transposed, is_attention(module))
            modules.append(Module(prefix, layer.shape, *at))
    return Listing(kept, tuple(modules))


def is_attention(module: str) -> bool:
    """Whether a LoRA changes this module."""
    return "attentions" in module if module.startswith("unet.") else module.startswith("text") and ".layers." in module


def is_changed(module: str) -> bool:
    """Whether a LoCon changes it too."""
    return module.startswith("unet.") and any(f".{word}." in module for word in CHANGED)


def write_listing(listing: Listing, path: Path) -> None:
    """Keeps a listing where `read_listing` finds it."""
    path.write_text(json.dumps(asdict(listing)), "utf-8")


def read_listing(path: Path) -> Listing:
    """The listing that was kept; needs nothing of Eleven."""
    told = json.loads(path.read_text("utf-8"))
    modules = tuple(as_module(module) for module in told["modules"])
    return Listing({key: tuple(shape) for key, shape in told["keys"].items()}, modules)


def as_module(told: dict[str, object]) -> Module:
    """A module as JSON tells it."""
    rows = told["rows"]
    pairs = tuple((first, last) for first, last in rows) if isinstance(rows, list) else None
    shape = told["shape"]
    assert isinstance(shape, list)
    return Module(**(told | {"rows": pairs, "shape": tuple(shape)}))  # pyright: ignore[reportArgumentType]
