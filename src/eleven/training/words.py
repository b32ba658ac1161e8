"""Textual inversion: new vectors for a new word learn, and nothing else (Gal 2022, arXiv 2208.01618)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from eleven.bases.architectures import Pipeline, text_encoders
from eleven.errors import UsageError
from eleven.techniques.textual_inversion_writing import encode
from eleven.tensors import Float, Tensor
from eleven.training.naming import names_for
from eleven.training.plan import TrainingPlan
from eleven.training.trainee import Trainee

PLACE = "<eleven-{}>"
"""The new tokens while training; prompts call the word by its file's name afterwards."""
VECTORS = "vectors"


def teach(pipeline: Pipeline, plan: TrainingPlan) -> Trainee:
    """The pipeline with `rank` new tokens in place of the trigger word, begun at the class word's vectors.

    UsageError without a trigger word, or where an encoder is no CLIP.
    """
    if not plan.trigger:
        raise UsageError("textual inversion teaches a word, and none was given.", hint="Use --trigger WORD.")
    places = [PLACE.format(number) for number in range(plan.rank)]
    learned: dict[str, torch.nn.Parameter] = {}
    undo: list[Callable[[], None]] = []
    for part, encoder in text_encoders(pipeline).items():
        tokenizer = part.replace("text_encoder", "tokenizer")
        if "CLIP" not in type(encoder).__name__:
            raise UsageError(f"a {type(encoder).__name__} learns no words.", hint="Train a LoRA.")
        rows = torch.nn.Parameter(first_vectors(getattr(pipeline, tokenizer), encoder, plan))
        learned[part], last = rows, int(getattr(pipeline, tokenizer).eos_token_id)
        undo += [_add_tokens(pipeline, tokenizer, places), _add_rows(encoder, rows), _mind_the_end(encoder, last)]

    def release() -> None:
        for one in reversed(undo):
            one()

    return Trainee(
        {f"{part}/{VECTORS}": rows for part, rows in learned.items()},
        {f"{part}/{VECTORS}": plan.text_learning_rate for part in learned},
        lambda: encode(plan.trigger, {part: rows.detach().float().cpu() for part, rows in learned.items()}),
        release,
        texts=True,
        family=names_for(pipeline, frozenset()).family,
        wording=lambda caption: caption.replace(plan.trigger, " ".join(places)),
        modelspec="textual-inversion",
        called_by_file=True,
    )


def first_vectors(tokenizer: Any, encoder: Any, plan: TrainingPlan) -> Float[Tensor, "rank dim"]:  # noqa: ANN401
    """The vectors of the class word (or of "a"), again and again, each moved a little so that they part."""
    ids = tokenizer(plan.class_word or "a", add_special_tokens=False).input_ids
    table = encoder.get_input_embeddings().weight.detach().float()
    chance = torch.Generator().manual_seed(plan.seed)
    first = table[[ids[number % len(ids)] for number in range(plan.rank)]]
    return first + torch.randn(first.shape, generator=chance).to(first) * 0.01 * table.std()


def _add_tokens(pipeline: Pipeline, name: str, places: list[str]) -> Callable[[], None]:
    before = getattr(pipeline, name)
    more = copy.deepcopy(before)
    more.add_tokens(places)
    setattr(pipeline, name, more)
    return lambda: setattr(pipeline, name, before)


def _add_rows(encoder: Any, rows: Tensor) -> Callable[[], None]:  # noqa: ANN401 - transformers' own types
    """The embedding with rows behind its own, which are not copied."""
    table = encoder.get_input_embeddings()
    count = len(table.weight)

    def forward(ids: Tensor) -> Tensor:
        known = functional.embedding(ids.clamp(max=count - 1), table.weight)
        new = functional.embedding((ids - count).clamp(min=0), rows).to(known.dtype)
        return torch.where((ids >= count)[..., None], new, known)

    table.forward = forward
    return lambda: table.__dict__.pop("forward", None)


def _mind_the_end(encoder: Any, last: int) -> Callable[[], None]:  # noqa: ANN401 - transformers' own types
    """Lets an old CLIP find the end of the text by its token, not by the highest number, which new tokens exceed."""
    models = [one for one in encoder.modules() if getattr(one, "eos_token_id", None) == 2]
    for one in models:
        one.eos_token_id = last

    def release() -> None:
        for one in models:
            one.eos_token_id = 2

    return release
