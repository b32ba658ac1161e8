"""Textual inversions put into a pipeline's tokenizers and text encoders, and taken out again without a trace."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

from eleven.combination import Combination
from eleven.errors import FamilyMismatch, TensorError
from eleven.techniques.textual_inversion import THIRD, read_word
from eleven.tensors import Float, Tensor

Vectors = Mapping[str, Float[Tensor, "n dim"]]
"""A word's vectors by the encoder that they are for."""


@dataclass(frozen=True)
class Slot:
    """One tokenizer of a pipeline and its encoder; `name` is what textual inversions call the encoder."""

    tokenizer: str
    encoder: str
    name: str


@final
@dataclass(frozen=True, eq=False)
class Swapped:
    """What stood in the pipeline before: to be put back."""

    owner: object
    attribute: str
    value: object


@final
class Vocabulary:
    """The words that a pipeline knows beyond its own; every vector is one new token in the encoder's embedding."""

    def __init__(self, pipeline: Any) -> None:  # noqa: ANN401 - a pipeline of any family
        self._pipeline = pipeline
        self.slots = slots_of(pipeline)
        self._tokens: dict[str, dict[str, str]] = {}
        self._before: list[Swapped] = []

    def put(self, words: Mapping[str, Vectors]) -> None:
        """Exactly these words are known. FamilyMismatch where vectors do not fit the encoder."""
        self.remove()
        for slot in self.slots:
            mine = {token: vectors[slot.name] for token, vectors in words.items() if slot.name in vectors}
            if mine:
                self._put(slot, mine)

    def remove(self) -> None:
        """Tokenizers and encoders are what they were, the very same objects."""
        for one in reversed(self._before):
            setattr(one.owner, one.attribute, one.value)
        self._before.clear()
        self._tokens.clear()

    def unsaid(self, texts: Iterable[str]) -> list[str]:
        """The words that stand in none of these texts."""
        words = {word for tokens in self._tokens.values() for word in tokens}
        said = {found.lower() for text in texts for found in standing(words).findall(text)} if words else words
        return sorted(words - said)

    def spell(self, text: str, slot: Slot) -> str:
        """The text with each word, in any case, as the new tokens that stand for it in this encoder."""
        tokens = self._tokens.get(slot.encoder, {})
        return standing(tokens).sub(lambda found: tokens[found.group().lower()], text) if tokens else text

    def _put(self, slot: Slot, words: Mapping[str, Float[Tensor, "n dim"]]) -> None:
        encoder, tokenizer = getattr(self._pipeline, slot.encoder), getattr(self._pipeline, slot.tokenizer)
        embedding: nn.Parameter = encoder.get_input_embeddings().weight
        for token, vectors in words.items():
            if vectors.shape[1] != embedding.shape[1]:
                told = f"the word {token!r} has {vectors.shape[1]} numbers a vector, the base's {slot.encoder} "
                raise FamilyMismatch(f"{told}{embedding.shape[1]}.", hint="Use an embedding made for this base.")
        rows = torch.cat(list(words.values()))
        names = [f"<|word-{number}|>" for number in range(len(rows))]
        larger = with_tokens(tokenizer, names)
        self._swap(self._pipeline, slot.tokenizer, larger)
        self._swap_embedding(encoder, embedding, larger.convert_tokens_to_ids(names), rows)
        for module in encoder.modules():
            if getattr(module, "eos_token_id", None) is not None:
                self._swap(module, "eos_token_id", tokenizer.eos_token_id)
        self._tokens[slot.encoder] = {}
        start = 0
        for token, vectors in words.items():
            self._tokens[slot.encoder][token.lower()] = "".join(names[start : start + len(vectors)])
            start += len(vectors)

    def _swap_embedding(self, encoder: nn.Module, old: nn.Parameter, numbers: list[int], rows: Tensor) -> None:
        size = max(len(old), max(numbers) + 1)
        weight = old.data.new_zeros(size, old.shape[1])
        weight[: len(old)] = old.data
        weight[numbers] = rows.to(weight)
        new = nn.Parameter(weight, requires_grad=False)
        for module in encoder.modules():
            if isinstance(module, nn.Embedding) and module.weight is old:
                self._swap(module, "weight", new)
                self._swap(module, "num_embeddings", size)

    def _swap(self, owner: object, attribute: str, value: object) -> None:
        self._before.append(Swapped(owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, value)


def standing(words: Iterable[str]) -> re.Pattern[str]:
    """Finds any of these words where it stands alone, the longest first, in any case."""
    longest = sorted(words, key=len, reverse=True)
    return re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest), re.IGNORECASE)


def slots_of(pipeline: Any) -> tuple[Slot, ...]:  # noqa: ANN401
    """The tokenizers with their encoders; a T5 is the third encoder for embeddings, wherever it stands."""
    found: list[Slot] = []
    for suffix in ("", "_2", "_3"):
        tokenizer, encoder = f"tokenizer{suffix}", f"text_encoder{suffix}"
        model = getattr(pipeline, encoder, None)
        if model is not None and getattr(pipeline, tokenizer, None) is not None:
            is_t5 = model.config.model_type == "t5"
            found.append(Slot(tokenizer, encoder, THIRD if is_t5 else encoder))
    return tuple(found)


def with_tokens(tokenizer: Any, names: Iterable[str]) -> Any:  # noqa: ANN401
    """A copy of the tokenizer that takes each of these names as one new token."""
    from transformers import AddedToken

    larger = copy.deepcopy(tokenizer)
    larger.add_tokens([AddedToken(name, normalized=False) for name in names])
    return larger


def words_of(combination: Combination) -> dict[str, Vectors]:
    """The words of a mix's active parts. TensorError where two teach one differently, or for output vectors."""
    found: dict[str, Vectors] = {}
    for _, finetune in combination.parts:
        for word in finetune.words:
            if word.output:
                told = f"{finetune.path.name}: {word.token} has output vectors, which no pipeline has a place for."
                raise TensorError(told, hint="Leave the file out, or save the word without them.")
            vectors = read_word(word, finetune.container.read)
            known = found.setdefault(word.token, vectors)
            if not same(known, vectors):
                told = f"two parts teach the word {word.token!r} differently (last: {finetune.path.name})."
                raise TensorError(told, hint="Rename one of the files, or leave it out.")
    return found


def same(first: Vectors, second: Vectors) -> bool:
    """Whether two words are equal."""
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)
