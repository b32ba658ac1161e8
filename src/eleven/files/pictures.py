"""Reads the pictures of a folder, upright in eight-bit RGB, and names each file that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eleven.errors import FileError, UsageError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".jfif"})
BESIDE = frozenset({".txt", ".json", ".toml", ".md", ".csv", ".db", ".ini", ".html", ".safetensors", ".svg"})
"""What may lie beside photos."""
SMALLEST, LISTED = 16, 5
Read = TypeVar("Read")
WIDE = ("I", "F")
"""How the names of Pillow's modes of more than eight bits begin."""


def read_each(folder: Path, read: Callable[[Path], Read], *, purpose: str) -> list[Read]:
    """What `read` makes of every file that is a photo by its ending, in the order of their names.

    FileError naming each file that it cannot read; `purpose` is what the photos cannot be then.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", hint="Give the folder that holds the photos.")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    made, faults = list[Read](), list[str]()
    for path in (path for path in paths if path.suffix.lower() not in BESIDE):
        try:
            made.append(read(path))
        except FileError as error:
            faults.append(error.cause)
    refuse_faults(folder, faults, purpose)
    return made


def read_picture(path: Path, *, smallest: int = SMALLEST) -> Image.Image:
    """The picture upright in eight-bit RGB, transparency over white. FileError where there is none, or too small."""
    if path.suffix.lower() not in SUFFIXES:
        raise FileError(f"{path.name}: is none of {', '.join(sorted(SUFFIXES))}.")
    try:
        with Image.open(path) as opened:
            opened.load()
            picture = as_rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError:
        raise FileError(f"{path.name}: is no picture.") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise FileError(f"{path.name}: cannot be read: {str(error).rstrip('.')}.") from error
    if min(picture.size) < smallest:
        raise FileError(f"{path.name}: is {picture.width}×{picture.height}, below {smallest} pixels.")
    return picture


def as_rgb(picture: Image.Image) -> Image.Image:
    """Any mode as RGB: CMYK converted, alpha laid over white, sixteen bits reduced to eight."""
    if picture.mode.startswith(WIDE):
        picture = reduced(picture)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return picture.convert("RGB")


def reduced(picture: Image.Image) -> Image.Image:
    """Grey of more than eight bits in eight: of 16 bits, or of floating numbers up to 1 or up to 255."""
    values = np.asarray(picture, dtype=np.float64)
    if not np.isfinite(values).all():
        raise FileError("it holds NaN or infinity.")
    high = float(values.max(initial=0.0))
    scale = 255.0 if picture.mode == "F" and high <= 1 else 1.0 if high <= 255 else 255.0 / 65535.0
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def refuse_faults(folder: Path, faults: Iterable[str], purpose: str) -> None:
    """FileError that names the files that cannot be used, if there are any."""
    listed = list(faults)
    if listed:
        more = f" (and {len(listed) - LISTED} more)" if len(listed) > LISTED else ""
        told = f"{folder}: {len(listed)} of its files cannot be {purpose}: {' '.join(listed[:LISTED])}{more}"
        raise FileError(told, hint="Move them elsewhere, or replace them.")
