"""Writes the concept scorer's weights: torchvision's MobileNetV2, batch norms folded, in half precision."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save_file

from eleven.scorers.mobilenet import folded

OUT = Path(__file__).parents[1] / "src" / "eleven" / "scorers" / "mobilenet_v2" / "mobilenet_v2.safetensors"


def main(source: str) -> None:
    """Writes the weights and their checksum from `mobilenet_v2-b0353104.pth`."""
    weights = folded(torch.load(source, weights_only=True))
    save_file({name: value.half().contiguous() for name, value in weights.items()}, OUT)
    line = f"{sha256(OUT.read_bytes()).hexdigest()}  {OUT.name}\n"
    OUT.with_name("SHA256SUMS").write_text(line, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
