"""Prompts as what a pipeline is conditioned on: weighted 75-token chunks for CLIP, the pipeline's own way beside T5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol, final

import torch

from eleven.engines.engine import Shot
from eleven.engines.prompts import is_weighted, plain_text, read_prompt, unread
from eleven.engines.words import Slot, Vocabulary
from eleven.tensors import Float, Tensor

Conditions = dict[str, Tensor]
"""Arguments of a pipeline's call, one row a picture."""
Tell = Callable[[str], object]
"""Takes a sentence on what a picture cannot have of what its shot asks for."""
BACKTRACK = 20
"""How far before the end of a chunk a comma is looked for to break at (A1111, comma padding)."""
NEGATIVE = "negative_"


class Encoder(Protocol):
    """Turns the words of a shot into conditions."""

    def encode(self, shot: Shot) -> Conditions:
        """The conditions of one shot."""
        ...


def encoder_of(pipeline: Any, vocabulary: Vocabulary, tell: Tell) -> Encoder:  # noqa: ANN401 - of any family
    """The encoder that fits a pipeline's text encoders."""
    if all(slot.encoder == slot.name for slot in vocabulary.slots) and hasattr(pipeline, "unet"):
        return ClipEncoder(pipeline, vocabulary, tell)
    return PipelineEncoder(pipeline, vocabulary, tell)


@final
@dataclass(frozen=True, eq=False)
class ClipEncoder:
    """Implements `Encoder` for one or two CLIPs: every 75 tokens are encoded by themselves and set side by side.

    A weighted chunk is multiplied token by token and brought back to its mean, as A1111's default emphasis does.
    """

    pipeline: Any
    vocabulary: Vocabulary
    tell: Tell

    @torch.no_grad()
    def encode(self, shot: Shot) -> Conditions:
        """The conditions of one shot; the shorter of its two prompts is filled up with empty chunks."""
        for prompt in (shot.prompt, shot.negative):
            for told in unread(prompt):
                self.tell(told)
        chunked = [
            [self.chunks(prompt, slot) for slot in self.vocabulary.slots] for prompt in (shot.prompt, shot.negative)
        ]
        guided = shot.guidance > 1
        length = max(len(chunks) for chunks in (*chunked[0], *(chunked[1] if guided else ())))
        found = self.conditions(chunked[0], length, shot.clip_skip)
        if not guided:
            return found
        negative = self.conditions(chunked[1], length, shot.clip_skip)
        blank = not shot.negative and getattr(self.pipeline.config, "force_zeros_for_empty_prompt", False)
        return found | {NEGATIVE + name: torch.zeros_like(one) if blank else one for name, one in negative.items()}

    def conditions(self, chunked: Sequence[Chunks], length: int, clip_skip: int) -> Conditions:
        """One prompt's embeddings, the encoders' side by side, and where there are two the last one's pooled one."""
        both = [
            self.run(slot, filled(chunks, length, self.empty(slot)), clip_skip)
            for slot, chunks in zip(self.vocabulary.slots, chunked, strict=True)
        ]
        joined = {"prompt_embeds": torch.cat([embeds for embeds, _ in both], dim=-1)}
        pooled = both[-1][1]
        return joined if pooled is None else joined | {"pooled_prompt_embeds": pooled}

    def run(self, slot: Slot, chunks: Chunks, clip_skip: int) -> tuple[Tensor, Tensor | None]:
        """What one encoder makes of the chunks: (1, tokens, width), and the first chunk's pooled embedding or None."""
        encoder = getattr(self.pipeline, slot.encoder)
        numbers = torch.tensor([[token for token, _ in chunk] for chunk in chunks], device=encoder.device)
        out = encoder(numbers, output_hidden_states=True)
        if len(self.vocabulary.slots) > 1:
            states, pooled = out.hidden_states[-max(clip_skip, 2)], out[0][:1] if out[0].ndim == 2 else None
        else:
            states, pooled = last_states(encoder, out, clip_skip), None
        weights = torch.tensor([[weight for _, weight in chunk] for chunk in chunks], device=states.device)
        return emphasized(states, weights.to(states.dtype)).reshape(1, -1, states.shape[-1]), pooled

    def chunks(self, prompt: str, slot: Slot) -> Chunks:
        """The prompt's tokens with their weights, each chunk begun, ended and filled up as the tokenizer does it."""
        tokenizer = getattr(self.pipeline, slot.tokenizer)
        comma = tokenizer.convert_tokens_to_ids(",</w>")
        out: list[list[Token]] = []
        for section in read_prompt(prompt):
            tokens: list[Token] = []
            for piece in section:
                text = self.vocabulary.spell(piece.text, slot)
                numbers = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
                tokens += [(number, piece.weight) for number in numbers]
            out += split(tokens, self.room(slot), comma)
        return [self.framed(chunk, slot) for chunk in out]

    def empty(self, slot: Slot) -> list[Token]:
        """A chunk of no words."""
        return self.framed([], slot)

    def framed(self, chunk: list[Token], slot: Slot) -> list[Token]:
        """The chunk between the tokens for start and end, and padded."""
        tokenizer = getattr(self.pipeline, slot.tokenizer)
        start, end, pad = (
            (number, 1.0) for number in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
        )
        return [start, *chunk, end, *[pad] * (self.room(slot) - len(chunk))]

    def room(self, slot: Slot) -> int:
        """How many tokens a chunk has beside start and end: 75."""
        tokenizer, encoder = getattr(self.pipeline, slot.tokenizer), getattr(self.pipeline, slot.encoder)
        return min(tokenizer.model_max_length, encoder.config.max_position_embeddings) - 2


Token = tuple[int, float]
"""A token's number and its weight."""
Chunks = list[list[Token]]


def split(tokens: list[Token], room: int, comma: int | None) -> Chunks:
    """Tokens in chunks that fit, broken behind a comma where one stands near the end; one empty chunk for none."""
    out: Chunks = []
    left = tokens
    while len(left) > room:
        commas = [at + 1 for at in range(room - BACKTRACK, room) if left[at][0] == comma]
        cut = max(commas, default=room)
        out.append(left[:cut])
        left = left[cut:]
    return [*out, left]


def filled(chunks: Chunks, length: int, empty: list[Token]) -> Chunks:
    """The chunks with empty ones behind, up to a length."""
    return [*chunks, *[empty] * (length - len(chunks))]


def last_states(encoder: Any, out: Any, clip_skip: int) -> Float[Tensor, "chunk token width"]:  # noqa: ANN401
    """The states of the last layer but some, always normalised."""
    if clip_skip <= 1:
        return out[0]
    return getattr(encoder, "text_model", encoder).final_layer_norm(out.hidden_states[-clip_skip])


def emphasized(
    states: Float[Tensor, "chunk token width"], weights: Float[Tensor, "chunk token"]
) -> Float[Tensor, "chunk token width"]:
    """The states times their weights, each chunk brought back to its mean; untouched where all weights are 1."""
    if bool((weights == 1).all()):
        return states
    moved = states * weights[..., None]
    change = states.float().mean((1, 2), keepdim=True) / moved.float().mean((1, 2), keepdim=True)
    touched = (weights != 1).any(1)[:, None, None]
    return torch.where(touched, moved * change.to(moved.dtype), states)


@final
@dataclass(frozen=True, eq=False)
class PipelineEncoder:
    """Implements `Encoder` where a T5 reads along: words alone, encoded by the pipeline itself; tells what is lost."""

    pipeline: Any
    vocabulary: Vocabulary
    tell: Tell

    @torch.no_grad()
    def encode(self, shot: Shot) -> Conditions:
        """The conditions of one shot."""
        self.tell_lost(shot)
        return self.of_three(shot) if "_3" in self.suffixes else self.of_two(shot)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How the arguments for the encoders' prompts end."""
        known = signature(self.pipeline.encode_prompt).parameters
        return tuple(suffix for suffix in ("", "_2", "_3") if f"prompt{suffix}" in known)

    def of_two(self, shot: Shot) -> Conditions:
        """FLUX: the guidance is a condition of its own, and there is no negative prompt."""
        embeds, pooled, _ = self.pipeline.encode_prompt(**self.texts(shot.prompt), device=None)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def of_three(self, shot: Shot) -> Conditions:
        """SD 3."""
        negative = {NEGATIVE + name: text for name, text in self.texts(shot.negative).items()}
        found = self.pipeline.encode_prompt(
            **self.texts(shot.prompt),
            **negative,
            do_classifier_free_guidance=shot.guidance > 1,
            clip_skip=shot.clip_skip - 2 if shot.clip_skip > 2 else None,
        )
        names = ("prompt_embeds", NEGATIVE + "prompt_embeds", "pooled_prompt_embeds", NEGATIVE + "pooled_prompt_embeds")
        return {name: one for name, one in zip(names, found, strict=True) if one is not None}

    def texts(self, prompt: str) -> dict[str, str]:
        """The words for each encoder, a textual inversion as that encoder's own tokens."""
        text = plain_text(prompt)
        slots = {slot.encoder.removeprefix("text_encoder"): slot for slot in self.vocabulary.slots}
        return {
            f"prompt{suffix}": self.vocabulary.spell(text, slots[suffix]) if suffix in slots else text
            for suffix in self.suffixes
        }

    def tell_lost(self, shot: Shot) -> None:
        """What the shot asks for and these encoders cannot give."""
        if is_weighted(shot.prompt) or is_weighted(shot.negative):
            self.tell("weights in prompts are left out: a T5 encoder does not know them")
        for told in (*unread(shot.prompt), *unread(shot.negative)):
            self.tell(told)
        if "_3" not in self.suffixes:
            if shot.negative:
                self.tell("the negative prompt is left out: this base takes its guidance as a number")
            if shot.clip_skip > 1:
                self.tell("clip_skip is left out: this base uses CLIP's pooled embedding only")
