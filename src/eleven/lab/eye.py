"""`Eye`: who is in a portrait, as an overall and a detail part, and what the scene is; it saw no concept's people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from eleven.lab.scene import BACKGROUNDS, EXPRESSIONS, HATS, SHIRTS
from eleven.tensors import Float, Tensor

WIDTH = 64
QUESTIONS = {
    "expression": tuple(EXPRESSIONS),
    "background": tuple(BACKGROUNDS),
    "shirt": tuple(SHIRTS),
    "hat": tuple(HATS),
}
"""What the eye can tell of a scene, and the answers."""
COARSENESS = 3
"""The overall part sees a picture reduced so many times: moles and wrinkles are gone there."""
BLUR = 2.0
"""The detail part sees what a Gaussian blur of this deviation, in pixels, takes away."""


@final
@dataclass(frozen=True, eq=False)
class Look:
    """What the eye saw: unit vectors (n, 64) of each part, and logits (n, answers) of each question."""

    overall: Float[Tensor, "n 64"]
    detail: Float[Tensor, "n 64"]
    answers: dict[str, Tensor]

    def told(self, question: str) -> list[str]:
        """The likeliest answer for each picture."""
        return [QUESTIONS[question][number] for number in self.answers[question].argmax(1).tolist()]


def tower(channels: tuple[int, ...], side: int, out: int) -> nn.Sequential:
    """Convolutions that halve the side at each but the first width, and a linear layer over what is left."""
    layers: list[nn.Module] = []
    for number, (before, after) in enumerate(zip((3, *channels[:-1]), channels, strict=True)):
        layers += [nn.Conv2d(before, after, 3, stride=1 + (number > 0), padding=1), nn.GroupNorm(2, after), nn.SiLU()]
    left = side >> (len(channels) - 1)
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], 32, 1), nn.Flatten(), nn.Linear(32 * left * left, out))


@final
class Eye(nn.Module):
    """Three towers: a coarse picture for who it is overall, what blurring takes for detail, a small one for words."""

    def __init__(self) -> None:
        super().__init__()
        self.overall = tower((24, 48, 96, 128), 32, WIDTH)
        self.detail = tower((16, 32, 64, 96, 128), 96, WIDTH)
        self.words = tower((16, 32, 64, 96), 48, sum(map(len, QUESTIONS.values())))

    def forward(self, pictures: Float[Tensor, "n 3 96 96"]) -> Look:
        """What is seen in pictures from -1 to 1."""
        overall = self.overall(functional.avg_pool2d(pictures, COARSENESS))
        detail = self.detail((pictures - blurred(pictures)) * 4)
        answers = self.words(functional.avg_pool2d(pictures, 2)).split([*map(len, QUESTIONS.values())], dim=1)
        return Look(
            functional.normalize(overall), functional.normalize(detail), dict(zip(QUESTIONS, answers, strict=True))
        )

    @torch.no_grad()
    def look(self, pictures: np.ndarray, batch: int = 64) -> Look:
        """What is seen in pictures as uint8 of shape (n, 96, 96, 3)."""
        looks = [self(as_input(part)) for part in np.array_split(pictures, -(-len(pictures) // batch))]
        answers = {question: torch.cat([look.answers[question] for look in looks]) for question in QUESTIONS}
        return Look(torch.cat([look.overall for look in looks]), torch.cat([look.detail for look in looks]), answers)


def as_input(pictures: np.ndarray) -> Float[Tensor, "n 3 96 96"]:
    """Eight-bit pictures as numbers from -1 to 1."""
    return torch.from_numpy(np.array(pictures, order="C")).permute(0, 3, 1, 2).float() / 127.5 - 1


def blurred(pictures: Float[Tensor, "n c h w"], deviation: float = BLUR) -> Float[Tensor, "n c h w"]:
    """The pictures behind a Gaussian blur, its deviation in pixels."""
    reach = round(3 * deviation)
    steps = torch.arange(-reach, reach + 1, dtype=pictures.dtype)
    kernel = torch.exp(-0.5 * (steps / deviation) ** 2)
    kernel = (kernel / kernel.sum()).expand(pictures.shape[1], 1, 1, -1)
    padded = functional.pad(pictures, (reach,) * 4, mode="replicate")
    across = functional.conv2d(padded, kernel, groups=pictures.shape[1])
    return functional.conv2d(across, kernel.transpose(2, 3), groups=pictures.shape[1])


@cache
def open_eye() -> Eye:
    """The eye that ships with Eleven."""
    from safetensors.torch import load_file

    eye = Eye()
    with as_file(files("eleven.lab") / "eye.safetensors") as path:
        eye.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return eye.eval().requires_grad_(False)
