"""Trains the lab's autoencoder, 96 × 96 pixels to 12 × 12 latents of 8 channels; run again, it goes on.

python tools/lab/train_autoencoder.py --work DIR --steps 15000
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from learning import Average, State, rate
from portraits import portraits
from torch import Tensor, nn
from torch.nn import functional

BATCH, CROP, RATE, KL = 8, 56, 1.5e-3, 3e-4
COUNT = 16_000
NEAR, FACE = 0.75, 20
"""The share of pieces that show the face, and where their corners are about."""


def make_autoencoder() -> AutoencoderKL:
    """Stable Diffusion's autoencoder, narrow where the picture is large, without attention."""
    network = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 16, 64, 96),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=1,
        sample_size=96,
        mid_block_add_attention=False,
    )
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            begin_passing(name, module)
    return network


@torch.no_grad()
def begin_passing(name: str, conv: nn.Conv2d) -> None:
    """Starts a convolution near the identity, and the inside of a residual block near nothing.

    As usually started, a dozen narrow layers in a row pass one colour only, and the others are learned very late.
    """
    if ".conv1" in name or ".conv2" in name:
        conv.weight.mul_(0.3 if ".conv2" in name else 1)
        return
    nn.init.dirac_(passed := torch.empty_like(conv.weight))
    conv.weight.mul_(0.3).add_(passed)
    if name in ("encoder.conv_out", "quant_conv"):
        conv.weight[8:].mul_(0.1)
    if name == "quant_conv":
        conv.bias[8:] = -3.0


def edges(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbouring pixels, across and down."""
    return pictures[..., 1:] - pictures[..., :-1], pictures[..., 1:, :] - pictures[..., :-1, :]


def loss_of(made: Tensor, real: Tensor) -> Tensor:
    """Absolute errors of pixels, of fine edges, and of both at half the size."""
    total = functional.l1_loss(made, real)
    for scale in (1, 2):
        a, b = (made, real) if scale == 1 else (functional.avg_pool2d(made, 2), functional.avg_pool2d(real, 2))
        total = total + sum(functional.l1_loss(x, y) for x, y in zip(edges(a), edges(b), strict=True))
    return total


def batch_of(pictures: np.ndarray, chance: np.random.Generator) -> Tensor:
    """Random pieces of pictures from -1 to 1, mostly of the face, half of the batches mirrored."""
    chosen = np.sort(chance.choice(len(pictures), BATCH, replace=False))
    corners = chance.integers(0, 96 - CROP, (BATCH, 2), endpoint=True)
    near = chance.random(BATCH) < NEAR
    corners[near] = np.clip(chance.normal(FACE, 6, (near.sum(), 2)), 0, 96 - CROP).astype(int)
    pieces = [pictures[one, y : y + CROP, x : x + CROP] for one, (x, y) in zip(chosen, corners, strict=True)]
    batch = torch.from_numpy(np.stack(pieces)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return (batch.flip(3) if chance.random() < 0.5 else batch).contiguous(memory_format=torch.channels_last)


def learn(work: Path, steps: int, seconds: float) -> None:
    """Trains until `steps`, or for so many seconds."""
    torch.manual_seed(1)
    network = make_autoencoder().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-4, betas=(0.9, 0.98))
    average = Average(network, 0.998)
    state = State(work, "autoencoder", network=network, average=average, optimiser=optimiser)
    pictures, begun, errors = portraits(work, COUNT), time.monotonic(), []
    while state.step < steps and time.monotonic() - begun < seconds:
        chance = np.random.default_rng([3, state.step])
        torch.manual_seed(state.step)
        for group in optimiser.param_groups:
            group["lr"] = RATE * rate(state.step, steps)
        real = batch_of(pictures, chance)
        posterior = network.encode(real).latent_dist
        made = network.decode(posterior.sample()).sample
        error = loss_of(made, real)
        optimiser.zero_grad(set_to_none=True)
        (error + KL * posterior.kl().mean() / posterior.mean[0].numel()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        state.step += 1
        average.update(network, state.step)
        errors.append(functional.l1_loss(made.detach(), real).item())
        if state.step % 100 == 0:
            state.report(l1=round(sum(errors[-100:]) / 100, 5), deviation=round(posterior.mean.std().item(), 3))
        if state.step % 250 == 0:
            state.save()
    state.save()


def main() -> None:
    """Trains as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="keeps pictures, states and logs")
    parser.add_argument("--steps", type=int, default=15_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time; run again to go on")
    options = parser.parse_args()
    learn(options.work, options.steps, options.seconds)


if __name__ == "__main__":
    main()
