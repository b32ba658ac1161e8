"""A trained fine-tune written down: its tensors in the plan's type, and what the file says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eleven.errors import TensorError
from eleven.exports.forms import DTYPES
from eleven.files.dtypes import torch_type
from eleven.files.growing import GrowingFile, room_for
from eleven.techniques.exact import is_finite
from eleven.tensors import Tensor

HASHES = {"sshs_model_hash": "0" * 64, "modelspec.hash_sha256": "0x" + "0" * 64}


def write_trained(
    to: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], dtype: str, *, force: bool
) -> None:
    """One safetensors file. TensorError for numbers too large for the type; OutputError as `GrowingFile`."""
    rounded = {key: one.to(torch_type(DTYPES[dtype])).contiguous() for key, one in sorted(tensors.items())}
    for key, one in rounded.items():
        if not is_finite(one):
            raise TensorError(f"{key} is too large for {dtype}.", hint="Use --dtype bf16 or fp32.")
    size = sum(one.nbytes for one in rounded.values())
    with GrowingFile(to, room=room_for([*rounded], {**metadata, **HASHES}), size=size, force=force) as file:
        for key, one in rounded.items():
            file.append(key, one)
        digest = file.digest
        file.metadata |= {**metadata, "sshs_model_hash": digest, "modelspec.hash_sha256": f"0x{digest}"}
