"""A model in several files, held together by an index (`*.index.json`)."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import cast

from eleven.errors import FileError
from eleven.files.joined import Joined, Piece
from eleven.files.single import open_file
from eleven.files.source import Source
from eleven.files.strict_json import json_object, shorten

DAMAGED = "The index is damaged; fetch it again."


def open_sharded(path: Path) -> Joined:
    """All shards as one container. FileError naming the shard that is missing, or the key that its shard lacks."""
    homes = _weight_map(path)
    names = sorted(set(homes.values()))
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        raise FileError(
            f"{path}: {len(missing)} of its {len(names)} files are missing (first: {missing[0]}).",
            hint="Fetch them into the same folder.",
        )
    with ExitStack() as guard:
        shards = {name: guard.enter_context(open_file(path.parent / name)) for name in names}
        for key, name in homes.items():
            if key not in shards[name].entries:
                raise FileError(f"{path}: {shorten(key)}: is not in {name}, where the index has it.", hint=DAMAGED)
        kinds = sorted({f"sharded {shard.kind}" for shard in shards.values()})
        guard.pop_all()
    return Joined(path, kinds[0], [Piece(shard) for shard in shards.values()], {})


def _weight_map(path: Path) -> dict[str, str]:
    source = Source(path)
    try:
        told = json_object(source.read(0, source.size), "the index").get("weight_map")
    except FileError as error:
        raise (error if str(path) in error.cause else error.at(path)) from None
    finally:
        source.close()
    if not isinstance(told, dict) or not told:
        raise FileError(f"{path}: is a JSON file without a weight_map.", hint="Is it the index of a model?")
    for key, name in cast(dict[str, object], told).items():
        if not isinstance(name, str) or not is_plain(name):
            raise FileError(f"{path}: {shorten(key)}: {shorten(str(name))} is no file of this folder.", hint=DAMAGED)
    return cast(dict[str, str], told)


def is_plain(name: str) -> bool:
    """Whether a name from a file can only mean something in the same folder, on every platform."""
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0")
