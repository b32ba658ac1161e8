"""The tables of layers agree with the classes they were made from, and with the conversions of other programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from eleven.layers.family import FAMILIES, family
from eleven.layers.table import TABLES, rows

TOOLS = Path(__file__).resolve().parents[2] / "tools"
FOLDERS = {"te": "text_encoder", "te0": "text_encoder", "te1": "text_encoder_2", "unet": "unet", "vae": "vae"}
CONVERTERS = {
    "flux": "convert_flux_transformer_checkpoint_to_diffusers",
    "chroma": "convert_chroma_transformer_checkpoint_to_diffusers",
    "sd3": "convert_sd3_transformer_checkpoint_to_diffusers",
    "sd35_medium": "convert_sd3_transformer_checkpoint_to_diffusers",
    "sd35_large": "convert_sd3_transformer_checkpoint_to_diffusers",
    "z_image": "convert_z_image_transformer_checkpoint_to_diffusers",
    "lumina2": "convert_lumina2_to_diffusers",
}
BESIDE = {"sd3": "pos_embed.pos_embed", "sd35_medium": "pos_embed.pos_embed", "sd35_large": "pos_embed.pos_embed"}
"""A constant that the conversion passes through."""


def text_of(component, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import list_layers

    return list_layers.text_of(component)


@pytest.mark.parametrize(
    "component", ["unet_sd1", "clip_l", "clip_h", "vae", "krea2", "anima", "unet_lab", "clip_lab", "vae_lab"]
)
@pytest.mark.filterwarnings("ignore")
def test_a_table_is_what_its_tool_writes(component, monkeypatch):
    assert text_of(component, monkeypatch) == (TABLES / f"{component}.tsv").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_table_is_what_its_tool_writes(monkeypatch):
    for path in sorted(TABLES.glob("*.tsv")):
        assert text_of(path.stem, monkeypatch) == path.read_text("utf-8"), path.stem


@pytest.mark.parametrize("table", sorted(path.stem for path in TABLES.glob("*.tsv")))
def test_names_are_unique_and_parts_cover_the_original_once(table):
    listed = rows(table)
    assert len({row.name for row in listed}) == len(listed)
    spans: dict[str, list[tuple[int, int]]] = {}
    for row in listed:
        if row.shape:
            spans.setdefault(row.original, []).extend(row.ranges or ((0, row.shape[0]),))
            assert row.ranges is None or sum(stop - start for start, stop in row.ranges) == row.shape[0]
    for original, several in spans.items():
        ordered = sorted(several)
        assert [start for start, _ in ordered] == [0, *(stop for _, stop in ordered[:-1])], original


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_original_keys_agree_with_the_key_maps_of_ai_toolkit(assets, name):
    maps = json.loads((assets / "lora_key_listings" / f"ldm_diffusers_keymap_{name}.json").read_text("utf-8"))
    sources = family(name).sources()
    for key, spelled in maps["ldm_diffusers_keymap"].items():
        folder, _, rest = spelled.partition("_")
        assert (sources[f"{FOLDERS[folder]}.{rest}"].key, sources[f"{FOLDERS[folder]}.{rest}"].ranges) == (key, None)
    for spelled, done in maps["diffusers_ldm_operator_map"].items():
        folder, _, rest = spelled.partition("_")
        key, span = done["slice"]
        start, stop = span.removesuffix(", :").split(":")
        source = sources[f"{FOLDERS[folder]}.{rest}"]
        ((first, last),) = source.ranges
        assert (source.key, str(first), str(last)) == (key, start, stop or str(last))
    listed = {*maps["ldm_diffusers_keymap"], *maps["ldm_diffusers_operator_map"]}
    ours = {source.key for source in sources.values()}
    assert listed <= ours
    assert all("resblocks.23." in key or key.endswith("text_projection") for key in ours - listed)


def numbered_rows(table):
    """A checkpoint in the original layout in which no two rows are alike, one number a row."""
    sizes: dict[str, tuple[int, int]] = {}
    for row in rows(table):
        last = max((stop for _, stop in row.ranges or ()), default=row.shape[0])
        sizes[row.original] = (max(last, sizes.get(row.original, (0, 0))[0]), len(row.shape))
    start, made = 0, {}
    for key, (count, axes) in sizes.items():
        made[key] = torch.arange(start, start + count, dtype=torch.int32).reshape(count, *[1] * (axes - 1))
        start += count
    return made


@pytest.mark.parametrize("table", CONVERTERS)
@pytest.mark.filterwarnings("ignore")
def test_rows_agree_with_the_conversion_of_diffusers(table):
    from diffusers.loaders import single_file_utils

    checkpoint = numbered_rows(table)
    beside = {"pos_embed": torch.zeros(1)} if table in BESIDE else {}
    converted = getattr(single_file_utils, CONVERTERS[table])({**checkpoint, **beside})
    assert converted.keys() - {BESIDE.get(table)} == {row.name for row in rows(table)}
    for row in rows(table):
        whole = checkpoint[row.original]
        ours = torch.cat([whole[start:stop] for start, stop in row.ranges]) if row.ranges else whole
        assert torch.equal(converted[row.name], ours), row.name


def test_layers_have_blocks_that_users_know():
    blocks = {each.name: sorted({layer.block for layer in each.layers().values()}) for each in FAMILIES}
    inputs, outputs = [f"IN{n:02}" for n in range(12)], [f"OUT{n:02}" for n in range(12)]
    assert blocks["sd1"] == [*inputs, "MID", "OTHER", *outputs, "TE", "VAE"]
    assert blocks["sdxl"] == [*inputs[:9], "MID", "OTHER", *outputs[:9], "TE", "TE2", "VAE"]
    assert blocks["flux"] == sorted(
        [*(f"D{n:02}" for n in range(19)), *(f"S{n:02}" for n in range(38)), "OTHER", "TE", "TE2", "VAE"]
    )


@pytest.mark.parametrize("each", FAMILIES, ids=lambda each: each.name)
def test_names_tell_component_and_module(each):
    layers = each.layers()
    assert {layer.component for layer in layers.values()} == {part.folder for part in each.components}
    assert all(f"{name}.weight" == layer.name for name, layer in each.modules().items())
    assert each.sources().keys() == layers.keys()


def test_tables_are_small_and_read_without_torch():
    assert sum(path.stat().st_size for path in TABLES.glob("*.tsv")) < 1_500_000
    assert "torch" not in vars(sys.modules["eleven.layers.table"])


def test_only_square_layers_are_stored_transposed():
    turned = [row for path in TABLES.glob("*.tsv") for row in rows(path.stem) if row.transposed]
    assert turned
    assert all(row.shape[0] == row.shape[1] for row in turned)
