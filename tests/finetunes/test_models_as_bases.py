"""A whole model by its layers in every layout: rows of fused tensors, transposed ones, float32; put together again."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from eleven.errors import BaseNeeded, FamilyMismatch, FileError
from eleven.finetunes.checkpoint import open_checkpoint, unknown_names
from eleven.finetunes.original import OriginalModule
from eleven.layers.family import family
from eleven.layers.layer import Place

TOWER = "conditioner.embedders.1.model."
INPROJ, PROJECTION = f"{TOWER}transformer.resblocks.5.attn.in_proj_weight", f"{TOWER}text_projection"
ATTENTION = "text_encoder_2.text_model.encoder.layers.5.self_attn"


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory):
    """SDXL's second text encoder: all biases and norms, one fused attention and the projection, in half precision."""
    known = family("sdxl")
    rows: dict[str, int] = {}
    for name, source in known.sources().items():
        shape = known.layers()[name].shape
        if name.startswith("text_encoder_2.") and len(shape) == 1:
            rows[source.key] = max(rows.get(source.key, 0), *(stop for _, stop in source.ranges or ((0, shape[0]),)))
    tensors = {key: normal(count, seed=seed).half() for seed, (key, count) in enumerate(rows.items())}
    tensors |= {INPROJ: normal(3840, 1280, seed=1).half(), PROJECTION: normal(1280, 1280, seed=2).half()}
    path = tmp_path_factory.mktemp("base") / "sdxl.safetensors"
    save_file(tensors, path)
    with open_checkpoint(path) as base:
        yield base, tensors


@pytest.mark.parametrize(("part", "start"), [("q", 0), ("k", 1280), ("v", 2560)])
def test_parts_of_a_fused_tensor_are_its_rows(part, start, sdxl):
    base, tensors = sdxl
    assert base.load(f"{ATTENTION}.{part}_proj.weight").equal(tensors[INPROJ][start : start + 1280].float())
    key = INPROJ.replace("_weight", "_bias")
    assert base.stored(f"{ATTENTION}.{part}_proj.bias").equal(tensors[key][start : start + 1280])


def test_what_lies_transposed_is_turned(sdxl):
    base, tensors = sdxl
    assert base.load("text_encoder_2.text_projection.weight").equal(tensors[PROJECTION].T.float())


def test_types_are_float32_when_loaded_and_the_file_s_own_when_stored(sdxl):
    base, _ = sdxl
    name = f"{ATTENTION}.q_proj.weight"
    assert base.load(name).dtype == torch.float32
    assert base.stored(name).dtype == torch.float16


def test_a_module_that_an_adapter_fuses_is_put_together_in_the_adapter_s_order(sdxl):
    base, tensors = sdxl
    ranges = {"v": ((0, 1280),), "q": ((1280, 2560),), "k": ((2560, 3840),)}
    places = tuple(Place(f"{ATTENTION}.{part}_proj", rows) for part, rows in ranges.items())
    whole = OriginalModule(base, places).weight()
    q, k, v = tensors[INPROJ].float().chunk(3)
    assert whole.equal(torch.cat([v, q, k]))
    q, k, v = tensors[INPROJ.replace("_weight", "_bias")].float().chunk(3)
    assert OriginalModule(base, places).bias().equal(torch.cat([v, q, k]))


def test_swapped_halves_are_put_back(tmp_path):
    weight = normal(6, 4)
    save_file({"net.weight": weight}, tmp_path / "base.safetensors")
    with open_checkpoint(tmp_path / "base.safetensors") as base:
        whole = OriginalModule(base, (Place("net", ((3, 6), (0, 3))),)).weight()
        assert OriginalModule(base, (Place("net"),)).bias() is None
    assert whole.equal(torch.cat([weight[3:], weight[:3]]))


def test_without_a_base_it_is_asked_for_and_a_lacking_layer_is_named(tmp_path):
    with pytest.raises(BaseNeeded, match="--base"):
        OriginalModule(None, (Place("net"),)).weight()
    save_file({"net.weight": normal(3, 3)}, tmp_path / "base.safetensors")
    with open_checkpoint(tmp_path / "base.safetensors") as base, pytest.raises(FamilyMismatch, match=r"no layer other"):
        OriginalModule(base, (Place("other"),)).weight()


@pytest.mark.parametrize("name", list(unknown_names("unet.blocks.0.attn")))
def test_an_unknown_model_s_module_is_found_under_every_spelling(name, tmp_path):
    save_file({"unet.blocks.0.attn.weight": normal(3, 3)}, tmp_path / "base.safetensors")
    with open_checkpoint(tmp_path / "base.safetensors") as base:
        assert base.find(name, "weight") == "unet.blocks.0.attn.weight"
        assert base.find(name, "bias") is None


def test_an_adapter_is_no_base(tmp_path):
    save_file(
        {"lora_unet_a.lora_up.weight": normal(3, 1), "lora_unet_a.lora_down.weight": normal(1, 3)}, tmp_path / "a"
    )
    with pytest.raises(FileError, match="is no base model"):
        open_checkpoint(tmp_path / "a")
