"""MobileNetV2 (Sandler and others 2018, arXiv 1801.04381) without batch norms, which are folded into convolutions."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import final

import torch
from torch import nn

from eleven.scorers.weights import checked
from eleven.tensors import Float, Tensor

BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Table 2 of the paper: expansion, channels, repeats and the stride of the first."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels, as in its training."""


class Residual(nn.Module):
    """An inverted residual block: widened, seen in depth, and narrowed."""

    def __init__(self, before: int, after: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = before * expansion
        first = [nn.Conv2d(before, wide, 1), nn.ReLU6()] if expansion > 1 else []
        depth = [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide), nn.ReLU6()]
        self.conv = nn.Sequential(*first, *depth, nn.Conv2d(wide, after, 1))
        self.keeps = stride == 1 and before == after

    def forward(self, x: Float[Tensor, "n before h w"]) -> Float[Tensor, "n after h2 w2"]:
        """The block's output, added to its input where they are of one shape."""
        return x + self.conv(x) if self.keeps else self.conv(x)


@final
class MobileNet(nn.Module):
    """The network without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU6())]
        before = 32
        for expansion, after, repeats, stride in BLOCKS:
            for number in range(repeats):
                layers.append(Residual(before, after, expansion, stride if number == 0 else 1))
                before = after
        layers.append(nn.Sequential(nn.Conv2d(before, 1280, 1), nn.ReLU6()))
        self.features = nn.ModuleList(layers)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(3, 1, 1), persistent=False)

    def forward(self, pictures: Float[Tensor, "n 3 h w"], wanted: tuple[int, ...]) -> dict[int, Tensor]:
        """The outputs of the wanted layers, of pictures from 0 to 1."""
        x = (pictures - self.get_buffer("mean")) / self.get_buffer("deviation")
        found: dict[int, Tensor] = {}
        for number, layer in enumerate(self.features[: max(wanted) + 1]):
            x = layer(x)
            if number in wanted:
                found[number] = x
        return found


def folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's tensors as ours: each batch norm folded into the convolution before it."""
    ours: dict[str, Tensor] = {}
    plain, theirs = MobileNet().state_dict(), iter([key for key, value in weights.items() if value.ndim == 4])
    for name in [key.removesuffix(".weight") for key in plain if key.endswith(".weight")]:
        key = next(theirs)
        stem, _, last = key.removesuffix(".weight").rpartition(".")
        norm = f"{stem}.{int(last) + 1}"
        scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + 1e-5).sqrt()
        ours[f"{name}.weight"] = weights[key] * scale.reshape(-1, 1, 1, 1)
        ours[f"{name}.bias"] = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return ours


@cache
def open_mobilenet() -> MobileNet:
    """The network with ImageNet's weights, which ship with Eleven."""
    from safetensors.torch import load

    network = MobileNet()
    with as_file(files("eleven.scorers") / "mobilenet_v2") as folder:
        tensors = load(checked(folder / "mobilenet_v2.safetensors"))
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval().requires_grad_(False)
