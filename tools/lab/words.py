"""The lab's tokenizer and text encoder: CLIP's own kinds, with a vocabulary of the lab's words."""

from __future__ import annotations

from collections.abc import Iterable

from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from eleven.lab.captions import WORDS

LENGTH, WIDTH, LAYERS, HEADS = 40, 96, 3, 4
NAMES = ("sks", "ohwx", "zwx", "bnha")
"""Words without a meaning that are one token each, to be triggers."""
START, END = "<|startoftext|>", "<|endoftext|>"


def letters() -> list[str]:
    """How byte-level tokenizers write the 256 bytes: what can be printed as itself, the rest from 256 on."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(code) for code in own] + [chr(256 + number) for number in range(256 - len(own))]


def pieces(word: str, merges: Iterable[tuple[str, str]]) -> list[str]:
    """The word after these merges, applied in their order of rank."""
    parts = [*word[:-1], word[-1] + "</w>"]
    for pair in merges:
        place = 0
        while place < len(parts) - 1:
            if (parts[place], parts[place + 1]) == pair:
                parts[place : place + 2] = ["".join(pair)]
            place += 1
    return parts


def merges_for(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges after which each word is one token; later ones never undo earlier words, as their ranks are lower."""
    merges: dict[tuple[str, str], None] = {}
    for word in words:
        parts = pieces(word, merges)
        while len(parts) > 1:
            merges[parts[0], parts[1]] = None
            parts[:2] = [parts[0] + parts[1]]
    return list(merges)


def make_tokenizer() -> CLIPTokenizer:
    """The tokenizer; any text can be written, the lab's words in one token each."""
    merges = merges_for([*WORDS, *NAMES])
    words = [*letters(), *(letter + "</w>" for letter in letters()), *("".join(merge) for merge in merges)]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*words, START, END]))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)


def make_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The untrained text encoder."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=3 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            max_position_embeddings=LENGTH,
            projection_dim=WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
