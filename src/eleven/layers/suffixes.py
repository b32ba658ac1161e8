"""Splits a tensor's key into the module's prefix and the tensor's name in this project's spelling, by a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

UP, DOWN, MAGNITUDE = "lora_up.weight", "lora_down.weight", "dora_scale"

CANONICAL = frozenset(
    {
        "lora_up.weight", "lora_down.weight", "lora_mid.weight", "lora_up.bias", "alpha", "scale", "dora_scale",
        "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2",
        "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t1", "lokr_t2",
        "weight", "on_input", "ia3_l", "a1.weight", "a2.weight", "b1.weight", "b2.weight", "bm.weight",
        "oft_blocks", "oft_diag", "rescale", "oft_R.weight", "oft_R.scaled_oft",
        "diff", "diff_b", "w_norm", "b_norm", "set_weight", "reshape_weight",
        "bias_indices", "bias_values", "bias_size", "p_layer.weight", "q_layer.weight", "lambda_layer",
        "oft_kohya", "dora_peft", "oft_R.exact", "oft_R.old", "oft_R.coft", "oft_R.terms",
    }
)  # fmt: skip
"""This project's names of tensors; the last line are its own notes beside foreign ones."""

SPELLED: Mapping[str, str] = {
    **{f".{name}": name for name in CANONICAL - {"weight"}},
    ".lora.up.weight": UP,
    ".lora.down.weight": DOWN,
    ".lora_linear_layer.up.weight": UP,
    ".lora_linear_layer.down.weight": DOWN,
    ".lora_B.weight": UP,
    ".lora_A.weight": DOWN,
    ".lora_B": UP,
    ".lora_A": DOWN,
    ".lora_B.bias": "lora_up.bias",
    ".lora_magnitude_vector": MAGNITUDE,
    ".lora_magnitude_vector.weight": MAGNITUDE,
    ".magnitude": MAGNITUDE,
}
"""Endings as files write them; PEFT's adapter names in them are left out (`.lora_A.default.weight`)."""

AFTER: Mapping[tuple[str, str], str] = {
    ("_lora", ".up.weight"): UP,
    ("_lora", ".down.weight"): DOWN,
    ("_lora1", ".up.weight"): UP,
    ("_lora1", ".down.weight"): DOWN,
    ("_lora2", ".up.weight"): UP,
    ("_lora2", ".down.weight"): DOWN,
    ("_norm", ".scale"): "set_weight",
}
"""Endings that mean this only after such a prefix: diffusers ≤ 0.21, x-flux, and the norms of BFL's control LoRAs."""

JOINED: Mapping[str, str] = {":up": UP, ":down": DOWN, "_lora_up.weight": UP, "_lora_down.weight": DOWN}
"""Endings without a dot in front: cloneofsimo/lora's safetensors, and flattened diffusers names."""

NAMED = frozenset(
    {
        "lora_A.weight", "lora_B.weight", "lora_B.bias", "lora_A",
        "lora_B", "lora_magnitude_vector", "lora_magnitude_vector.weight", "oft_R.weight", "ia3_l",
        "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2",
        "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
    }
)  # fmt: skip
"""What PEFT saves with an adapter's name behind the first word."""


@dataclass(frozen=True)
class Grouped:
    """Keys by module and canonical suffix, and the keys that are no part of a module."""

    modules: Mapping[str, Mapping[str, str]]
    rest: tuple[str, ...]


def split(key: str) -> tuple[str, str] | None:
    """(prefix, canonical suffix), or None where no ending is known; a plain `weight` is never split off here."""
    parts = key.split(".")
    for count in (3, 2, 1):
        prefix, ending = ".".join(parts[:-count]), "." + ".".join(parts[-count:])
        if not prefix:
            continue
        for (before, behind), suffix in AFTER.items():
            if ending == behind and prefix.endswith(before):
                return prefix, suffix
        if ending in SPELLED:
            return prefix, SPELLED[ending]
        first, *others = parts[-count:]
        unnamed = ".".join([first, *others[1:]])
        if others and unnamed in NAMED:
            return prefix, SPELLED[f".{unnamed}"]
    for ending, suffix in JOINED.items():
        if key.endswith(ending):
            return key.removesuffix(ending), suffix
    return None


def group(keys: Iterable[str]) -> Grouped:
    """Every key sorted by module; a bare list of numbers is cloneofsimo's, with up and down in turn."""
    listed = list(keys)
    if listed and all(key.isdecimal() for key in listed):
        found = {key: (str(int(key) // 2), DOWN if int(key) % 2 else UP) for key in listed}
    else:
        found = {key: at for key in listed if (at := split(key))}
        inputs = {prefix for prefix, suffix in found.values() if suffix == "on_input"}
        scales = {f"{prefix}.weight": (prefix, "weight") for prefix in inputs}
        found |= {key: scales[key] for key in listed if key in scales}
    modules: dict[str, dict[str, str]] = {}
    for key, (prefix, suffix) in found.items():
        modules.setdefault(prefix, {})[suffix] = key
    return Grouped(modules, tuple(key for key in listed if key not in found))
