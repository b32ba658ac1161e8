"""Words: every layout that programs write, found from names and shapes, read, and written again."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eleven.errors import TensorError
from eleven.files.opening import open_container
from eleven.techniques.textual_inversion import Found, Rows, Word, find_words, read_word
from eleven.techniques.textual_inversion_writing import encode

L, G, T5, SD2 = (3, 768), (3, 1280), (3, 4096), (3, 1024)
FIRST, SECOND, THIRD = "text_encoder", "text_encoder_2", "text_encoder_3"


def word(token, **vectors):
    return Word(token, {encoder: Rows(keys, shape) for encoder, (keys, shape) in vectors.items()})


LAYOUTS = {
    "A1111": ({"string_to_param.*": L}, {"name": "x"}, word("file", text_encoder=(("string_to_param.*",), L))),
    "A1111 with its token as a tensor": (
        {"string_to_token.*": (), "string_to_param.*": SD2},
        {},
        word("file", text_encoder=(("string_to_param.*",), SD2)),
    ),
    "A1111 with another key": (
        {"string_to_param.<cat>": L},
        {"string_to_token.<cat>": "265"},
        word("<cat>", text_encoder=(("string_to_param.<cat>",), L)),
    ),
    "kohya": ({"emb_params": L}, {}, word("file", text_encoder=(("emb_params",), L))),
    "kohya SDXL": (
        {"clip_l": L, "clip_g": G},
        {},
        word("file", text_encoder=(("clip_l",), L), text_encoder_2=(("clip_g",), G)),
    ),
    "clip_g alone": ({"clip_g": G}, {}, word("file", text_encoder_2=(("clip_g",), G))),
    "SD 3": (
        {"clip_l": L, "clip_g": G, "t5": T5},
        {},
        word("file", text_encoder=(("clip_l",), L), text_encoder_2=(("clip_g",), G), text_encoder_3=(("t5",), T5)),
    ),
    "FLUX.1": (
        {"clip_l": L, "t5xxl": T5},
        {},
        word("file", text_encoder=(("clip_l",), L), text_encoder_2=(("t5xxl",), T5)),
    ),
    "ComfyUI SD 2": ({"clip_h": SD2}, {}, word("file", text_encoder=(("clip_h",), SD2))),
    "ComfyUI Qwen": ({"qwen25_7b": (2, 3584)}, {}, word("file", qwen25_7b=(("qwen25_7b",), (2, 3584)))),
    "OneTrainer": (
        {"emp_params": L, "emp_params_out": L},
        {},
        Word("file", {FIRST: Rows(("emp_params",), L)}, {FIRST: Rows(("emp_params_out",), L)}),
    ),
    "OneTrainer SDXL": (
        {"clip_l": L, "clip_l_out": L, "clip_g": G, "clip_g_out": G},
        {},
        Word(
            "file",
            {FIRST: Rows(("clip_l",), L), SECOND: Rows(("clip_g",), G)},
            {FIRST: Rows(("clip_l_out",), L), SECOND: Rows(("clip_g_out",), G)},
        ),
    ),
    "diffusers": ({"<flora>": (768,)}, {}, word("<flora>", text_encoder=(("<flora>",), (1, 768)))),
    "diffusers without brackets": ({"lora-cat": L}, {}, word("lora-cat", text_encoder=(("lora-cat",), L))),
    "diffusers of a small model": ({"<cat>": (2, 32)}, {}, word("<cat>", text_encoder=(("<cat>",), (2, 32)))),
    "diffusers SDXL's second": ({"<cat>": (1280,)}, {}, word("<cat>", text_encoder_2=(("<cat>",), (1, 1280)))),
    "a bare tensor": ({"0": L}, {}, word("file", text_encoder=(("0",), L))),
    "ComfyUI's list": (
        {"0.clip_l": L, "1.clip_l": L},
        {},
        word("file", text_encoder=(("0.clip_l", "1.clip_l"), (6, 768))),
    ),
    "ai-toolkit": (
        {"emb_params": L},
        {"string_to_param": '{"*": "emb_params"}', "name": "x"},
        word("file", text_encoder=(("emb_params",), L)),
    ),
}


def found(shapes, metadata=None, **more):
    return find_words(shapes, metadata or {}, name="file", **more)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised_and_explains_all_its_keys(layout):
    shapes, metadata, expected = LAYOUTS[layout]
    assert found(shapes, metadata) == Found((expected,), frozenset(shapes))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_vectors_are_read_as_rows_of_float32(layout):
    shapes, metadata, _ = LAYOUTS[layout]
    tensors = {key: torch.randn(shape).half() for key, shape in shapes.items()}
    (only,) = found(shapes, metadata).words
    for encoder, rows in read_word(only, tensors.__getitem__).items():
        expected = torch.cat([tensors[key].float().reshape(-1, rows.shape[1]) for key in only.vectors[encoder].keys])
        assert rows.dtype == torch.float32 and torch.equal(rows, expected)
        assert tuple(rows.shape) == only.vectors[encoder].shape


ADAPTER = {"lora_unet_x.lora_up.weight": (768, 4), "lora_unet_x.lora_down.weight": (4, 768), "lora_unet_x.alpha": ()}
BUNDLES = {
    "cat": {"bundle_emb.cat.string_to_param.*": L},
    "dog": {"bundle_emb.dog.clip_l": L, "bundle_emb.dog.clip_g": G},
    "fox": {"bundle_emb.fox.emb_params": L},
    "v1.5": {"bundle_emb.v1.5.clip_l": L, "bundle_emb.v1.5.clip_g": G},
    "owl": {"bundle_emb.owl.clip_l": L, "bundle_emb.owl.clip_l_out": L, "bundle_emb.owl.t5": T5},
}


@pytest.mark.parametrize("token", BUNDLES)
def test_words_bundled_in_an_adapter_leave_its_other_keys(token):
    told = found(ADAPTER | BUNDLES[token])
    assert [one.token for one in told.words] == [token] and told.keys == set(BUNDLES[token])


def test_several_bundles_are_several_words():
    told = found(ADAPTER | {key: shape for bundle in BUNDLES.values() for key, shape in bundle.items()})
    assert {one.token for one in told.words} == set(BUNDLES)
    assert told.words[-1].output == {FIRST: Rows(("bundle_emb.owl.clip_l_out",), L)}


def test_pivotal_tuning_words_are_told_by_their_metadata():
    shapes = {"unet:0:up": (320, 4), "unet:0:down": (4, 768), "<s1>": (768,), "<s2>": (2, 768)}
    told = found(shapes, {"<s1>": "<embed>", "<s2>": "<embed>", "unet:0:rank": "4"})
    assert [one.token for one in told.words] == ["<s1>", "<s2>"] and told.keys == {"<s1>", "<s2>"}
    assert found(shapes).words == ()


@pytest.mark.parametrize(
    "shapes",
    [
        ADAPTER,
        {"0": (768, 4), "1": (4, 768)},
        {"a.weight": (4, 768)},
        {"norm.bias": (768,)},
        {"a": (4, 33)},
        {"a": (4, 768), "b": (3, 3, 768)},
        {"a": ()},
        {"<a>": (0, 768)},
        {},
    ],
)
def test_what_is_no_word_is_left_alone(shapes):
    assert found(shapes) == Found((), frozenset())


def test_whole_numbers_are_no_vectors():
    assert found({"emb_params": L}, dtypes={"emb_params": "I64"}).words == ()


def test_widths_tell_the_family():
    families = {name: found(*LAYOUTS[name][:2]).words[0].family for name in LAYOUTS}
    assert families["A1111"] == "SD 1" and families["ComfyUI SD 2"] == "SD 2" and families["kohya SDXL"] == "SDXL"
    assert families["SD 3"] == "SD 3" and families["FLUX.1"] == "FLUX.1" and families["ComfyUI Qwen"] is None


def test_vectors_that_are_no_numbers_are_refused():
    (only,) = found({"emb_params": L}).words
    with pytest.raises(TensorError, match="emb_params: the vectors of file hold NaN"):
        read_word(only, lambda key: torch.full(L, float("nan")))


def test_lists_of_different_widths_are_refused():
    with pytest.raises(TensorError, match=r"1.clip_l: 1024 numbers"):
        found({"0.clip_l": L, "1.clip_l": SD2})


ENCODERS = st.sampled_from(
    [
        *({FIRST: width} for width in (32, 768, 1024)),
        *({SECOND: 1280}, {THIRD: 4096}, {FIRST: 768, SECOND: 1280}),
        *({FIRST: 768, SECOND: 4096}, {FIRST: 768, SECOND: 1280, THIRD: 4096}),
    ]
)


@given(ENCODERS, st.integers(1, 4), st.sampled_from(["kohya", "bundle"]))
def test_what_is_written_is_found_again(widths, count, layout):
    vectors = {encoder: torch.randn(count, width) for encoder, width in widths.items()}
    tensors = encode("file", vectors, layout=layout)
    told = found({key: tuple(tensor.shape) for key, tensor in tensors.items()})
    read = read_word(told.words[0], tensors.__getitem__)
    assert told.keys == set(tensors) and told.words[0].token == "file" and set(read) == set(vectors)
    assert all(torch.equal(read[encoder], vectors[encoder]) for encoder in vectors)


def test_diffusers_keeps_one_encoder_under_the_token():
    assert list(encode("<cat>", {FIRST: torch.ones(2, 768)}, layout="diffusers")) == ["<cat>"]
    with pytest.raises(TensorError, match="one encoder a file"):
        encode("<cat>", {FIRST: torch.ones(2, 768), SECOND: torch.ones(2, 1280)}, layout="diffusers")


@pytest.mark.parametrize("vectors", [{}, {FIRST: torch.ones(768)}, {FIRST: torch.ones(0, 768)}])
def test_words_without_rows_cannot_be_written(vectors):
    with pytest.raises(TensorError, match=r"shape \(n, dim\)"):
        encode("cat", vectors)


def test_bundled_names_hold_no_dot():
    with pytest.raises(TensorError, match="cannot hold a dot"):
        encode("v1.5", {FIRST: torch.ones(1, 768)}, layout="bundle")


def test_every_real_embedding_is_read_whole(assets):
    endings = (".bin", ".pt", ".safetensors")
    places = [place for place in (assets / "ti_misc").iterdir() if place.suffix in endings]
    places += [*(assets / "ti_yuno_trajectory").glob("*.pt"), assets / "lora_cloneofsimo" / "lora_kiriko2.ti.pt"]
    for place in places:
        with open_container(place) as file:
            shapes = {key: entry.shape for key, entry in file.entries.items()}
            told = find_words(shapes, file.metadata, name=place.stem)
            (vectors,) = read_word(told.words[0], file.read).values()
        assert told.keys == set(shapes) and told.words[0].family == ("SD 2" if "sd2" in place.name else "SD 1")
        assert vectors.norm() > 0
    assert len(places) >= 29
