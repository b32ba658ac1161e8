"""Draws docs/pictures/exactness.svg: how far common ways of joining two LoRA end from the mix that was asked for.

Run it as `python tools/draw_exactness.py`; every bar is computed here, on two random LoRA of rank 16 at 0.7 each.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from eleven.exports.baking import Request, bake
from eleven.files.writer import write_safetensors
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "exactness.svg"
PREFIX, STRENGTH, RANK = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q", 0.7, 16
LEFT, WIDTH, HEIGHT = 330, 330, 34
OURS, THEIRS = "#2a8c55", "#c4553b"


def main() -> None:
    """Computes the errors and writes the picture."""
    draw = torch.Generator().manual_seed(11)
    pairs = [(torch.randn(1280, RANK, generator=draw), torch.randn(RANK, 1280, generator=draw)) for _ in "ab"]
    asked = sum(STRENGTH * up.double() @ down.double() for up, down in pairs)
    bars = [(name, float((found - asked).norm() / asked.norm())) for name, found in results(pairs)]
    PICTURE.write_text(svg(bars), encoding="utf-8")
    for name, error in bars:
        print(f"{name}: {error:.2e}")


def results(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> list[tuple[str, torch.Tensor]]:
    """What each way makes of the two, as a dense matrix."""
    (up, down), (other_up, other_down) = pairs
    root, side = STRENGTH**0.5, STRENGTH
    averaged = (root * up + root * other_up).double() @ (root * down + root * other_down).double()
    squared = sum((side * one).double() @ (side * two).double() for one, two in pairs)
    halved = sum(side * one.double() @ two.double() for one, two in pairs) / 2
    return [
        ("factors added, up and down apart", averaged),
        ("strength put on both factors", squared),
        ("concatenated, alpha left as it was", halved),
        ("eleven bake, fp16", baked(pairs)),
    ]


def baked(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """The change in the file that Eleven writes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for index, (up, down) in enumerate(pairs):
            tensors = {f"{PREFIX}.lora_up.weight": up, f"{PREFIX}.lora_down.weight": down}
            write_safetensors(folder / f"{index}.safetensors", tensors)
        parts = tuple(Part(file=str(folder / f"{index}.safetensors"), strength=STRENGTH) for index in range(2))
        bake(Mix(parts=parts), Request(folder / "mix.safetensors"))
        with open_finetune(folder / "mix.safetensors") as finetune:
            return next(delta.dense().double() for _, delta in finetune.deltas())


def svg(bars: list[tuple[str, float]]) -> str:
    """Horizontal bars with their numbers, readable on light and dark pages."""
    longest = max(error for _, error in bars)
    rows = []
    for index, (name, error) in enumerate(bars):
        top, colour = 58 + index * HEIGHT, OURS if name.startswith("eleven") else THEIRS
        size = max(2.0, WIDTH * error / longest)
        rows.append(
            f'<text x="{LEFT - 12}" y="{top + 15}" text-anchor="end">{name}</text>'
            f'<rect x="{LEFT}" y="{top}" width="{size:.1f}" height="22" rx="3" fill="{colour}"/>'
            f'<text x="{LEFT + size + 8:.1f}" y="{top + 15}" font-weight="600">{error:.2g}</text>'
        )
    height = 74 + len(bars) * HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="14">'
        f'<rect width="760" height="{height}" rx="8" fill="#ffffff"/><g fill="#1d1d1f">'
        '<text x="20" y="32" font-size="16" font-weight="600">'
        "Two LoRA at 0.7 + 0.7: relative error of the joined file (0 is what was asked)</text>"
        f"{''.join(rows)}</g></svg>\n"
    )


if __name__ == "__main__":
    main()
