"""Prompts as conditions, and words that a mix teaches."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny_adapters as tiny
import torch
from pictures import PROMPT, SHOTS, furthest, mix_of, of_diffusers
from safetensors.torch import load_file

from eleven.bases.opening import open_base
from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.encoding import encoder_of, split
from eleven.engines.words import Vocabulary
from eleven.errors import FamilyMismatch, TensorError

ENCODERS = {
    "sd1": {"emb_params": 32},
    "sd2": {"emb_params": 32},
    "sdxl": {"clip_l": 32, "clip_g": 32},
    "sd3": {"clip_l": 32, "clip_g": 32, "t5xxl": 64},
    "flux": {"clip_l": 32, "t5xxl": 32},
}


def encoded(base, shot, told=None):
    notes = [] if told is None else told
    return encoder_of(base.pipeline, Vocabulary(base.pipeline), notes.append).encode(shot)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_plain_prompts_become_the_pipelines_own_embeddings(base_of, family):
    base = base_of(family)
    found = encoded(base, SHOTS[0])
    own = base.pipeline.encode_prompt(
        PROMPT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True, negative_prompt="dog"
    )
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    assert sorted(found) == sorted(names[: len(own)])
    for name, one in zip(names, own, strict=False):
        assert torch.equal(found[name], one), name


def test_clip_skip_counts_as_a1111_does(base_of):
    base = base_of("sd1")
    found = encoded(base, replace(SHOTS[0], clip_skip=2))["prompt_embeds"]
    model, tokenizer = base.pipeline.text_encoder, base.pipeline.tokenizer
    numbers = tokenizer(PROMPT, padding="max_length", return_tensors="pt").input_ids
    states = model(numbers, output_hidden_states=True).hidden_states[-2]
    assert torch.equal(found, model.final_layer_norm(states))
    sdxl = base_of("sdxl")
    both = [encoded(sdxl, replace(SHOTS[0], clip_skip=skip))["prompt_embeds"] for skip in (1, 2, 3)]
    assert torch.equal(both[0], both[1])
    assert not torch.equal(both[1], both[2])


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_weights_scale_their_tokens_and_keep_the_mean(base_of, family):
    base = base_of(family)
    plain, weighted = (
        encoded(base, replace(SHOTS[0], prompt=text)) for text in ("photo of a cat", "photo of a (cat:1.5)")
    )
    before, after = plain["prompt_embeds"], weighted["prompt_embeds"]
    ratio = (after / before)[0].median(1).values
    count = 1 + len(base.pipeline.tokenizer("photo of a", add_special_tokens=False).input_ids)
    assert torch.allclose(ratio[count] / ratio[0], torch.tensor(1.5), rtol=1e-4)
    assert torch.allclose(ratio[:count], ratio[0].expand(count), rtol=1e-4)
    if family == "sd1":
        assert torch.allclose(after.mean(), before.mean(), rtol=1e-3)
    else:
        assert torch.equal(weighted["pooled_prompt_embeds"], plain["pooled_prompt_embeds"])


def test_long_prompts_and_breaks_become_chunks_and_the_other_prompt_is_filled_up(base_of):
    base = base_of("sd1")
    long = encoded(base, replace(SHOTS[0], prompt="a cat " * 60))
    assert long["prompt_embeds"].shape[1] == 2 * 77
    assert long["negative_prompt_embeds"].shape[1] == 2 * 77
    parts = encoded(base, replace(SHOTS[0], prompt="a cat BREAK photo"))["prompt_embeds"]
    first = encoded(base, replace(SHOTS[0], prompt="a cat"))["prompt_embeds"]
    assert torch.allclose(parts[:, :77], first, atol=1e-6)
    assert parts.shape[1] == 2 * 77


def test_chunks_end_behind_a_comma_near_their_end():
    tokens = [(7 if at == 60 else 1, 1.0) for at in range(100)]
    assert [len(chunk) for chunk in split(tokens, 75, 7)] == [61, 39]
    assert [len(chunk) for chunk in split(tokens, 75, 8)] == [75, 25]
    assert split([], 75, 7) == [[]]


def test_shots_of_different_lengths_do_not_change_each_other(base_of):
    shots = [SHOTS[0], replace(SHOTS[1], prompt="a cat " * 60), SHOTS[2]]
    with DiffusersEngine(base_of("sd1")) as engine:
        made = list(engine.take(None, shots))
        alone = [next(engine.take(None, [shot])) for shot in shots]
    assert max(furthest(*(one.pixels for one in pair)) for pair in zip(made, alone, strict=True)) <= 1


@pytest.mark.parametrize(("family", "told"), [("sd3", 1), ("flux", 3)])
def test_what_a_t5_beside_cannot_have_is_told(base_of, family, told):
    shot = replace(SHOTS[0], prompt="photo of a (cat:1.3)", clip_skip=2)
    notes = []
    with_weights = encoded(base_of(family), shot, notes)
    without = encoded(base_of(family), replace(shot, prompt=PROMPT), [])
    assert len(notes) == told
    assert all(torch.equal(with_weights[name], without[name]) for name in without)


def state_of(base):
    """What a vocabulary could change."""
    found = {}
    for part in ("text_encoder", "text_encoder_2", "text_encoder_3"):
        model = getattr(base.pipeline, part, None)
        if model is not None:
            embedding = model.get_input_embeddings()
            numbers = embedding.weight.detach().clone()
            found[part] = (embedding.weight, embedding.num_embeddings, numbers, len(list(model.parameters())))
    tokenizers = [getattr(base.pipeline, f"tokenizer{end}", None) for end in ("", "_2", "_3")]
    return found, [(one, one and len(one)) for one in tokenizers]


@pytest.mark.parametrize("family", ENCODERS)
def test_words_come_and_go_without_a_trace(base_of, tmp_path, family):
    base = base_of(family)
    before, tokenizers = state_of(base)
    file = tiny.word(tmp_path / "myword.safetensors", ENCODERS[family], seed=1)
    shot = replace(SHOTS[0], prompt="photo of MyWord")
    with DiffusersEngine(base) as engine:
        plain = next(engine.take(None, [shot]))
        taught = next(engine.take(mix_of((file, 1.0)), [shot]))
        assert furthest(plain.pixels, taught.pixels) > 1
        assert furthest(next(engine.take(None, [shot])).pixels, plain.pixels) == 0
        after, later = state_of(base)
        assert later == tokenizers
        for part, (weight, count, numbers, parameters) in before.items():
            assert after[part][0] is weight
            assert (after[part][1], after[part][3]) == (count, parameters)
            assert torch.equal(after[part][2], numbers)


def test_a_word_is_what_diffusers_makes_of_the_same_file(base_of, folder_of, tmp_path):
    file = tiny.word(tmp_path / "myword.safetensors", {"emb_params": 32}, seed=1, vectors=3)
    shot = replace(SHOTS[0], prompt="photo of myword cat")
    with DiffusersEngine(base_of("sd1")) as engine:
        made = next(engine.take(mix_of((file, 1.0)), [shot]))
    other = open_base(folder_of("sd1"), device="cpu").pipeline
    other.load_textual_inversion(load_file(file)["emb_params"], token="myword")
    assert furthest(made.pixels, of_diffusers(other, shot)) <= 1


def test_words_stand_for_themselves_only(base_of, tmp_path):
    file = tiny.word(tmp_path / "cat.safetensors", {"emb_params": 32}, seed=1)
    longer = tiny.word(tmp_path / "cat-photo.safetensors", {"emb_params": 32}, seed=2, vectors=1)
    base = base_of("sd1")
    with DiffusersEngine(base) as engine:
        engine.switch(engine.combination(mix_of((file, 1.0), (longer, 1.0))))
        (slot,) = engine.vocabulary.slots
        spelled = engine.vocabulary.spell("a cat, cats, CAT-photo", slot)
        assert (
            spelled == "a <|word-1|><|word-2|>, cats, <|word-0|>"
            or spelled == "a <|word-0|><|word-1|>, cats, <|word-2|>"
        )
        numbers = base.pipeline.tokenizer(spelled, add_special_tokens=False).input_ids
        assert sum(number >= 521 for number in numbers) == 3


def test_a_word_that_no_prompt_says_is_told_once(base_of, tmp_path):
    file, told = tiny.word(tmp_path / "myword.safetensors", {"emb_params": 32}, seed=1), []
    with DiffusersEngine(base_of("sd1"), tell=told.append) as engine:
        plain, *silent = (next(engine.take(mix, SHOTS[:1])) for mix in (None, mix_of((file, 1.0)), mix_of((file, 1.0))))
        assert max(furthest(plain.pixels, one.pixels) for one in silent) == 0
        next(engine.take(mix_of((file, 1.0)), [replace(SHOTS[0], prompt="MYWORD, cat")]))
    assert told == ["the word 'myword' is taught, and no prompt says it: it changes nothing"]


def test_words_for_other_bases_and_two_of_one_name_are_refused(base_of, tmp_path):
    with DiffusersEngine(base_of("sd1")) as engine:
        wide = tiny.word(tmp_path / "wide.safetensors", {"emb_params": 768}, seed=1)
        with pytest.raises(FamilyMismatch, match="768 numbers a vector"):
            next(engine.take(mix_of((wide, 1.0)), SHOTS[:1]))
        (tmp_path / "x").mkdir()
        files = [
            tiny.word(place / "w.safetensors", {"emb_params": 32}, seed=at)
            for at, place in enumerate((tmp_path, tmp_path / "x"))
        ]
        with pytest.raises(TensorError, match="differently"):
            next(engine.take(mix_of(*((file, 1.0) for file in files)), SHOTS[:1]))
        assert next(engine.take(None, SHOTS[:1])).pixels.any()
