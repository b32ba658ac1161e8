"""What is trained: the numbers that learn, and what they become in a file, whichever technique they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from eleven.layers.family import Family
from eleven.tensors import Tensor


@dataclass(frozen=True, eq=False)
class Trainee:
    """`parameters` by name with the learning rate of each in `rates`.

    `tensors` gives what the file holds, in float32; `release` puts the pipeline back as it was; `wording` turns a
    caption into what the text encoders are given. `texts` tells whether captions must be encoded anew at every step,
    `modelspec` what the file is to ModelSpec, `called_by_file` whether prompts call the concept by the file's name.
    """

    parameters: Mapping[str, torch.nn.Parameter]
    rates: Mapping[str, float]
    tensors: Callable[[], dict[str, Tensor]]
    release: Callable[[], None]
    texts: bool
    family: Family | None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    wording: Callable[[str], str] = str
    modelspec: str = "lora"
    called_by_file: bool = False

    def copy(self) -> dict[str, Tensor]:
        """The parameters as they are now."""
        return {name: one.detach().cpu().clone() for name, one in self.parameters.items()}

    def take(self, values: Mapping[str, Tensor]) -> None:
        """Puts values into the parameters."""
        with torch.no_grad():
            for name, one in self.parameters.items():
                one.copy_(values[name])
