"""Textual inversions that a mix carries along, as tensors bundled into an adapter."""

from __future__ import annotations

from eleven.combination import Combination
from eleven.errors import TensorError
from eleven.files.dtypes import torch_type
from eleven.finetunes.finetune import FineTune
from eleven.techniques.textual_inversion import Word, read_output, read_word
from eleven.techniques.textual_inversion_writing import encode, encode_output
from eleven.tensors import Tensor


def bundled_words(combination: Combination, dialect: str, dtype: str) -> dict[str, Tensor]:
    """Every word of every part, as `bundle_emb.NAME.…`; none in the diffusers dialect, see `words_left_out`.

    TensorError where two parts teach one word differently.
    """
    found: dict[str, Tensor] = {}
    for _, finetune in combination.parts if dialect != "diffusers" else ():
        for word in finetune.words:
            for key, tensor in _tensors(word, finetune).items():
                rounded = tensor.to(torch_type(dtype))
                if key in found and not found[key].equal(rounded):
                    told = f"two parts teach the word {word.token!r} differently (last: {finetune.path.name})."
                    raise TensorError(told, hint="Rename one of the files, or leave it out.")
                found[key] = rounded
    return found


def words_left_out(combination: Combination, dialect: str) -> list[tuple[str, str]]:
    """The words that the dialect has no place for, with the reason: diffusers reads no embedding from an adapter."""
    tokens = [word.token for _, finetune in combination.parts for word in finetune.words]
    reason = "diffusers reads no words from an adapter: load the embedding beside it"
    return [(f"word {token}", reason) for token in dict.fromkeys(tokens)] if dialect == "diffusers" else []


def _tensors(word: Word, finetune: FineTune) -> dict[str, Tensor]:
    """Both sides of a word; an output side without the other is no word that any program could use."""
    name, read = bundled_name(word), finetune.container.read
    if not word.vectors:
        told = f"{finetune.path.name}: {word.token} has output vectors only, which no adapter can carry."
        raise TensorError(told, hint="Leave the file out.")
    return encode(name, read_word(word, read), layout="bundle") | encode_output(name, read_output(word, read))


def bundled_name(word: Word) -> str:
    """What the word is called in a bundle, and in prompts with it."""
    return word.token.strip("<>").replace(".", "_")
