"""Finds scorers by name among the entry points `eleven.scorers` of every package that is installed, ours among them."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import cast

from eleven.errors import ElevenError, UsageError
from eleven.scorers.scorer import Opener, References, Scorer

GROUP = "eleven.scorers"
BROKEN = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What a module of somebody else may raise when it is loaded."""


def scorer_names() -> list[str]:
    """Every scorer that is installed, whether or not it loads."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def open_scorer(text: str, references: References) -> Scorer:
    """The scorer that is called `NAME` or `NAME:ARGUMENT`, for these references.

    UsageError for a name that nobody has, ElevenError naming the package of one that does not load, MissingPackage
    where a scorer needs one that is not installed.
    """
    name, _, argument = text.partition(":")
    return opener(name)(references, argument)


def opener(name: str) -> Opener:
    """The function behind a scorer's name."""
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(scorer_names()) or "none, which a fresh installation of Eleven mends"
        raise UsageError(f"no scorer is called {name!r}.", hint=f"There are {known}.")
    if len(found) > 1:
        told = " and ".join(sorted(owner(entry) for entry in found))
        raise UsageError(f"{len(found)} packages have a scorer called {name!r}: {told}.", hint="Uninstall one.")
    (entry,) = found
    try:
        loaded = entry.load()
    except BROKEN as error:
        told = f"the scorer {name!r} of the package {owner(entry)} does not load: {type(error).__name__}: {error}."
        raise ElevenError(told, hint="Update or uninstall that package, or choose another scorer.") from error
    if not callable(loaded):
        raise ElevenError(f"the scorer {name!r} of the package {owner(entry)} is no function ({entry.value}).")
    return cast(Opener, loaded)


def owner(entry: EntryPoint) -> str:
    """The package that an entry point comes from."""
    return entry.dist.name if entry.dist is not None else "unknown"
