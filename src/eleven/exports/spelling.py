"""How an adapter's modules and tensors are called in the dialects that can be written."""

from __future__ import annotations

from collections.abc import Mapping

from eleven.combination import Combination
from eleven.errors import UsageError
from eleven.layers.dialect import spellings
from eleven.layers.layer import Place

LORA = ("lora_up.weight", "lora_down.weight", "alpha")
LOKR = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")
WHOLE = ("diff", "diff_b", "w_norm", "b_norm")

KOHYA = {name: name for name in (*LORA, *LOKR, *WHOLE)}
DIFFUSERS = {"lora_up.weight": "lora_B.weight", "lora_down.weight": "lora_A.weight", "lora_up.bias": "lora_B.bias"}

SUFFIXES: Mapping[str, Mapping[str, str]] = {"kohya": KOHYA, "comfyui": KOHYA, "diffusers": DIFFUSERS}
"""This project's tensor names as each dialect spells them; what is not listed the dialect has no place for."""


def suffixes_of(dialect: str) -> Mapping[str, str]:
    """The tensor names of a dialect. UsageError for one that cannot be written."""
    if dialect not in SUFFIXES:
        raise UsageError(f"adapters are not written as {dialect!r}.", hint=f"Choose from {', '.join(SUFFIXES)}.")
    return SUFFIXES[dialect]


def file_modules(combination: Combination, dialect: str) -> tuple[dict[str, tuple[Place, ...]], tuple[str, ...]]:
    """The prefixes to write with the modules each stands for, and the modules that the dialect has no name for.

    In an unknown family every module keeps the name that its file gave it.
    """
    if combination.family is None:
        return {module: (Place(module),) for module in combination.modules}, ()
    listed = spellings(combination.family, dialect)
    wanted = combination.names
    chosen = {prefix: places for prefix, places in listed.items() if any(place.module in wanted for place in places)}
    named = {place.module for places in chosen.values() for place in places}
    return chosen, tuple(module for module in combination.modules if module not in named)
