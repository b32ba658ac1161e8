"""Metadata that contradicts the keys: what trainers wrote about family, technique and rank against what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator

from eleven.finetunes.adapter import Adapter
from eleven.layers.claims import claims
from eleven.reports.facts import SCALED, Facts

ALGORITHMS = {
    "lora": "lora", "locon": "lora", "dylora": "lora", "loha": "loha", "lokr": "lokr", "ia3": "ia3", "full": "full",
    "glora": "glora", "diag-oft": "oft", "boft": "boft", "tlora": "tlora",
}  # fmt: skip
"""LyCORIS' names (lycoris/kohya.py, `algo`) and the technique that the file then holds."""

MODULES = {
    "lora": "lora", "lora_flux": "lora", "lora_sd3": "lora", "dylora": "lora", "oft": "oft", "oft_flux": "oft",
    "loha": "loha", "lokr": "lokr",
}  # fmt: skip
"""The last part of sd-scripts' `ss_network_module`, likewise."""


def about_architecture(facts: Facts) -> Iterator[str]:
    """Another family than the keys'."""
    tune = facts.tune
    if tune.family is None:
        return
    fitting = [
        tune.family.name,
        *((other.name for other in tune.recognition.also) if isinstance(tune, Adapter) else ()),
    ]
    for field, claim in claims(facts.metadata).items():
        if not any(name.startswith(claim) for name in fitting):
            yield f"{field} says {facts.metadata[field][:60]}, the keys say {tune.family_name}"


def about_module(facts: Facts) -> Iterator[str]:
    """Another technique than the tensors'."""
    module = facts.metadata.get("ss_network_module", "")
    parts = module.split(".")
    claim = MODULES.get(parts[-1]) if parts[0] == "networks" else None
    algorithm = _arguments(facts).get("algo", "") if parts[0] == "lycoris" else ""
    claim = ALGORITHMS.get(algorithm.lower(), claim)
    found = sorted({name for one in facts.modules for name in one.techniques})
    if claim and found and claim not in found:
        told = f"ss_network_args says {algorithm}" if algorithm else f"ss_network_module says {module[:60]}"
        yield f"{told}, the tensors are {', '.join(found)}"


def about_rank(facts: Facts) -> Iterator[str]:
    """A rank that no layer has; LoKr's factors may be whole, so that theirs need not show."""
    told = facts.metadata.get("ss_network_dim", "")
    ranked = [one for one in facts.modules if SCALED & set(one.techniques) and "lokr" not in one.techniques]
    ranks = sorted({one.rank for one in ranked if one.rank})
    if told.isdecimal() and ranks and int(told[:12]) not in ranks:
        listed = ", ".join(map(str, ranks[:8])) + (" …" if len(ranks) > 8 else "")
        yield f"ss_network_dim says {told[:12]}, the layers have rank {listed}"


def _arguments(facts: Facts) -> dict[str, str]:
    """The trainer's options for the technique; whatever is no table of texts tells nothing."""
    try:
        found: object = json.loads(facts.metadata.get("ss_network_args", "{}"))
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
