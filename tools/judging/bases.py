"""What files tell of their base, in every spelling: sets in which one names another base, and in which none does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from eleven.files.hashes import identity
from eleven.finetunes.opening import open_finetune
from eleven.lab.shipped import base_folder
from eleven.suggestions.findings import Finding, find
from eleven.suggestions.models import Case
from eleven.suggestions.origins import Origin, origin_of
from eleven.suggestions.suggesting import base_origin
from judging.trials import part_of

ABOUT_BASES = ("other-base", "different-bases", "other-base-names")
BASE_KEYS = ("ss_new_sd_model_hash", "ss_sd_model_hash", "ss_sd_model_name", "lora_adapter_metadata", "eleven.training")
OTHER = "ab" * 32
Metadata = Mapping[str, str]


@dataclass(frozen=True)
class Spelling:
    """How a trainer writes the base that is used, and another one; where `given` is one, `suggest` has it as --base.

    `tells` is the kind of finding that follows from the other one, "" where nothing can.
    """

    name: str
    own: Metadata
    other: Metadata
    given: Path | None
    tells: str


@dataclass(frozen=True)
class Count:
    """Of `sets` with one model of another base so many are `told`; with as many of one base, so many `false` alarms."""

    spelling: Spelling
    sets: int
    told: int
    false: int


def spellings() -> tuple[Spelling, ...]:
    """By digest and by name, of files and of folders, with the base at hand and without."""
    folder = base_folder()
    (file,) = (folder / "unet").glob("*.safetensors")
    digest, whole = identity(file), identity(folder)
    kohya, short = "ss_new_sd_model_hash", "ss_sd_model_hash"
    named = {"ss_sd_model_name": "lab.safetensors"}, {"ss_sd_model_name": "other.safetensors"}
    return (
        Spelling("kohya's SHA-256", {kohya: digest}, {kohya: f"0x{OTHER.upper()}"}, None, "different-bases"),
        Spelling("kohya's SHA-256, beside the base", {kohya: digest}, {kohya: OTHER}, file, "other-base"),
        Spelling("A1111's short hash", {short: "5386e8fb"}, {short: "7f8a9c0d"}, None, "different-bases"),
        Spelling("eleven's digest", eleven(whole), eleven(OTHER), None, "different-bases"),
        Spelling("eleven's digest, beside the base", eleven(whole), eleven(OTHER), folder, "other-base"),
        Spelling("kohya's name", *named, None, "other-base-names"),
        Spelling("PEFT's name", peft("org/lab"), peft("org/other"), None, "other-base-names"),
        Spelling("PEFT's name beside kohya's digest", peft("org/lab"), {kohya: OTHER}, folder, ""),
        Spelling("one name, written otherwise", named[0], peft("org/LAB"), None, ""),
        Spelling("nothing in the odd one", {kohya: digest}, {}, file, ""),
        Spelling("nothing in any", {}, {}, folder, ""),
    )


def eleven(digest: str) -> Metadata:
    """As `eleven train` writes a base that is a folder."""
    return {"eleven.training": json.dumps({"base": "base", "base_sha256": digest, "base_folder": True})}


def peft(name: str) -> Metadata:
    """As diffusers writes PEFT's settings."""
    return {"lora_adapter_metadata": json.dumps({"unet.base_model_name_or_path": name})}


def counts(case: Case, sets: Sequence[tuple[int, ...]]) -> Iterator[Count]:
    """Every spelling in these sets, whose files are written anew: once all alike, once with another base in one."""
    for spelling in spellings():
        own, other = (origins(case, sets, metadata) for metadata in (spelling.own, spelling.other))
        told = false = 0
        for place, numbers in enumerate(sets):
            odd, alike = place % len(numbers), [own[number] for number in numbers]
            false += bool(found(case, numbers, alike, spelling.given))
            mixed = [*alike[:odd], other[numbers[odd]], *alike[odd + 1 :]]
            findings = found(case, numbers, mixed, spelling.given)
            right = [sets_apart(one, odd, case.models[numbers[odd]].name) for one in findings]
            told += spelling.tells in [one.kind for one in findings] and all(right)
            false += not all(right) or (not spelling.tells and bool(findings))
        yield Count(spelling, len(sets), told, false)


def sets_apart(one: Finding, odd: int, name: str) -> bool:
    """Whether a finding is about the odd model alone, or names it apart from all others."""
    groups = one.text.partition(": ")[2].split("; ")
    return one.files == (odd,) or any(group.startswith(f"{name} on ") for group in groups)


def origins(case: Case, sets: Sequence[tuple[int, ...]], told: Metadata) -> dict[int, Origin]:
    """What is read from copies of the sets' models that tell this of their base."""
    numbers = sorted({number for one in sets for number in one})
    with TemporaryDirectory() as folder:
        return {number: rewritten(case.models[number].path, told, Path(folder)) for number in numbers}


def found(case: Case, numbers: Sequence[int], told: Sequence[Origin], given: Path | None) -> list[Finding]:
    """What is found about the bases of some models of these origins."""
    part = part_of(case, None, numbers)
    models = tuple(replace(model, origin=origin) for model, origin in zip(part.models, told, strict=True))
    whole = replace(part, models=models, base=base_origin(given, told) if given else None)
    return [one for one in find(whole) if one.kind in ABOUT_BASES]


def rewritten(path: Path, told: Metadata, folder: Path) -> Origin:
    """What is read from a copy of the file that tells this of its base, and all else as before."""
    with safe_open(path, "pt") as file:
        kept = {key: text for key, text in (file.metadata() or {}).items() if key not in BASE_KEYS}
    copy = folder / path.name
    save_file(load_file(path), copy, kept | dict(told))
    with open_finetune(copy) as tune:
        return origin_of(tune)
