"""Trains the lab's text encoder and UNet on latents of captioned portraits; run again, it goes on.

python tools/lab/train_unet.py --work DIR --steps 3400 [--seconds N]; the autoencoder has to be there already.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from learning import Average, State, rate
from portraits import drawn, portraits
from torch import Tensor, nn
from train_autoencoder import make_autoencoder
from words import NAMES, WIDTH, make_text_encoder, make_tokenizer

from eleven.lab.captions import caption

BATCH, RATE, GAMMA, UNTOLD = 32, 1e-3, 5.0, 0.1
FIRST, COUNT = 2_000_000, 32_000


def make_unet() -> UNet2DConditionModel:
    """Stable Diffusion's UNet in three levels, the uppermost without attention."""
    return UNet2DConditionModel(
        sample_size=12,
        in_channels=8,
        out_channels=8,
        block_out_channels=(64, 128, 160),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def make_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise, predicted as v."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def trained_autoencoder(work: Path) -> AutoencoderKL:
    """The autoencoder with its averaged weights."""
    network = make_autoencoder()
    network.load_state_dict(torch.load(work / "autoencoder.pt", weights_only=True)["average"])
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@torch.no_grad()
def latents_of(work: Path) -> tuple[Tensor, float]:
    """Latents (count, 8, 12, 12) of all portraits, scaled to a deviation of one, and the scale."""
    path = work / "latents.pt"
    if not path.exists():
        encoder, pictures = trained_autoencoder(work), portraits(work, COUNT, FIRST)
        parts = [
            encoder.encode(torch.from_numpy(np.array(part)).permute(0, 3, 1, 2).float() / 127.5 - 1).latent_dist.mean
            for part in np.array_split(pictures, len(pictures) // 50)
        ]
        torch.save(torch.cat(parts), path)
    latents = torch.load(path, weights_only=True)
    scale = round(1 / latents.std().item(), 4)
    return latents * scale, scale


def captions() -> list[str]:
    """A caption of each portrait; in one of eight a name without a meaning stands before the person."""
    told: list[str] = []
    for seed in range(FIRST, FIRST + COUNT):
        text = caption(*drawn(seed), seed)
        name = f"{NAMES[seed % len(NAMES)]} " if seed % 8 == 3 else ""
        told.append(text.replace("photo of a ", f"photo of {name or 'a '}", 1))
    return told


def batches(latents: Tensor, tokens: Tensor, empty: Tensor, step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Random latents and their tokens from this step on, some captions left out."""
    while True:
        chance = torch.Generator().manual_seed(step)
        chosen = torch.randint(len(latents), (BATCH,), generator=chance)
        words = tokens[chosen].clone()
        words[torch.rand(BATCH, generator=chance) < UNTOLD] = empty
        yield latents[chosen].contiguous(memory_format=torch.channels_last), words
        step += 1


def loss_of(unet: nn.Module, scheduler: DDIMScheduler, latents: Tensor, states: Tensor, step: int) -> Tensor:
    """The v-prediction loss under min-SNR weights (Hang et al. 2023, arXiv 2303.09556, section 3.4)."""
    chance = torch.Generator().manual_seed(step + 1_000_000)
    noise = torch.randn(latents.shape, generator=chance)
    times = torch.randint(1000, (len(latents),), generator=chance)
    noisy = scheduler.add_noise(latents, noise, times)
    target = scheduler.get_velocity(latents, noise, times)
    share = scheduler.alphas_cumprod[times]
    snr = share / (1 - share)
    weight = snr.clamp(max=GAMMA) / (snr + 1)
    made = unet(noisy.contiguous(memory_format=torch.channels_last), times, states).sample
    return ((made - target).square().mean((1, 2, 3)) * weight).mean()


def learn(work: Path, steps: int, seconds: float) -> None:
    """Trains until `steps`, or for so many seconds."""
    torch.manual_seed(2)
    tokenizer, unet, scheduler = make_tokenizer(), make_unet().to(memory_format=torch.channels_last), make_scheduler()
    both = nn.ModuleDict({"unet": unet, "text": make_text_encoder(tokenizer)})
    optimiser = torch.optim.AdamW(both.parameters(), lr=RATE, weight_decay=1e-2, betas=(0.9, 0.99))
    average = Average(both, 0.9993)
    state = State(work, "base", both=both, average=average, optimiser=optimiser)
    latents, _ = latents_of(work)
    tokens = tokenizer(captions(), padding="max_length", truncation=True, return_tensors="pt").input_ids
    empty = tokenizer("", padding="max_length", return_tensors="pt").input_ids[0]
    source, begun, errors = batches(latents, tokens, empty, state.step), time.monotonic(), []
    while state.step < steps and time.monotonic() - begun < seconds:
        for group in optimiser.param_groups:
            group["lr"] = RATE * rate(state.step, steps)
        clean, words = next(source)
        error = loss_of(unet, scheduler, clean, both["text"](words).last_hidden_state, state.step)
        optimiser.zero_grad(set_to_none=True)
        error.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimiser.step()
        state.step += 1
        average.update(both, state.step)
        errors.append(error.item())
        if state.step % 100 == 0:
            state.report(loss=round(sum(errors[-100:]) / 100, 5))
        if state.step % 500 == 0:
            state.save()
    state.save()


def main() -> None:
    """Trains as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="keeps latents, states and logs")
    parser.add_argument("--steps", type=int, default=3400)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time; run again to go on")
    options = parser.parse_args()
    learn(options.work, options.steps, options.seconds)


if __name__ == "__main__":
    main()
