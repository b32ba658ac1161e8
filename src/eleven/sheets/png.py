"""PNG files that tell how they were made: pixels and texts, written whole or not at all, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from eleven.errors import FileError
from eleven.files.atomic import AtomicFile
from eleven.sheets.recipe import Recipe, recipe_from_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARAMETERS, RECIPE = "parameters", "eleven"
"""The text keys: A1111's infotext, and Eleven's recipe."""


def write_png(
    path: Path,
    pixels: NDArray[np.uint8] | Image.Image,
    texts: Mapping[str, str] | None = None,
    *,
    force: bool = False,
    compression: int = 6,
) -> None:
    """Puts a picture with its texts under the name, compressed from 0 (fast) to 9 (small).

    OutputError where it exists already, or cannot be written.
    """
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    told = PngInfo()
    for key, text in (texts or {}).items():
        told.add_text(key, text.encode("utf-8", "replace").decode())
    buffer = BytesIO()
    image.save(buffer, "PNG", pnginfo=told, compress_level=compression)
    write_bytes(path, buffer.getvalue(), force=force)


def write_bytes(path: Path, content: bytes, *, force: bool = False) -> None:
    """Puts a small file under the name at once. OutputError where it exists already, or cannot be written."""
    with AtomicFile(path, size=len(content), force=force) as file:
        file.write(0, memoryview(content))
        file.commit()


def read_texts(path: Path) -> dict[str, str]:
    """The texts in a PNG, by key. FileError where it is none."""
    with open_png(path) as image:
        return {key: str(text) for key, text in image.text.items()}


def read_recipe(path: Path) -> Recipe | None:
    """The recipe in a PNG; None where it has none. FileError where it cannot be read."""
    text = read_texts(path).get(RECIPE)
    try:
        return recipe_from_json(text) if text is not None else None
    except FileError as error:
        raise error.at(path) from None


def open_png(path: Path) -> PngImageFile:
    """The picture, read whole; close it. FileError where it is no PNG."""
    try:
        image = PngImageFile(path)
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise FileError(f"{path}: cannot be read as a PNG.", hint="Check the path.") from error
    return image
