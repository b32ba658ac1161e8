"""The tokenizer made from OpenAI's file is the one that everyone uses."""

from __future__ import annotations

import hashlib
import json

import pytest

from eleven.bases.clip_words import MERGES, clip_tokenizer, merges, vocabulary


def test_the_file_is_the_one_its_note_describes():
    note = (MERGES.parent / "README.md").read_text("utf-8")
    assert hashlib.sha256(MERGES.read_bytes()).hexdigest() in note
    assert "OpenAI" in (MERGES.parent / "LICENSE").read_text("utf-8")


def test_vocabulary_and_merges_equal_the_published_ones(assets):
    folder = assets / "clip_tokenizer"
    assert vocabulary() == json.loads((folder / "vocab.json").read_text("utf-8"))
    lines = (folder / "merges.txt").read_text("utf-8").splitlines()
    assert [" ".join(pair) for pair in merges()] == lines[1:]


def test_words_get_the_numbers_that_clip_was_trained_with():
    words = clip_tokenizer(length=77, padding="<|endoftext|>")
    assert words("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert words("A PHOTO  of a\ncat").input_ids == words("a photo of a cat").input_ids
    assert words.decode(words("naïve 東京 🙂!").input_ids, skip_special_tokens=True) == "naïve 東京 🙂!"


@pytest.mark.parametrize(("padding", "number"), [("<|endoftext|>", 49407), ("!", 0)])
def test_short_prompts_are_filled_up_and_long_ones_cut(padding, number):
    words = clip_tokenizer(length=77, padding=padding)
    asked = {"padding": "max_length", "truncation": True, "max_length": words.model_max_length}
    assert words("cat", **asked).input_ids == [49406, 2368, 49407, *[number] * 74]
    long = words("cat " * 200, **asked).input_ids
    assert (len(long), long[0], long[-1]) == (77, 49406, 49407)


def test_adding_a_word_leaves_other_tokenizers_alone():
    one, other = (clip_tokenizer(length=77, padding="!") for _ in range(2))
    one.add_tokens(["<me>"])
    assert one.convert_tokens_to_ids("<me>") == 49408
    assert (len(one), len(other), len(vocabulary())) == (49409, 49408, 49408)
