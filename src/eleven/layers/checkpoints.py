"""Recognises a checkpoint from its keys and shapes, and finds where it keeps each layer; reads no tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from math import prod

from eleven.layers.family import FAMILIES, Component, Family, Layout, Source
from eleven.layers.layer import Layer
from eleven.layers.suffixes import group, split
from eleven.tensors import Shape

COPIES = ("model_ema.",)
"""Prefixes of second copies of the denoiser, kept for training."""

BOOKKEEPING = (
    "position_ids",
    "logit_scale",
    "denoiser.sigmas",
    "pos_embed",
    "norm_final.weight",
    "embed_tokens.weight",
    "text_projection",
    "text_projection.weight",
    *("betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod"),
    *("log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod"),
    *("posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2"),
)
"""Ends of keys that no layer needs: noise schedules, constants, tensors that the model never uses."""

ENOUGH = 0.5
"""The share of a component's layers that must be there with the right shapes."""

Found = Mapping[str, Mapping[str, Source]]


@dataclass(frozen=True)
class Checkpoint:
    """A whole model's file: where it keeps each layer, and what else it holds.

    `ignored` are copies and bookkeeping, `rest` other keys of no known layer; `also` are families that fit as well.
    A model of an unknown family (None) keeps its own names for its layers.
    """

    family: Family | None
    evidence: str
    sources: Mapping[str, Source]
    ignored: tuple[str, ...]
    rest: tuple[str, ...] = ()
    also: tuple[Family, ...] = ()


def recognise_checkpoint(entries: Mapping[str, Shape], families: Sequence[Family] = FAMILIES) -> Checkpoint | None:
    """The family and components whose names and shapes fit most of the keys; None where the file is no model.

    Keys may be in the original layout or in diffusers', of a whole model or of some components only. Where no component
    of any family is half there, weights that hold nothing of an adapter are a model of an unknown family.
    """
    keys = {key: shape for key, shape in entries.items() if not key.startswith(COPIES)}
    starts = stems(keys)
    found = [(family, matched(family, keys, starts)) for family in families]
    most = max(len(covered(parts)) for _, parts in found)
    if not most:
        return unknown(keys)
    (family, parts), *others = ((family, parts) for family, parts in found if len(covered(parts)) == most)
    sources = {name: source for part in parts.values() for name, source in part.items()}
    used = covered(parts)
    left = [key for key in entries if key not in used]
    return Checkpoint(
        family,
        f"{len(sources)} layers named and shaped as in {family.title} ({', '.join(parts)})",
        sources,
        tuple(key for key in left if is_needless(key)),
        tuple(key for key in left if not is_needless(key)),
        tuple(other for other, _ in others),
    )


def unknown(keys: Mapping[str, Shape]) -> Checkpoint | None:
    """A model that names its own layers, or None where any key belongs to an adapter or none is a module's weight."""
    if any(split(key) for key in keys) or group(keys).modules or not any(key.endswith(".weight") for key in keys):
        return None
    sources = {key: Source(key) for key in keys}
    return Checkpoint(None, f"{len(keys)} tensors named and shaped as in no known family", sources, ())


def is_needless(key: str) -> bool:
    """Whether a key is a copy or bookkeeping."""
    return key.startswith(COPIES) or key.endswith(BOOKKEEPING)


def covered(parts: Found) -> set[str]:
    """The keys that hold a layer."""
    return {source.key for part in parts.values() for source in part.values()}


def stems(keys: Iterable[str]) -> set[str]:
    """Every beginning of a key that ends before one of its first dots."""
    words = (key.split(".")[:6] for key in keys)
    return {".".join(several[:count]) for several in words for count in range(1, len(several) + 1)}


def matched(family: Family, keys: Mapping[str, Shape], starts: Set[str]) -> Found:
    """The components that are there, each with its layers' places."""
    best = {part.folder: (part, best_of(part, keys, starts)) for part in family.components}
    return {folder: there for folder, (part, there) in best.items() if there and len(there) >= ENOUGH * len(part.rows)}


def best_of(component: Component, keys: Mapping[str, Shape], starts: Set[str]) -> Mapping[str, Source]:
    """The layers under the prefix and layout that find most of them."""
    found = (there(component, keys, *at) for at in component.checkpoints if begins(component, starts, *at))
    return max(found, key=len, default={})


def begins(component: Component, starts: Set[str], prefix: str, layout: Layout) -> bool:
    """Whether any key begins as one of the component's would, which spares writing out the tables of other families."""
    words = ("encoder", "embeddings") if layout == "rootless" else component.heads()
    return any(prefix + word in starts for word in words)


def there(component: Component, keys: Mapping[str, Shape], prefix: str, layout: Layout) -> Mapping[str, Source]:
    """The layers that this prefix and layout find with the right shape."""
    layers = component.layers()
    wanted = component.keys(prefix, layout)
    ends: dict[str, int] = {}
    for name, source in wanted.items():
        last = max((stop for _, stop in source.ranges or ()), default=(layers[name].shape or (0,))[0])
        ends[source.key] = max(ends.get(source.key, 0), last)
    return {
        name: source
        for name, source in wanted.items()
        if source.key in keys and agrees(component, layers[name], keys[source.key], rows=ends[source.key])
    }


def agrees(component: Component, layer: Layer, given: Shape, *, rows: int) -> bool:
    """Whether a key's tensor can hold the layer: right rows, and right columns unless variants differ in them.

    What is stored transposed is square in every family.
    """
    if not layer.shape:
        return True
    module = layer.name.removeprefix(f"{component.folder}.").rpartition(".")[0]
    same = module in component.inputs or prod(given[1:]) == prod(layer.shape[1:])
    return given[:1] == (rows,) and same
