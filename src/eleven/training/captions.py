"""What a photo is called in training: the text beside it, or a template with the trigger word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from eleven.errors import FileError

TEMPLATE = "photo of {token}"
LONGEST = 10_000


def caption_of(photo: Path, trigger: str, class_word: str = "") -> str:
    """The text of `name.txt` beside the photo on one line, the trigger in front where it lacks it; else the template.

    FileError where the text cannot be read, or is too long to be a caption.
    """
    beside = photo.with_suffix(".txt")
    token = f"{trigger} {class_word}".strip()
    if not beside.is_file():
        return TEMPLATE.format(token=token) if token else ""
    told = " ".join(_read(beside).split())
    return told if not trigger or trigger in told else ", ".join(part for part in (trigger, told) if part)


def tag_frequency(captions: Iterable[str], folder: str) -> dict[str, dict[str, int]]:
    """How often each tag occurs, as kohya's `ss_tag_frequency` lists it: by folder, tags between commas."""
    tags = Counter(tag for caption in captions for part in caption.split(",") if (tag := part.strip()))
    return {folder: dict(sorted(tags.items()))}


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: cannot be read as text: {error}.", hint="Save it as UTF-8.") from error
    if len(text) > LONGEST:
        told = f"{path}: holds {len(text)} characters, which is no caption."
        raise FileError(told, hint=f"Write up to {LONGEST}; text encoders read the first few dozen words.")
    return text
