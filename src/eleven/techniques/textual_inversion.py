"""Textual inversion: new words, each with its vectors for one or more text encoders; not a change to any layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from eleven.errors import TensorError
from eleven.tensors import Float, Shape, Tensor

NAME = "textual inversion"
ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
FIRST, SECOND, THIRD = ENCODERS
KEYS = {"clip_l": FIRST, "clip_h": FIRST, "clip_g": SECOND, "t5": THIRD, "t5xxl": THIRD}
"""Keys that name an encoder (OneTrainer says t5, ComfyUI t5xxl)."""
OTHERS = frozenset({"umt5xxl", "llama", "gemma", "gemma2_2b", "qwen", "qwen25_7b", "qwen3_4b", "mt5xl", "pile_t5xl"})
"""Keys of encoders that no canonical name covers; they keep their own (ComfyUI comfy/text_encoders)."""
WIDTHS = {768: FIRST, 1024: FIRST, 1280: SECOND, 4096: THIRD, 2048: THIRD, 2304: "gemma2_2b", 2560: "qwen3_4b",
          3584: "qwen25_7b"}  # fmt: skip
FAMILIES = {
    frozenset({768}): "SD 1",
    frozenset({1024}): "SD 2",
    frozenset({1280}): "SDXL",
    frozenset({768, 1280}): "SDXL",
    frozenset({768, 4096}): "FLUX.1",
    frozenset({768, 1280, 4096}): "SD 3",
}
SINGLE = frozenset({"emb_params", "emp_params"})
"""One encoder's vectors: kohya, and OneTrainer's misspelling of it (StableDiffusionEmbeddingSaver.py)."""
EMBED_FLAG = "<embed>"
BUNDLE, PARAM, TOKEN, OUT = "bundle_emb.", "string_to_param.", "string_to_token.", "_out"
FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
WEIGHT = re.compile(r"\.(weight|bias|alpha)$|lora_|\.lora")


@dataclass(frozen=True, slots=True)
class Rows:
    """Tensors that follow each other row by row, by their keys, and the shape (n, dim) that they have together."""

    keys: tuple[str, ...]
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Word:
    """What to type in a prompt, and where the vectors for each encoder are; `output` has OneTrainer's output side."""

    token: str
    vectors: Mapping[str, Rows]
    output: Mapping[str, Rows] = field(default_factory=dict[str, Rows])

    @property
    def family(self) -> str | None:
        """The family that the vectors' widths tell of, or None."""
        return FAMILIES.get(frozenset(rows.shape[1] for rows in self.vectors.values()))


@dataclass(frozen=True, slots=True)
class Found:
    """The words of a file, and every key that they explain."""

    words: tuple[Word, ...]
    keys: frozenset[str]


Named = tuple[str, str]
"""A token and the name of its encoder, "" where only the width tells."""


def find_words(
    shapes: Mapping[str, Shape], metadata: Mapping[str, str], *, name: str, dtypes: Mapping[str, str] | None = None
) -> Found:
    """Words from keys, shapes and metadata alone; `name` is what a file without a token is called: its own name.

    Layouts: A1111 modules/textual_inversion/textual_inversion.py, kohya train_textual_inversion.py, diffusers
    loaders/textual_inversion.py, OneTrainer *EmbeddingSaver.py, cloneofsimo/lora lora_diffusion/lora.py (EMBED_FLAG),
    LyCORIS tools/pack_bundle.py, ComfyUI comfy/sd1_clip.py, ai-toolkit toolkit/embedding.py.
    """
    kinds = dtypes or {}
    vectors = {key: rows for key, shape in shapes.items() if (rows := _rows(shape)) and kinds.get(key, "F32") in FLOATS}
    named = {key: told for key in vectors if (told := _named(key, metadata, name))}
    left = [key for key in shapes if key not in named and not key.startswith(TOKEN)]
    if not named and not any(WEIGHT.search(key) for key in left):
        named = _whole_file(left, vectors, name)
    words = _words(named, vectors)
    tokens = [key for key in shapes if key.startswith(TOKEN)] if words else []
    return Found(words, frozenset([*named, *tokens]) if words else frozenset())


def _rows(shape: Shape) -> tuple[int, int] | None:
    """(n, dim) of one vector or a list of vectors, or None."""
    if len(shape) not in (1, 2) or 0 in shape:
        return None
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])


def _named(key: str, metadata: Mapping[str, str], name: str) -> Named | None:
    """What a key says by itself, wherever it stands."""
    if key.startswith(BUNDLE):
        return _bundled(key.removeprefix(BUNDLE))
    if metadata.get(key) == EMBED_FLAG:
        return key, ""
    if key.startswith(PARAM):
        token = key.removeprefix(PARAM)
        return (name if token == "*" else token), ""
    return (name, "") if key in SINGLE or key.removesuffix(OUT) in SINGLE else None


def _bundled(rest: str) -> Named:
    """The name ends at the first dot (A1111 extensions-builtin/Lora/networks.py), or before a known ending."""
    for ending in (*KEYS, *OTHERS, *SINGLE):
        for side in (ending, ending + OUT):
            if rest.endswith(f".{side}"):
                return rest.removesuffix(f".{side}"), side if ending not in SINGLE else ""
    if f".{PARAM}" in rest:
        return rest.split(f".{PARAM}", 1)[0], ""
    return rest.split(".", 1)[0], ""


def _whole_file(left: Iterable[str], vectors: Mapping[str, tuple[int, int]], name: str) -> dict[str, Named]:
    """Files that are nothing but words: keys that name encoders, tokens, or a list of either."""
    keys = list(left)
    if not all(key in vectors for key in keys):
        return {}
    bare = {key: re.sub(r"^\d+\.", "", key) for key in keys}
    if all(inner.removesuffix(OUT) in (KEYS.keys() | OTHERS) for inner in bare.values()):
        return {key: (name, inner) for key, inner in bare.items()}
    fits = all(vectors[key][1] in WIDTHS or (key.startswith("<") and key.endswith(">")) for key in keys)
    if not fits:
        return {}
    return {key: (name if bare[key] == "*" or key.isdecimal() else bare[key], "") for key in keys}


def _words(named: Mapping[str, Named], vectors: Mapping[str, tuple[int, int]]) -> tuple[Word, ...]:
    tokens = dict.fromkeys(token for token, _ in named.values())
    return tuple(
        _word(token, {key: told for key, (of, told) in named.items() if of == token}, vectors) for token in tokens
    )


def _word(token: str, keys: Mapping[str, str], vectors: Mapping[str, tuple[int, int]]) -> Word:
    has_g = any(told == "clip_g" for told in keys.values())
    has_l = any(told == "clip_l" for told in keys.values())
    sides: tuple[dict[str, Rows], dict[str, Rows]] = {}, {}
    for key, told in keys.items():
        out = key.endswith(OUT) and (told.endswith(OUT) or key.rsplit(".", 1)[-1].removesuffix(OUT) in SINGLE)
        encoder = _encoder(told.removesuffix(OUT), vectors[key][1])
        if encoder == THIRD and has_l and not has_g:
            encoder = SECOND
        _append(sides[out], encoder, key, vectors[key])
    return Word(token, *sides)


def _encoder(told: str, width: int) -> str:
    return KEYS.get(told) or told or WIDTHS.get(width, FIRST)


def _append(side: dict[str, Rows], encoder: str, key: str, shape: tuple[int, int]) -> None:
    before = side.get(encoder)
    if before is None:
        side[encoder] = Rows((key,), shape)
    elif before.shape[1] == shape[1]:
        side[encoder] = Rows((*before.keys, key), (before.shape[0] + shape[0], shape[1]))
    else:
        raise TensorError(f"{key}: {shape[1]} numbers a vector where {before.keys[0]} has {before.shape[1]}.")


def read_word(word: Word, read: Callable[[str], Tensor]) -> dict[str, Float[Tensor, "n dim"]]:
    """The vectors of each encoder, float32. TensorError where one is no finite number."""
    return _read(word.token, word.vectors, read)


def read_output(word: Word, read: Callable[[str], Tensor]) -> dict[str, Float[Tensor, "n dim"]]:
    """OneTrainer's output side: the vectors that take the place of each encoder's output; none in most files."""
    return _read(word.token, word.output, read)


def _read(token: str, side: Mapping[str, Rows], read: Callable[[str], Tensor]) -> dict[str, Tensor]:
    import torch

    found: dict[str, Tensor] = {}
    for encoder, rows in side.items():
        parts = [read(key).float().reshape(-1, rows.shape[1]) for key in rows.keys]
        found[encoder] = torch.cat(parts)
        if not found[encoder].isfinite().all():
            raise TensorError(f"{rows.keys[0]}: the vectors of {token} hold NaN or infinity.")
    return found
