"""The dialect of cloneofsimo/lora: modules by number only, in the order in which diffusers built them in 2023."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from eleven.layers.family import Component, Family
from eleven.layers.layer import Place
from eleven.layers.spelling import Given, Spelled, lookup

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
ORDERS: tuple[tuple[str, ...], ...] = (
    ("attn1", "ff", "attn2"),
    ("attn1", "attn2", "ff"),
    ("attn1", "attn2"),
)
"""A transformer block's parts: older diffusers, newer diffusers, and files from before the feed-forward was trained."""

INSIDE: Mapping[str, tuple[str, ...]] = {"ff": ("net.0.proj",), "attn1": ATTENTION, "attn2": ATTENTION}
TEXT = ("k_proj", "v_proj", "q_proj", "out_proj")
SIDES = ("down_blocks", "up_blocks", "mid_block")
TRAINED = {"sd1": 12, "sd2": 23}
"""The families that were trained so, and how many layers of the text encoder diffusers builds for them."""


def positions(family: Family, modules: Mapping[str, Given]) -> dict[str, list[tuple[str, tuple[Place, ...]]]]:
    """Each numbered module's place, where the numbers and all shapes fit the family; nothing where any does not."""
    for dialect, prefixes in (("cloneofsimo", ("unet:", "text_encoder:")), ("cloneofsimo list", ("", ""))):
        if modules and all(name.startswith(prefixes) and name.rpartition(":")[2].isdecimal() for name in modules):
            return {name: [(dialect, at.places)] for name, at in matched(family, modules, prefixes).items()}
    return {}


def matched(family: Family, modules: Mapping[str, Given], prefixes: tuple[str, str]) -> dict[str, Spelled]:
    """All modules by number, or nothing."""
    out: dict[str, Spelled] = {}
    if family.name not in TRAINED:
        return out
    for component, prefix in zip(family.components, prefixes, strict=False):
        given = {name: shape for name, shape in modules.items() if name.startswith(prefix)}
        fitting = (order for order in sequences(component, TRAINED[family.name]) if same_shapes(order, given, prefix))
        out |= {f"{prefix}{number}": at for number, at in enumerate(next(fitting, ()))}
    return out if out.keys() == modules.keys() else {}


def same_shapes(order: tuple[Spelled, ...], given: Mapping[str, Given], prefix: str) -> bool:
    """Whether there is one module for each number, of the right shape."""
    numbered = {f"{prefix}{number}": at.matrix for number, at in enumerate(order)}
    return numbered == dict(given)


@cache
def sequences(component: Component, layers: int) -> tuple[tuple[Spelled, ...], ...]:
    """The modules in every order that was used, of a UNet or of a text encoder with so many layers."""
    known = lookup(component, "diffusers", flat=False)
    if component.role == "text":
        attentions = (f"text_model.encoder.layers.{layer}.self_attn." for layer in range(layers))
        return (tuple(known[attention + part] for attention in attentions for part in TEXT),)
    blocks = [name.removesuffix("attn1.to_q") for name in known if name.endswith("attn1.to_q")]
    blocks.sort(key=built)
    return tuple(tuple(known[name] for block in blocks for name in inside(block, order)) for order in ORDERS)


def built(name: str) -> tuple[int, tuple[int, ...]]:
    """When diffusers built a block: on the way down, on the way up, the middle last."""
    return SIDES.index(name.partition(".")[0]), tuple(map(int, re.findall(r"\d+", name.partition(".")[2])))


def inside(block: str, order: tuple[str, ...]) -> Iterator[str]:
    """The names of one block's modules in this order."""
    return (f"{block}{part}.{name}" for part in order for name in INSIDE[part])
