"""Files that people trained, and headers of every dialect, are understood to the last key."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from eleven.finetunes.adapter import Adapter
from eleven.finetunes.opening import open_finetune
from eleven.layers.dialect import spellings
from eleven.layers.family import family
from eleven.reports.inspection import inspect_file
from large import write_header

ASSETS = Path(__file__).resolve().parents[3] / "shared" / "assets"
FILES = sorted(
    path
    for folder in ("lora_*", "lokr_*", "ti_*")
    for path in ASSETS.glob(f"{folder}/*")
    if path.suffix in (".safetensors", ".pt", ".bin")
)
LISTINGS = sorted((ASSETS / "lora_key_listings").glob("*_format.json"))
HEADERS = ASSETS / "lora_key_listings" / "real_adapter_headers.json.gz"
SD2 = {"lora_disney.pt", "lora_illust.pt", "lora_kiriko.pt", "lora_kiriko.text_encoder.pt", "lora_pop.pt"}
SD2 |= {"a1111_sd2_flora_4x1024.pt"}
INVENTED = {
    "anima_lora_lokr_format": ("anima", "comfyui"),
    "flux_lokr_bfl_format": ("flux", "comfyui"),
    "qwen_image_lora_kohya_format": ("qwen-image", "kohya"),
}
"""Listings whose factors have as many numbers as the layer but not its shape."""
TYPES = {"torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16", "torch.int64": "I64"}
pytestmark = pytest.mark.skipif(not FILES, reason="the collection of real files is not here: ../shared/assets")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_key_is_understood_and_the_family_is_right(path):
    before = hashlib.sha256(path.read_bytes()).digest()
    told = inspect_file(path)
    assert told.unread_keys == ()
    assert told.family == ("sd2" if path.name in SD2 else "sd1")
    assert told.layers or told.words
    assert not [fault for fault in told.warnings if fault.kind in ("damaged", "not-finite", "doubled-prefix")]
    assert hashlib.sha256(path.read_bytes()).digest() == before


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name.startswith("lo")], ids=lambda p: p.name)
def test_every_change_can_be_computed_without_the_base(path):
    with open_finetune(path) as tune:
        assert all(delta.shape == layer.matrix for layer, delta in tune.deltas())


@pytest.mark.parametrize("rank", [4, 8, 16])
def test_the_lokr_files_change_all_layers_of_sd1(rank):
    told = inspect_file(ASSETS / "lokr_smart_falcon" / f"smart_falcon_{rank}_lokr.safetensors")
    assert told.components == {"unet": 278, "text_encoder": 72}
    assert (told.techniques, told.family, told.dialect) == ({"lokr": 350}, "sd1", "kohya")
    assert told.ranks.keys() == {rank}
    assert any(word.text.startswith("smart falcon") for word in told.trigger_words)


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.stem)
def test_every_listing_is_recognised_from_a_header_alone(path, tmp_path):
    shapes = json.loads(path.read_text("utf-8"))
    shapes |= fitting(shapes, *INVENTED[path.stem]) if path.stem in INVENTED else {}
    file = write_header(tmp_path / "a.safetensors", {key: ("F16", shape) for key, shape in shapes.items()})
    told = inspect_file(file)
    wanted = next(name for name in ("anima", "flux", "krea", "qwen") if path.name.startswith(name))
    assert any(name.startswith(wanted) for name in (told.family, *told.also))
    assert told.dialect is not None and sum(told.dialects.values()) >= 3
    assert told.unread_keys == ()


def fitting(shapes, name, dialect):
    """LoKr factors of the size of the layers, where the listing's were made up."""
    found = {}
    for prefix, places in spellings(family(name), dialect).items():
        shape = family(name).modules()[places[0].module].shape
        rows = [stop for place in places for _, stop in place.ranges or ()]
        if f"{prefix}.lokr_w1" in shapes and shape:
            found |= {f"{prefix}.lokr_w1": [1, 1], f"{prefix}.lokr_w2": [max(rows, default=shape[0]), shape[1]]}
    return found


def test_there_are_17_listings():
    assert len(LISTINGS) == 17


def test_headers_of_real_adapters_have_no_unexplained_key(tmp_path):
    held = json.loads(gzip.decompress(HEADERS.read_bytes()))
    adapters = 0
    for name, file in held.items():
        tensors = {key: (TYPES.get(dtype, dtype), shape) for key, (shape, dtype) in file["tensors"].items()}
        if len(tensors) < 3 or not any("lora" in key or "lokr" in key or key.isdecimal() for key in tensors):
            continue
        with open_finetune(write_header(tmp_path / "a.safetensors", tensors)) as tune:
            assert isinstance(tune, Adapter) and not tune.unread and not tune.faults, name
            assert tune.family is not None, name
        adapters += 1
    assert adapters >= 30
