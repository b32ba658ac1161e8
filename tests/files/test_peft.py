"""PEFT's settings from JSON: what they mean for each module, and hostile or damaged ones."""

import json
import re
import time
from math import sqrt

import pytest
from peft.utils.other import get_pattern_key

from eleven.errors import FileError
from eleven.files import peft

LORA = {"peft_type": "LORA", "r": 8, "lora_alpha": 4}
OFT = {"peft_type": "OFT", "r": 0, "oft_block_size": 32, "peft_version": "0.21.2"}


def marks(fields, module="base_model.model.block.layer", rank=None):
    return peft.markers({"": peft.config(fields, "f")}, module, rank)


@pytest.mark.parametrize(
    ("fields", "scale"),
    [
        ({}, 0.5),
        ({"use_rslora": True}, 4 / sqrt(8)),
        ({"rank_pattern": {"layer": 2}}, 2.0),
        ({"alpha_pattern": {"block.layer": 16}}, 2.0),
        ({"rank_pattern": {"layer": 2}, "use_rslora": True}, 4 / sqrt(2)),
        ({"rank_pattern": {"ayer": 2, "other": 3}}, 0.5),
        ({"rank_pattern": None, "alpha_pattern": {}}, 0.5),
        ({"lora_alpha": 0}, 0.0),
        ({"target_modules": ["x"], "block_share": "old", "unheard": [{}]}, 0.5),
    ],
)
def test_scale_is_alpha_by_rank(fields, scale):
    assert marks(LORA | fields) == {"scale": pytest.approx(scale)}


@pytest.mark.parametrize("kind", ["LOHA", "LOKR"])
def test_loha_and_lokr_call_it_alpha(kind):
    assert marks({"peft_type": kind, "r": 8, "alpha": 2, "lora_alpha": 77}) == {"scale": 0.25}


def test_dora_marks_the_magnitudes_as_peft_writes_them():
    assert marks(LORA | {"use_dora": True}) == {"scale": 0.5, "dora_peft": 1.0}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"use_cayley_neumann": True}, {}),
        ({"use_cayley_neumann": False}, {"oft_R.exact": 1.0}),
        ({"num_cayley_neumann_terms": 7}, {"oft_R.terms": 7.0}),
        ({"coft": True, "eps": 0.01}, {"oft_R.coft": 0.01}),
        ({"coft": False, "eps": 0.01}, {}),
        ({"peft_version": "0.17.1"}, {"oft_R.old": 1.0}),
        ({"peft_version": None}, {"oft_R.old": 1.0}),
        ({"peft_version": "0.18.0.dev0@1234"}, {}),
        ({"peft_version": "1.2"}, {}),
    ],
)
def test_oft_marks_only_what_differs_from_peft_now(fields, expected):
    assert marks(OFT | fields) == expected


def test_other_types_need_no_mark():
    assert marks({"peft_type": "IA3"}) == {}


NAMES = ["a.b.layer", "layer", "a.layer", "b.layer", "xlayer", "a.b.layer.0", "down_blocks.0.attn.to_q"]
PATTERNS = [
    "layer",
    "b.layer",
    r".*\.layer",
    "^b.layer",
    "^a",
    "(a|b).layer",
    r"layer\.\d",
    "to_[qk]",
    "down.*to_.",
    "",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", PATTERNS)
def test_patterns_choose_as_peft_does(name, first):
    table = {key: index + 1 for index, key in enumerate([first, *(each for each in PATTERNS if each != first)])}
    expected = table.get(get_pattern_key(table.keys(), name), 99)
    assert marks(LORA | {"r": 1, "lora_alpha": 99, "alpha_pattern": table}, name)["scale"] == expected


def test_another_rank_than_the_tensors_is_refused():
    assert marks(LORA, rank=8) == {"scale": 0.5}
    with pytest.raises(FileError, match="tell rank 8"):
        marks(LORA, rank=4)
    assert marks({"peft_type": "LOKR", "r": 8, "alpha": 8}, rank=4) == {"scale": 1.0}


def test_diffusers_metadata_holds_a_config_for_each_component():
    fields = {"unet": {"r": 4, "lora_alpha": 8}, "text_encoder": {"r": 2, "lora_alpha": 1}}
    flat = {f"{part}.{key}": value for part, table in fields.items() for key, value in table.items()}
    flat["unet.rank_pattern"] = {"^mid_block.to_q": 16, "to_k": 1}
    configs = peft.embedded({"format": "pt", peft.METADATA: json.dumps(flat)}, "eve.safetensors")
    assert configs.keys() == {"unet", "text_encoder"}
    assert peft.markers(configs, "unet.down.to_v", 4) == {"scale": 2.0}
    assert peft.markers(configs, "unet.mid_block.to_q", 16) == {"scale": 0.5}
    assert peft.markers(configs, "text_encoder.layers.0", 2) == {"scale": 0.5}
    assert peft.markers(configs, "text_encoder_2.layers.0", 2) == {}
    assert peft.embedded({"format": "pt"}, "f") == {}


def test_a_bare_models_metadata_has_no_component():
    configs = peft.embedded({peft.METADATA: json.dumps({"r": 4, "lora_alpha": 8})}, "f")
    assert peft.markers(configs, "down.to_v", 4) == {"scale": 2.0}


def test_config_lies_beside_the_adapter(tmp_path):
    file = tmp_path / "adapter_model.safetensors"
    assert peft.beside(file) == {}
    (tmp_path / peft.NAME).write_text(json.dumps(LORA))
    assert peft.beside(file) == peft.beside(tmp_path) == {"": peft.config(LORA, "f")}


@pytest.mark.parametrize(
    "fields",
    [
        {"r": 0},
        {"r": -1},
        {"r": "8"},
        {"r": True},
        {"r": 1e300},
        {"r": float("nan")},
        {"lora_alpha": float("inf")},
        {"lora_alpha": [1]},
        {"use_rslora": 1},
        {"use_dora": "yes"},
        {"peft_type": 7},
        {"peft_version": 0.18},
        {"rank_pattern": [["layer", 2]]},
        {"rank_pattern": {"layer": "2"}},
        {"rank_pattern": {"layer": 0}},
        {"rank_pattern": {"lay(er": 2}},
        {"rank_pattern": {"(a+)+b": 2}},
        {"rank_pattern": {".*.*.*.*x": 2}},
        {"rank_pattern": {"[a]" + "b" * 500: 2}},
        {"alpha_pattern": {f"[{index}]": 2 for index in range(100)}},
    ],
)
def test_malformed_settings_are_refused_by_file(fields, tmp_path):
    (tmp_path / peft.NAME).write_text(json.dumps(LORA | fields))
    with pytest.raises(FileError, match=re.escape(str(tmp_path / peft.NAME))):
        peft.beside(tmp_path)
    with pytest.raises(FileError, match=r"eve\.safetensors"):
        peft.embedded(
            {peft.METADATA: json.dumps({f"unet.{k}": v for k, v in (LORA | fields).items()})}, "eve.safetensors"
        )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"r": ' + b"9" * 10_000 + b"}",
        b'{"r": 8' + b" " * (peft.LARGEST + 1) + b"}",
    ],
    ids=["empty", "cut", "list", "null", "bytes", "deep lists", "deep objects", "long number", "large"],
)
def test_damaged_json_is_refused_by_file(text, tmp_path):
    (tmp_path / peft.NAME).write_bytes(text)
    with pytest.raises(FileError, match=re.escape(str(tmp_path / peft.NAME))):
        peft.beside(tmp_path)


def test_many_plain_patterns_take_no_time():
    table = {f"block.{index}.to_q": 4 for index in range(5_000)}
    configs = {"": peft.config(LORA | {"rank_pattern": table}, "f")}
    start = time.perf_counter()
    for index in range(2_000):
        assert peft.markers(configs, f"base_model.model.unet.block.{index}.to_q", 4) == {"scale": 1.0}
    assert time.perf_counter() - start < 2
