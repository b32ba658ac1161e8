"""A pickle's instructions played through without doing what they say: every import is a name, every call a blank."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

POPS = {"APPEND": 1, "SETITEM": 2, "BUILD": 1}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
SILENT = frozenset({"PROTO", "STOP", "FRAME"})


@dataclass(frozen=True, slots=True)
class Import:
    """A function or class that would be fetched by name."""

    name: str


class Senseless(ValueError):
    """Instructions that no writer of tensors would give."""


@dataclass(slots=True)
class Machine:
    """The stack as torch's reader would have it (torch/_weights_only_unpickler.py, Unpickler.load).

    `storages` are the numbers of elements that data are asked for, None where no number is given. IndexError and
    KeyError from an empty stack or memo, Senseless for a call of something that was not imported.
    """

    stack: list[object] = field(default_factory=list[object])
    marks: list[list[object]] = field(default_factory=list[list[object]])
    memo: dict[int, object] = field(default_factory=dict[int, object])
    numbers: list[int] = field(default_factory=list[int])
    storages: list[int | None] = field(default_factory=list["int | None"])

    def step(self, name: str, argument: object) -> None:
        """One instruction."""
        if name == "MARK":
            self.marks.append(self.stack)
            self.stack = []
        elif name in ("TUPLE", "APPENDS", "SETITEMS"):
            self._to_mark(name)
        elif name in POPS or name in TUPLES:
            self._take(name)
        elif name in ("REDUCE", "NEWOBJ", "BINPERSID"):
            self._call(name)
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[cast(int, argument)])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[cast(int, argument)] = self.stack[-1]
        elif name not in SILENT:
            self._push(name, argument)

    def _push(self, name: str, argument: object) -> None:
        if isinstance(argument, int):
            self.numbers.append(argument)
        self.stack.append(
            Import(str(argument)) if name == "GLOBAL" else argument if isinstance(argument, int) else None
        )

    def _to_mark(self, name: str) -> None:
        items, self.stack = self.stack, self.marks.pop()
        if name == "TUPLE":
            self.stack.append(tuple(items))

    def _take(self, name: str) -> None:
        count = POPS.get(name) or TUPLES[name]
        items = [self.stack.pop() for _ in range(count)]
        if name in TUPLES:
            self.stack.append(tuple(reversed(items)))

    def _call(self, name: str) -> None:
        argument = self.stack.pop()
        if name == "BINPERSID":
            parts = cast(tuple[object, ...], argument) if isinstance(argument, tuple) else ()
            size = parts[4] if len(parts) > 4 else None
            self.storages.append(size if isinstance(size, int) else None)
        elif not isinstance(self.stack.pop(), Import):
            raise Senseless("it calls what is no function")
        self.stack.append(None)
