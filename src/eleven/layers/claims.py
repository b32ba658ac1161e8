"""Which family a file says that it is made for, by what trainers write into its metadata."""

from __future__ import annotations

from collections.abc import Mapping

from eleven.layers.family import FAMILIES, Family

FIELDS = ("ss_base_model_version", "modelspec.architecture")
BEGINNINGS = (
    *(("stable-diffusion-xl", "sdxl"), ("sdxl", "sdxl"), ("stable-diffusion-v1", "sd1"), ("sd_v1", "sd1")),
    *(("sd_1", "sd1"), ("sd1", "sd1"), ("stable-diffusion-v2", "sd2"), ("sd_v2", "sd2"), ("sd_2", "sd2")),
    *(("sd2", "sd2"), ("stable-diffusion-v3", "sd3"), ("stable-diffusion-3", "sd3"), ("sd3", "sd3")),
    *(("flux-1", "flux"), ("flux1", "flux"), ("chroma", "chroma"), ("qwen-image", "qwen-image")),
    *(("qwen_image", "qwen-image"), ("z-image", "z-image"), ("zimage", "z-image"), ("lumina-2", "lumina2")),
    *(("krea-2", "krea2"), ("anima", "anima"), ("eleven-lab", "lab"), ("eleven_lab", "lab")),
)
"""How the fields begin, and how the family's name then does."""


def claims(metadata: Mapping[str, str]) -> dict[str, str]:
    """How the family's name begins by each field that tells it."""
    told = {field: metadata.get(field, "").lower() for field in FIELDS}
    found = {
        field: next((name for start, name in BEGINNINGS if value.startswith(start)), "")
        for field, value in told.items()
    }
    return {field: name for field, name in found.items() if name}


def claimed(metadata: Mapping[str, str]) -> Family | None:
    """The family that a file names: by its ModelSpec id, else the first whose name begins as the fields tell."""
    told = metadata.get("modelspec.architecture", "").partition("/")[0]
    exact = next((family for family in FAMILIES if family.architecture == told), None)
    starts = claims(metadata).values()
    return exact or next((family for start in starts for family in FAMILIES if family.name.startswith(start)), None)
