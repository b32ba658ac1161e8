"""All that a picture depends on (base, mix and shot) as one recipe with a digest, in the PNG key `eleven`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast, final

from pydantic import TypeAdapter, ValidationError

from eleven import __version__
from eleven.engines.engine import Shot
from eleven.errors import FileError, UsageError
from eleven.mix import Mix

if TYPE_CHECKING:
    from eleven.bases.opened import Base

SCHEMA = 1
SHOT = TypeAdapter(Shot)


@final
@dataclass(frozen=True)
class Origin:
    """The base model: what it is called, its SHA-256 (identity) and the number type that it computes in.

    `autov2` is A1111's "Model hash"; a diffusers folder has none.
    """

    name: str
    sha256: str
    dtype: str = ""
    autov2: str = ""


ORIGIN = TypeAdapter(Origin)


@final
@dataclass(frozen=True)
class Recipe:
    """All that a picture depends on; files by hash and name, never by folder."""

    base: Origin
    mix: Mix | None
    shot: Shot

    @property
    def digest(self) -> str:
        """SHA-256 over base, mix and shot; names take no part where hashes are known, nor does the version."""
        content = [self.base.sha256 or self.base.name, self.base.dtype, self.mix.digest if self.mix else None]
        return sha256(json.dumps([*content, asdict(self.shot)], sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The recipe as the PNG key `eleven` holds it; `recipe_from_json` reads it back."""
        content = {"schema_version": SCHEMA, "version": __version__, "digest": self.digest, "base": asdict(self.base)}
        mix = self.mix and without_folders(self.mix).model_dump(mode="json")
        return json.dumps(content | {"mix": mix, "shot": asdict(self.shot)})


def recipe_from_json(text: str) -> Recipe:
    """The recipe in a JSON text. FileError where it is not one."""
    try:
        told = cast("dict[str, Any]", json.loads(text))
        mix = told["mix"] and Mix.from_data(told["mix"])
        return Recipe(ORIGIN.validate_python(told["base"]), mix, SHOT.validate_python(told["shot"]))
    except (ValidationError, UsageError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError("the recipe inside is not one of Eleven's.", hint="Another program wrote it.") from error


def without_folders(mix: Mix) -> Mix:
    """The same mix with bare file names: where files lie on this machine is nobody's business."""
    parts = tuple(part.model_copy(update={"file": PurePath(part.file).name}) for part in mix.parts)
    return mix.model_copy(update={"parts": parts})


def origin_of(base: Base) -> Origin:
    """The base by its name, hash and number type; only a single file has a hash that A1111 knows."""
    short = base.digest[:10] if base.path.is_file() else ""
    return Origin(base.name, base.digest, str(base.dtype).removeprefix("torch."), short)
