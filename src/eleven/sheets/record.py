"""`shots.json`: which pictures and sheets a folder holds, and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ValidationError

from eleven import __version__
from eleven.engines.engine import Shot
from eleven.errors import OutputError
from eleven.mix import Mix
from eleven.sheets.png import write_bytes
from eleven.sheets.recipe import ORIGIN, Origin, without_folders
from eleven.sheets.series import Wanted

RECORD = "shots.json"
SCHEMA = 1


class Entry(BaseModel):
    """One picture: its file, its recipe's digest, and the digest of its mix (None: the base alone)."""

    file: str
    digest: str
    mix: str | None
    shot: Shot


class Record(BaseModel):
    """Everything in a folder; mixes by their digest, sheets as files with their SHA-256."""

    schema_version: int = SCHEMA
    made_by: str = f"eleven {__version__}"
    base: Origin
    mixes: dict[str, Mix]
    pictures: list[Entry]
    sheets: dict[str, str]


def read_record(folder: Path) -> Record | None:
    """The folder's record, or None where it has none. OutputError where the file is no record of Eleven's."""
    path = folder / RECORD
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}.", hint="Choose another folder.") from error
    except (ValidationError, ValueError) as error:
        told = f"{path}: is no record of Eleven's."
        raise OutputError(told, hint="Choose another folder, or use --force.") from error


def write_record(folder: Path, series: Sequence[Wanted], names: Sequence[str], sheets: Mapping[str, str]) -> None:
    """Writes the record of a series whose files have these names, over an earlier one."""
    mixes = {one.recipe.mix.digest: without_folders(one.recipe.mix) for one in series if one.recipe.mix}
    entries = [
        Entry(
            file=name,
            digest=one.digest,
            mix=one.recipe.mix.digest if one.recipe.mix else None,
            shot=one.recipe.shot,
        )
        for one, name in zip(series, names, strict=True)
    ]
    base = ORIGIN.validate_python(asdict(series[0].recipe.base))
    record = Record(base=base, mixes=mixes, pictures=entries, sheets=dict(sheets))
    write_bytes(folder / RECORD, record.model_dump_json(indent=1).encode("utf-8", "replace"), force=True)
