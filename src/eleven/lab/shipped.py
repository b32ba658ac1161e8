"""Where the files of the lab lie that ship with Eleven: its base, and each concept's photos and fine-tunes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from eleven.lab.people import concept

NAME = "lab"
"""What the base is called wherever a base can be named."""


def base_folder() -> Path:
    """The lab's base as a diffusers folder."""
    return Path(str(files("eleven.lab") / "base"))


def concept_folder(name: str) -> Path:
    """The folder of a concept: `photos`, `references`, and its fine-tunes. UsageError for a name that nobody has."""
    return Path(str(files("eleven.lab") / "people" / concept(name).name))
