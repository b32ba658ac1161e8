"""Eleven: mix several fine-tunes of one concept exactly, and find the strengths that give the best likeness."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eleven.combination import Combination, combine
    from eleven.delta import Delta
    from eleven.errors import ElevenError
    from eleven.finetunes.checkpoint import Checkpoint, open_checkpoint
    from eleven.finetunes.finetune import FineTune
    from eleven.finetunes.opening import open_finetune as open
    from eleven.layers.layer import Layer
    from eleven.mix import Mix, Part, preset
    from eleven.mix_text import parse_mix

__version__ = "0.1.0"

HOMES = {
    "Checkpoint": "finetunes.checkpoint",
    "Combination": "combination",
    "Delta": "delta",
    "ElevenError": "errors",
    "FineTune": "finetunes.finetune",
    "Layer": "layers.layer",
    "Mix": "mix",
    "Part": "mix",
    "combine": "combination",
    "open": "finetunes.opening",
    "open_checkpoint": "finetunes.checkpoint",
    "parse_mix": "mix_text",
    "preset": "mix",
}
"""Where each public name lives: it is loaded on first use, so that `import eleven` takes no time and no torch."""

__all__ = [
    "Checkpoint",
    "Combination",
    "Delta",
    "ElevenError",
    "FineTune",
    "Layer",
    "Mix",
    "Part",
    "combine",
    "open",
    "open_checkpoint",
    "parse_mix",
    "preset",
]


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module 'eleven' has no attribute {name!r}")
    found = getattr(import_module(f"eleven.{HOMES[name]}"), "open_finetune" if name == "open" else name)
    globals()[name] = found
    return found
