"""Words written down again, in the layouts that other programs read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from eleven.errors import TensorError
from eleven.techniques.textual_inversion import BUNDLE, FIRST, OUT, PARAM, SECOND, THIRD
from eleven.tensors import Float, Tensor

Layout = Literal["kohya", "diffusers", "bundle"]
T5 = 4096
KEYS = {FIRST: "clip_l", SECOND: "clip_g", THIRD: "t5xxl"}


def encode(token: str, vectors: Mapping[str, Float[Tensor, "n dim"]], *, layout: Layout = "kohya") -> dict[str, Tensor]:
    """Tensors of a safetensors file: `find_words` gives the same word back.

    `kohya`: emb_params, or a key for each encoder (A1111, ComfyUI and kohya read both); `diffusers`: the token as key,
    one encoder only; `bundle`: for adding to an adapter's tensors. TensorError where the layout cannot hold the word.
    """
    if not vectors or any(tensor.dim() != 2 or 0 in tensor.shape for tensor in vectors.values()):
        raise TensorError(f"{token}: vectors have the shape (n, dim), with neither of them 0.")
    if layout == "bundle" and "." in token:
        raise TensorError(f"{token}: a bundled word's name cannot hold a dot.", hint="Rename the word.")
    single = set(vectors) == {FIRST}
    if layout == "diffusers":
        if len(vectors) > 1:
            raise TensorError(f"{token}: diffusers keeps one encoder a file, not {len(vectors)}.", hint="Use kohya.")
        return {token: next(iter(vectors.values()))}
    if single:
        key = f"{BUNDLE}{token}.{PARAM}*" if layout == "bundle" else "emb_params"
        return {key: vectors[FIRST]}
    start = f"{BUNDLE}{token}." if layout == "bundle" else ""
    return {f"{start}{_key(encoder, tensor)}": tensor for encoder, tensor in vectors.items()}


def encode_output(token: str, vectors: Mapping[str, Float[Tensor, "n dim"]]) -> dict[str, Tensor]:
    """OneTrainer's output side of a bundled word (`bundle_emb.NAME.clip_l_out`), beside what `encode` gives."""
    return {f"{BUNDLE}{token}.{_key(encoder, tensor)}{OUT}": tensor for encoder, tensor in vectors.items()}


def _key(encoder: str, tensor: Tensor) -> str:
    return KEYS[THIRD] if encoder == SECOND and tensor.shape[1] == T5 else KEYS.get(encoder, encoder)
