"""Where a base lies: a path, `lab`, or a hub id in the user's cache; fetched from the hub only when that is allowed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import final

from eleven.errors import FileError, UsageError
from eleven.files.strict_json import shorten
from eleven.lab import shipped

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
KNOWN_ENDINGS = (".safetensors", ".ckpt", ".pt", ".bin", ".pth")


@final
@dataclass(frozen=True)
class Location:
    """The file or folder of a base, and its short name."""

    path: Path
    name: str


def locate(source: str, *, download: bool) -> Location:
    """Where the base lies. UsageError where it would have to be downloaded and may not be."""
    path = Path(source)
    if source == shipped.NAME and not path.exists():
        return Location(shipped.base_folder(), f"eleven-{shipped.NAME}")
    if path.is_dir():
        return Location(path, path.resolve().name)
    if path.exists() or not HUB_ID.fullmatch(source) or source.endswith(KNOWN_ENDINGS):
        return Location(path, path.stem)
    name = source.rpartition("/")[2]
    if download:
        return Location(_fetched(source), name)
    found = cached(source)
    if found is None:
        told = f"{source}: is no file or folder here, and no model of that id was downloaded before."
        raise UsageError(told, hint="Allow the download (--download), or give a path.")
    return Location(found, name)


def cached(source: str) -> Path | None:
    """The folder of a hub id's files as they were downloaded before, or None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _fetched(source: str) -> Path:
    """The folder that the pipeline's files were downloaded to."""
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]

    try:
        return Path(DiffusionPipeline.download(source))
    except (OSError, ValueError, HTTPError) as error:
        reason = shorten((str(error).splitlines() or [type(error).__name__])[0])
        hint = "Check the id and the connection; models behind a licence need HF_TOKEN."
        raise FileError(f"{source}: cannot be downloaded: {reason}", hint=hint) from None
