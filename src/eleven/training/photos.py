"""The photos that a model is trained on, each with its caption, and too few of them refused."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from PIL import Image

from eleven.errors import UsageError
from eleven.files.pictures import SMALLEST, read_each, read_picture
from eleven.training.captions import caption_of

FEWEST = 3


@dataclass(frozen=True)
class Photo:
    """One picture and its caption; `digest` is of the pixels and the caption."""

    path: Path
    picture: Image.Image
    caption: str

    @property
    def digest(self) -> str:
        """SHA-256 of the size, the pixels and the caption."""
        told = f"{self.picture.size} {self.caption} ".encode()
        return sha256(told + self.picture.tobytes()).hexdigest()


def read_photos(folder: Path, *, trigger: str = "", class_word: str = "", smallest: int = SMALLEST) -> list[Photo]:
    """Every photo of the folder in the order of their names.

    FileError naming each file that is no picture or has a side below `smallest`; UsageError for fewer than three.
    """

    def read(path: Path) -> Photo:
        picture = read_picture(path, smallest=smallest)
        return Photo(path, picture, caption_of(path, trigger, class_word))

    photos = read_each(folder, read, purpose="trained on")
    if len(photos) < FEWEST:
        told = f"{folder} holds {len(photos)} photos, and {FEWEST} are the fewest that can be trained on."
        raise UsageError(told, hint="Ten to thirty photos do well.")
    return photos
