"""The protocol of a method: how the deltas of one layer become one, and the row by which a method is listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, final

import torch

from eleven.delta import Delta
from eleven.errors import UsageError
from eleven.tensors import Float, Tensor

Value = float | int | bool | str


@final
@dataclass(frozen=True, eq=False)
class Setting:
    """What a method needs beside its deltas; `settle` checks the options and fills in the defaults.

    Draws are keyed by the generator's initial seed and by each part's own values: the generator is never advanced, so
    neither the order of the parts nor that of the layers matters. `activations` are inputs of this layer, one a row.
    """

    generator: torch.Generator
    options: Mapping[str, Value] = field(default_factory=dict[str, Value])
    activations: Float[Tensor, "samples in"] | None = None

    def number(self, name: str) -> float:
        """A numeric option."""
        return float(self.options[name])


class Method(Protocol):
    """A pure function; deltas of one shape and as many strengths, float32 in and out."""

    def __call__(self, deltas: Sequence[Delta], strengths: Sequence[float], setting: Setting) -> Delta:
        """One delta at the scale of Σ strength·delta; homogeneous in the strengths, and blind to the parts' order."""
        ...


@final
@dataclass(frozen=True)
class Option:
    """A knob of a method: a number between `low` and `high`, or a word out of `choices`."""

    name: str
    default: float | str
    text: str
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """What is allowed, in words."""
        return " or ".join(self.choices) if self.choices else f"{self.low:g} to {self.high:g}"

    def allows(self, value: Value) -> bool:
        """Whether this is one of the words, or a number (not a bool) in the range."""
        if self.choices:
            return value in self.choices
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


@final
@dataclass(frozen=True)
class Row:
    """A method as it is listed: what users call it, the function, where it comes from, and its options."""

    name: str
    function: Method
    paper: str
    text: str
    options: tuple[Option, ...] = ()
    needs_activations: bool = False


def settle(row: Row, options: Mapping[str, Value]) -> dict[str, Value]:
    """All options of a row: those given, checked, and the defaults of the rest. UsageError naming the range."""
    known = {option.name: option for option in row.options}
    for name, value in options.items():
        if name not in known:
            allowed = f"It has {', '.join(known)}." if known else "It has no options."
            raise UsageError(f"{row.name} has no option {name!r}.", hint=allowed)
        if not known[name].allows(value):
            raise UsageError(f"{name} of {row.name} is {value!r}.", hint=f"It must be {known[name].range}.")
    return {option.name: options.get(option.name, option.default) for option in row.options}
