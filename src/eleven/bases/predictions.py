"""What the denoiser of a single file predicts, by what the file and its neighbours tell of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from eleven.bases.options import Prediction

PARAMETERIZATION = re.compile(r"""^\s*parameterization:\s*["']?(\w+)""", re.MULTILINE)
LARGEST_YAML = 1_000_000
ASSUMED = "No file tells what this model predicts; velocity is assumed, as in Stable Diffusion 2 at 768 pixels."


@final
@dataclass(frozen=True)
class Told:
    """The prediction, whether the last step starts from pure noise, and what was assumed (or "")."""

    prediction: Prediction
    zero_snr: bool = False
    note: str = ""


def prediction_of(path: Path, family: str, keys: Collection[str], metadata: Mapping[str, str]) -> Told:
    """What the file says by a key `v_pred`, by ModelSpec, or by the `.yaml` beside it; else the family's usual one."""
    if "v_pred" in keys:
        return Told(Prediction.V, "ztsnr" in keys)
    stated = metadata.get("modelspec.prediction_type", "") or _beside(path)
    if stated:
        return Told(Prediction.V if stated.startswith("v") else Prediction.EPSILON)
    if family != "sd2" or "-512" in metadata.get("modelspec.architecture", ""):
        return Told(Prediction.EPSILON)
    return Told(Prediction.V, note="" if "-768-v" in metadata.get("modelspec.architecture", "") else ASSUMED)


def _beside(path: Path) -> str:
    """What the configuration beside a checkpoint states, noise where it states nothing, "" without one."""
    told = path.with_suffix(".yaml")
    if not told.is_file() or told.stat().st_size > LARGEST_YAML:
        return ""
    found = PARAMETERIZATION.search(told.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else "eps"
