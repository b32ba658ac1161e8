"""Adapters land in the same modules and rows as when diffusers converts them."""

from __future__ import annotations

import pytest
import torch

from eleven.layers.dialect import spellings
from eleven.layers.family import family

KOHYA, PEFT = (".lora_up.weight", ".lora_down.weight", ".alpha"), (".lora_B.weight", ".lora_A.weight", "")
XLABS = (".up.weight", ".down.weight", "")
CASES = [
    pytest.param("flux", "kohya", KOHYA, "_convert_kohya_flux_lora_to_diffusers", 504, id="flux kohya"),
    pytest.param("flux", "xlabs", XLABS, "_convert_xlabs_flux_lora_to_diffusers", 304, id="xlabs"),
    pytest.param("krea2", "comfyui", PEFT, "_convert_non_diffusers_krea2_lora_to_diffusers", 264, id="krea2"),
    pytest.param("qwen-image", "kohya", KOHYA, "_convert_non_diffusers_qwen_lora_to_diffusers", 846, id="qwen kohya"),
    pytest.param("z-image", "kohya", KOHYA, "_convert_non_diffusers_z_image_lora_to_diffusers", 273, id="z-image"),
]


def numbered(owner, dialect, suffixes):
    """A LoRA of every linear layer of the denoiser with no two rows alike, and the rows that each module should get."""
    (up, down, alpha), modules, start = suffixes, owner.modules(), 0
    file, wanted = {}, {}
    for prefix, places in spellings(owner, dialect).items():
        shape = modules[places[0].module].shape
        if len(shape) != 2 or not places[0].module.startswith("transformer."):
            continue
        count = max((stop for place in places for _, stop in place.ranges or ()), default=shape[0])
        rows = torch.arange(start, start + count, dtype=torch.float64)[:, None]
        file |= {prefix + up: rows, prefix + down: torch.ones(1, 1, dtype=torch.float64)}
        file |= {prefix + alpha: torch.tensor(1.0)} if alpha else {}
        spans = {place.module: place.ranges or ((0, count),) for place in places}
        wanted |= {name: torch.cat([rows[first:last] for first, last in span]) for name, span in spans.items()}
        start += count
    return file, wanted


@pytest.mark.parametrize(("name", "dialect", "suffixes", "converter", "count"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_places_agree_with_the_conversion_of_diffusers(name, dialect, suffixes, converter, count):
    from diffusers.loaders import lora_conversion_utils

    file, wanted = numbered(family(name), dialect, suffixes)
    converted = getattr(lora_conversion_utils, converter)(file)
    ups = {key.removesuffix(".lora_B.weight"): up for key, up in converted.items() if key.endswith(".lora_B.weight")}
    # the conversion of FLUX leaves `transformer.` off the layers around the blocks
    theirs = {name: ups.get(name, ups.get(name.removeprefix("transformer."))) for name in wanted}
    both = [name for name, up in theirs.items() if up is not None]
    assert len(both) == count
    assert not [name for name in both if not torch.equal(theirs[name], wanted[name])]
