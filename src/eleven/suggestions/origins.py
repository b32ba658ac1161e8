"""What a file says about where it comes from: the base it was trained on, the run, and the words that call it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import cast, final

from eleven.files.sidecars import trigger_words
from eleven.finetunes.finetune import FineTune

OWN = "eleven.training"
"""The key under which `eleven train` writes what it did."""
NAMED = "ss_output_name"
"""The source of trigger words that is only the file's name."""
VAGUE = frozenset({"", "none", "model", "base", "pytorch_lora_weights"})
ENDINGS = frozenset({".safetensors", ".ckpt", ".pt", ".bin"})


@final
@dataclass(frozen=True)
class Origin:
    """What one file says of itself; "" and () where it says nothing.

    `base` is the name of the base it was trained on, `base_sha256` its digest (of all its files where it is a folder),
    `base_short` the eight digits that A1111 once used. Files of equal `run` are checkpoints of one training.
    """

    base: str = ""
    base_sha256: str = ""
    base_folder: bool = False
    base_short: str = ""
    run: str = ""
    words: tuple[str, ...] = ()

    @property
    def has_base(self) -> bool:
        """Whether it tells its base by a hash."""
        return bool(self.base_sha256 or self.base_short)

    @property
    def called(self) -> str:
        """The surest word."""
        return self.words[0] if self.words else ""


def origin_of(tune: FineTune) -> Origin:
    """What the file's metadata, and files beside it, say; of kohya's trainers, of PEFT's and of `eleven train`."""
    told = tune.container.metadata
    own, peft = _fields(told.get(OWN)), _fields(told.get("lora_adapter_metadata"))
    named = told.get("ss_sd_model_name") or _text(own, "base") or _named_by_peft(peft)
    return Origin(
        base="" if (name := PurePath(named).name).lower() in VAGUE else name,
        base_sha256=_hexadecimal(told.get("ss_new_sd_model_hash") or _text(own, "base_sha256"), 64),
        base_folder=own.get("base_folder") is True,
        base_short=_hexadecimal(told.get("ss_sd_model_hash", ""), 8),
        run=_text(own, "identity") or _kohya_run(told),
        words=tuple(one.text for one in trigger_words(tune.path, told).words if one.source != NAMED),
    )


def same_base(first: Origin, second: Origin) -> bool | None:
    """Whether two files were trained on one base; None where they do not say it. Names alone never tell two apart."""
    if first.base_sha256 and second.base_sha256 and first.base_folder == second.base_folder:
        return first.base_sha256 == second.base_sha256
    if first.base_short and second.base_short:
        return first.base_short == second.base_short
    return True if first.base and _stem(first.base) == _stem(second.base) else None


def same_base_by_name(first: Origin, second: Origin) -> bool | None:
    """As `same_base`, but names that differ count as two bases, though one base may go by both."""
    told = same_base(first, second)
    return False if told is None and first.base and second.base else told


def same_words(first: Origin, second: Origin) -> bool | None:
    """Whether some word of one file is a word of the other, or holds all of it; None where one names none."""
    if not first.words or not second.words:
        return None
    left, right = _parts(first.words), _parts(second.words)
    return any(one <= other or other <= one for one in left for other in right)


def _stem(name: str) -> str:
    """The name without a model file's ending, in lower case."""
    found = PurePath(name.casefold())
    return found.stem if found.suffix in ENDINGS else found.name


def _parts(words: Iterable[str]) -> list[frozenset[str]]:
    return [frozenset(word.casefold().split()) for word in words]


def _kohya_run(told: Mapping[str, str]) -> str:
    """The number that sd-scripts draws for each run (train_network.py, session_id), with when it started."""
    session, started = told.get("ss_session_id", ""), told.get("ss_training_started_at", "")
    return f"{session} {started}" if session and started else ""


def _named_by_peft(fields: Mapping[str, object]) -> str:
    """diffusers writes PEFT's settings with the component in front."""
    found = (str(value) for key, value in fields.items() if key.endswith("base_model_name_or_path") and value)
    return next(found, "")


def _fields(text: str | None) -> Mapping[str, object]:
    """A JSON object in the metadata; nothing where it is none, since it is only looked at for hints."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _hexadecimal(text: str, digits: int) -> str:
    """The digits in lower case; "" for anything else."""
    found = text.strip().lower().removeprefix("0x")
    return found if len(found) == digits and not set(found) - set("0123456789abcdef") else ""
