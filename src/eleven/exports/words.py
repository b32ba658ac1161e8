"""Textual inversions that a mix carries along, as tensors bundled into an adapter."""

from __future__ import annotations

import torch

from eleven.combination import Combination
from eleven.errors import TensorError
from eleven.techniques.textual_inversion import Word, read_word
from eleven.techniques.textual_inversion_writing import encode
from eleven.tensors import Tensor


def bundled_words(combination: Combination, dtype: torch.dtype) -> dict[str, Tensor]:
    """Every word of every part, as `bundle_emb.NAME.…`. TensorError where two parts teach one word differently."""
    found: dict[str, Tensor] = {}
    for _, finetune in combination.parts:
        for word in finetune.words:
            vectors = read_word(word, finetune.container.read)
            for key, tensor in encode(bundled_name(word), vectors, layout="bundle").items():
                rounded = tensor.to(dtype)
                if key in found and not found[key].equal(rounded):
                    told = f"two parts teach the word {word.token!r} differently (last: {finetune.path.name})."
                    raise TensorError(told, hint="Rename one of the files, or leave it out.")
                found[key] = rounded
    return found


def bundled_name(word: Word) -> str:
    """What the word is called in a bundle, and in prompts with it."""
    return word.token.strip("<>").replace(".", "_")
