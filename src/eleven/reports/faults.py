"""What is wrong with a file, or read otherwise by other programs: a table of small checks on its facts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from eleven.errors import TensorError
from eleven.files.strict_json import shorten
from eleven.reports.claims import about_architecture, about_module, about_rank
from eleven.reports.facts import SCALED, Facts, Module
from eleven.techniques import dora

DOUBLED = re.compile(r"(lora_(?:unet|te\d?|transformer)_|unet\.|transformer\.|diffusion_model\.|base_model\.model\.)\1")
TWICE = "kohya, folder twice"
UNSCALED = frozenset({"cloneofsimo", "cloneofsimo list", "xlabs", "diffusers processors", "diffusers processors, bare"})
"""Dialects that never had an alpha."""

NUMBERS = frozenset({"alpha", "scale", "on_input", "oft_R.scaled_oft"})
"""Tensors of one number, whose type matters to nobody."""

SILENT = {
    "lora": ("lora_up.weight", "lora_down.weight", "lora_mid.weight"),
    "loha": ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"),
    "lokr": ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
    "ia3": ("weight",),
    "oft": ("oft_blocks",),
    "boft": ("oft_blocks",),
    "oft-input": ("oft_R.weight",),
    "sparse": ("bias_values",),
}
"""The factors of each technique: a layer whose every technique has one of zeros does nothing."""


@dataclass(frozen=True)
class Fault:
    """One sentence, and which check found it (`kind`, stable)."""

    kind: str
    text: str


def find_faults(facts: Facts) -> tuple[Fault, ...]:
    """Every warning, in the order of the table."""
    return tuple(Fault(kind, text) for kind, check in CHECKS for text in check(facts))


def not_finite(facts: Facts) -> Iterator[str]:
    """NaN or infinity anywhere."""
    bad = [key for key, values in facts.values.items() if values.finite is False]
    if bad:
        yield f"{counted(len(bad), 'tensor holds', 'tensors hold')} NaN or infinity: {named(bad)}"


def without_effect(facts: Facts) -> Iterator[str]:
    """Layers that change nothing, as an untrained LoRA's."""
    if facts.values:
        idle = [module for module in facts.modules if _is_silent(module, facts)]
        if idle:
            first = named(_prefixes(idle))
            yield f"{len(idle)} of {len(facts.modules)} layers do nothing, as a factor (up …) is all zeros: {first}"


def damaged(facts: Facts) -> Iterator[str]:
    """Layers whose tensors contradict each other, which cannot be mixed."""
    faults = facts.tune.faults
    if faults:
        prefix, reason = next(iter(faults.items()))
        count = counted(len(faults), "layer is", "layers are")
        yield f"{count} damaged and cannot be mixed; {shorten(prefix)}: {reason.rstrip('.')}"


def alpha_missing(facts: Facts) -> Iterator[str]:
    """No alpha where the program that wrote the file has one."""
    scaled = [module for module in facts.modules if SCALED & set(module.techniques)]
    lacking = [one for one in scaled if one.alpha is None and "scale" not in one.keys and one.scale == 1.0]
    if not lacking or UNSCALED & facts.dialects.keys():
        return
    if len(lacking) < len(scaled):
        yield f"{len(lacking)} of {len(scaled)} layers have no alpha, so their scale is 1: {named(_prefixes(lacking))}"
    elif any(dialect.startswith(("peft", "diffusers")) for dialect in facts.dialects):
        yield "no alpha is stored; if adapter_config.json told one other than the rank, put it beside the file"
    else:
        yield "no alpha is stored, so every program takes a scale of 1"


def doubled_prefix(facts: Facts) -> Iterator[str]:
    """`lora_unet_lora_unet_…`, which few programs read."""
    keys = [key for key in facts.tune.container.entries if DOUBLED.match(key)]
    if keys or TWICE in facts.dialects:
        first = keys or [module.prefix for module in facts.modules]
        yield f"the prefix is written twice, which few programs understand: {named(first)}"


def dora_axis(facts: Facts) -> Iterator[str]:
    """A DoRA that other programs normalise over another axis."""
    sides: Counter[str] = Counter(side for module in facts.modules if (side := _side(module)))
    if sides["output"]:
        yield (
            f"{counted(sides['output'], 'DoRA layer', 'DoRA layers')} with lengths of outputs: A1111 and InvokeAI "
            "normalise over inputs instead, ComfyUI and Forge divide by the base's length; all give another picture"
        )
    if sides["input"]:
        yield (
            f"{counted(sides['input'], 'DoRA layer', 'DoRA layers')} with lengths of inputs: "
            "PEFT and diffusers know only those of outputs"
        )
    if sides["neither"]:
        yield f"the dora_scale of {counted(sides['neither'], 'layer', 'layers')} fits neither side of the weight"


def split_qkv(facts: Facts) -> Iterator[str]:
    """FLUX files of sd-scripts' `split_qkv`, whose fused layers take effect at a third or a quarter."""
    ranks = Counter(module.rank for module in facts.modules if len(module.places) == 1 and module.rank)
    usual = ranks.most_common(1)[0][0] if ranks else None
    family = facts.tune.family
    if family is None or family.name != "flux" or usual is None:
        return
    hits = [one for one in facts.modules if len(one.places) > 1 and one.rank == usual * len(one.places)]
    hits = [one for one in hits if one.alpha is not None and one.alpha <= usual]
    if hits:
        yield (
            f"{len(hits)} fused layers have 3 or 4 times rank {usual} at its alpha (split_qkv): "
            "every program, and Eleven, applies them at a third or a quarter of the trained strength"
        )


def lokr_alpha(facts: Facts) -> Iterator[str]:
    """Whole LoKr factors beside an alpha that some programs apply."""
    whole = [one for one in facts.modules if "lokr" in one.techniques and one.rank is None and one.alpha is not None]
    told = facts.metadata.get("ss_network_dim", "")
    if whole and told.isdecimal() and any(one.alpha != int(told[:12]) for one in whole):
        alphas = ", ".join(sorted({f"{one.alpha:g}" for one in whole}))
        yield (
            f"{len(whole)} LoKr layers of two whole factors with alpha {alphas} at dim {told[:12]}: "
            "LyCORIS, ComfyUI and Eleven ignore that alpha, PEFT applies it"
        )


def glora_alpha(facts: Facts) -> Iterator[str]:
    """GLoRA's alpha, which A1111 ignores."""
    hits = [one for one in facts.modules if "glora" in one.techniques and one.scale not in (None, 1.0)]
    if hits:
        yield f"{len(hits)} GLoRA layers have an alpha other than the rank, which A1111 ignores"


def squared_rotation(facts: Facts) -> Iterator[str]:
    """OFT and BOFT, whose strength ComfyUI squares."""
    hits = [one for one in facts.modules if {"oft", "boft"} & set(one.techniques)]
    if hits:
        rescaled = any("rescale" in one.keys for one in hits)
        extra = " and leaves out rescale" if rescaled else ""
        yield f"ComfyUI applies OFT and BOFT at the square of the strength{extra}; Eleven does not"


def mixed_types(facts: Facts) -> Iterator[str]:
    """Weights of several number types."""
    keys = [key for one in facts.modules for suffix, key in one.keys.items() if suffix not in NUMBERS]
    kinds = Counter(facts.tune.container.entries[key].dtype for key in keys)
    kinds = Counter({kind: count for kind, count in kinds.items() if "F" in kind})
    if len(kinds) > 1:
        yield f"tensors of several types: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}"


def sidecars(facts: Facts) -> Iterator[str]:
    """Files beside the model, or metadata, that could not be read."""
    yield from facts.triggers.warnings


CHECKS: Sequence[tuple[str, Callable[[Facts], Iterable[str]]]] = (
    ("not-finite", not_finite),
    ("damaged", damaged),
    ("without-effect", without_effect),
    ("alpha-missing", alpha_missing),
    ("doubled-prefix", doubled_prefix),
    ("metadata-family", about_architecture),
    ("metadata-technique", about_module),
    ("metadata-rank", about_rank),
    ("dora-axis", dora_axis),
    ("split-qkv", split_qkv),
    ("lokr-alpha", lokr_alpha),
    ("glora-alpha", glora_alpha),
    ("squared-rotation", squared_rotation),
    ("mixed-types", mixed_types),
    ("sidecar", sidecars),
)
"""Every check by the kind of its warnings."""


def counted(count: int, one: str, several: str) -> str:
    """The number and the noun."""
    return f"{count} {one if count == 1 else several}"


def named(keys: Sequence[str]) -> str:
    """The first key, and how many follow."""
    return shorten(keys[0]) + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")


def _prefixes(modules: Iterable[Module]) -> list[str]:
    return [module.prefix for module in modules]


def _is_silent(module: Module, facts: Facts) -> bool:
    """Whether every technique of the module has a factor of zeros; a bias or DoRA beside it has an effect."""
    parts = [SILENT.get(name, ()) for name in module.techniques]
    if dora.SCALE in module.keys or "lora_up.bias" in module.keys or not all(parts):
        return "full" in module.techniques and all(facts.values[key].zero for key in module.keys.values())
    return all(any(facts.values[module.keys[name]].zero for name in part if name in module.keys) for part in parts)


def _side(module: Module) -> str | None:
    if dora.SCALE not in module.keys:
        return None
    try:
        return dora.axis(module.shapes[dora.SCALE], module.shape, peft=module.peft)
    except TensorError:
        return "neither"
