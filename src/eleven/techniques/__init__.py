"""Axis 3, what the tensors of a layer mean: one module a technique, all alike, in one table."""

from __future__ import annotations

from eleven.techniques import lora
from eleven.techniques.technique import Technique

TECHNIQUES: tuple[Technique, ...] = (lora,)
"""In order of precedence: a tensor belongs to the first technique that matches and can hold it."""
