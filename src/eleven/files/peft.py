"""PEFT's settings, which its tensor files lack: read from `adapter_config.json` or from diffusers' metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from pathlib import Path
from typing import cast

from eleven.errors import FileError

NAME = "adapter_config.json"
METADATA = "lora_adapter_metadata"
LARGEST = 16 * 2**20
SCALED = {"LORA": "lora_alpha", "LOHA": "alpha", "LOKR": "alpha"}
"""The types whose change is scaled by alpha / r, and what they call alpha."""
PLAIN = re.compile(r"[\w.\-/]*")
MOST_PATTERNS, MOST_REPEATS, LONGEST = 16, 3, 200


@dataclass(frozen=True, slots=True)
class Patterns:
    """Values by module name, or by a regular expression for its end; the first in the file's order wins."""

    plain: Mapping[str, tuple[int, float]]
    regular: tuple[tuple[int, re.Pattern[str], float], ...] = ()

    def find(self, module: str, default: float) -> float:
        """The value for a module (PEFT utils/other.py, get_pattern_key); a dot in a plain name means a dot."""
        ends = [0, *(place + 1 for place, letter in enumerate(module) if letter == ".")]
        hits = [self.plain[module[end:]] for end in ends if module[end:] in self.plain]
        if len(module) <= LONGEST:
            for place, pattern, value in self.regular:
                hits += [(place, value)] if any(pattern.fullmatch(module, end) for end in ends) else []
        return min(hits)[1] if hits else default


@dataclass(frozen=True, slots=True)
class Config:
    """What changes the meaning of tensors: the scale of LoRA, LoHa and LoKr, and how OFT's generators rotate."""

    kind: str
    rank: float
    alpha: float
    ranks: Patterns
    alphas: Patterns
    stabilised: bool
    decomposed: bool
    exact: bool
    terms: float
    old: bool
    limit: float | None


def beside(path: Path) -> dict[str, Config]:
    """The settings in the folder of an adapter file, or in the folder itself, or none. FileError if malformed."""
    place = (path if path.is_dir() else path.parent) / NAME
    if not place.is_file():
        return {}
    try:
        with place.open("rb") as stream:
            text = stream.read(LARGEST + 1)
    except OSError as cause:
        raise FileError(f"{place} cannot be read: {cause.strerror}.") from cause
    return {"": config(_object(text, str(place)), str(place))}


def embedded(metadata: Mapping[str, str], place: str) -> dict[str, Config]:
    """The settings in diffusers' metadata by component (`unet`, `transformer` …, or "" for a bare model's), or none.

    diffusers loaders/lora_base.py, `_save_lora_weights`: keys such as `unet.r`. FileError naming `place`.
    """
    if METADATA not in metadata:
        return {}
    parts: dict[str, dict[str, object]] = {}
    for key, value in _object(metadata[METADATA].encode(), place).items():
        component, _, field = key.rpartition(".")
        parts.setdefault(component, {})[field] = value
    return {component: config(fields, place) for component, fields in parts.items()}


def config(fields: Mapping[str, object], place: str) -> Config:
    """The settings from JSON fields; unknown ones are ignored. FileError for wrong types, and for r = 0."""
    kind = _text(fields, "peft_type", "LORA", place).upper()
    scaled = kind in SCALED
    rank = _number(fields, "r", 8.0 if scaled else 0.0, place)
    ranks = _patterns(fields, "rank_pattern", place)
    values = [rank, *(value for _, value in ranks.plain.values()), *(value for _, _, value in ranks.regular)]
    if scaled and min(values) <= 0:
        raise FileError(f"{place}: r is {min(values):g}, which is no rank.", hint="The file is damaged.")
    return Config(
        kind=kind,
        rank=rank,
        alpha=_number(fields, SCALED.get(kind, "alpha"), 8.0, place),
        ranks=ranks,
        alphas=_patterns(fields, "alpha_pattern", place),
        stabilised=_flag(fields, "use_rslora", False, place),
        decomposed=_flag(fields, "use_dora", False, place),
        exact=not _flag(fields, "use_cayley_neumann", True, place),
        terms=_number(fields, "num_cayley_neumann_terms", 5.0, place),
        old=_is_old(_text(fields, "peft_version", "", place)),
        limit=_number(fields, "eps", 6e-5, place) if _flag(fields, "coft", False, place) else None,
    )


def markers(configs: Mapping[str, Config], module: str, rank: int | None) -> dict[str, float]:
    """The numbers to add to the tensors of a module, named as in the file, whose technique has this rank.

    `scale` (alpha/r, or alpha/√r when rank-stabilised), `dora_peft`, `oft_R.exact`, `oft_R.terms`, `oft_R.old` and
    `oft_R.coft`; nothing for a module of no configured component. FileError where the settings tell another rank.
    """
    fitting = [component for component in configs if not component or module.startswith(f"{component}.")]
    if not fitting:
        return {}
    component = max(fitting, key=len)
    found = configs[component]
    name = module.removeprefix(f"{component}.").removeprefix("base_model.model.")
    if found.kind == "OFT":
        return _rotation(found)
    if found.kind not in SCALED:
        return {}
    told = found.ranks.find(name, found.rank)
    if rank is not None and rank != told and found.kind != "LOKR":
        raise FileError(
            f"the PEFT settings tell rank {told:g} for {module}, its tensors rank {rank}.",
            hint="The settings belong to another file.",
        )
    scale = found.alphas.find(name, found.alpha) / (sqrt(told) if found.stabilised else told)
    return {"scale": scale} | ({"dora_peft": 1.0} if found.decomposed else {})


def _rotation(found: Config) -> dict[str, float]:
    flags = {"oft_R.exact": found.exact, "oft_R.old": found.old and not found.exact}
    marks = {suffix: 1.0 for suffix, present in flags.items() if present}
    if found.terms != 5 and not found.exact:
        marks["oft_R.terms"] = found.terms
    return marks if found.limit is None else marks | {"oft_R.coft": found.limit}


def _object(text: bytes, place: str) -> dict[str, object]:
    if len(text) > LARGEST:
        raise FileError(f"{place}: the PEFT settings are larger than {LARGEST} bytes.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise FileError(f"{place}: the PEFT settings are not valid JSON ({cause}).") from cause
    if not isinstance(value, dict):
        raise FileError(f"{place}: the PEFT settings are not a JSON object.")
    return cast("dict[str, object]", value)


def _number(fields: Mapping[str, object], name: str, default: float, place: str) -> float:
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12 or not isfinite(value):
        raise FileError(f"{place}: {name} is {str(value)[:40]!r}, not a number of a usable size.")
    return float(value)


def _flag(fields: Mapping[str, object], name: str, default: bool, place: str) -> bool:
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise FileError(f"{place}: {name} is {str(value)[:40]!r}, not true or false.")
    return value


def _text(fields: Mapping[str, object], name: str, default: str, place: str) -> str:
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise FileError(f"{place}: {name} is {str(value)[:40]!r}, not text.")
    return value


def _patterns(fields: Mapping[str, object], name: str, place: str) -> Patterns:
    given = fields.get(name) or {}
    if not isinstance(given, dict):
        raise FileError(f"{place}: {name} is no table of numbers by module.")
    table = cast("dict[str, object]", given)
    values = [(place_, key, _number(table, key, 0.0, place)) for place_, key in enumerate(table)]
    regular = [each for each in values if not PLAIN.fullmatch(each[1])]
    if len(regular) > MOST_PATTERNS:
        raise FileError(f"{place}: {name} has {len(regular)} regular expressions, more than {MOST_PATTERNS}.")
    plain = {key: (index, value) for index, key, value in values if PLAIN.fullmatch(key)}
    return Patterns(plain, tuple((index, _compiled(key, place), value) for index, key, value in regular))


def _compiled(pattern: str, place: str) -> re.Pattern[str]:
    # a repeated group or many repeats can take exponential time, and no adapter needs them
    if len(pattern) > LONGEST or re.search(r"\)[*+{]", pattern) or len(re.findall(r"[*+{]", pattern)) > MOST_REPEATS:
        raise FileError(f"{place}: the pattern {pattern[:60]!r} is too complicated to be searched safely.")
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as cause:
        raise FileError(f"{place}: the pattern {pattern[:60]!r} is not a regular expression ({cause}).") from cause


def _is_old(version: str) -> bool:
    """Whether PEFT wrote it before 0.18, the first to note its version; since then the series' last term is halved."""
    found = re.match(r"(\d{1,6})\.(\d{1,6})", version)
    return found is None or (int(found[1]), int(found[2])) < (0, 18)
