"""Trains the lab's text encoder and UNet on latents of captioned portraits; run again, it goes on.

python tools/lab/train_unet.py --work DIR --steps 8000 [--seconds N]; the autoencoder has to be there already.
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
from torch.nn import functional
from train_autoencoder import make_autoencoder
from words import NAMES, WIDTH, make_text_encoder, make_tokenizer

from eleven.lab.captions import caption

BATCH, RATE, GAMMA, UNTOLD, READING = 32, 1e-3, 5.0, 0.1, 0.2
FIRST, COUNT = 2_000_000, 32_000


def face_weights() -> Tensor:
    """Weights (12, 12) of mean one that count a latent of the face up to five times one of the corners."""
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    weights = 1 + 4 * torch.exp(-((rows - 6).square() + (columns - 5.5).square()) / 8)
    return weights / weights.mean()


FACE_WEIGHTS = face_weights()


def make_unet() -> UNet2DConditionModel:
    """Stable Diffusion's UNet in three levels."""
    return UNet2DConditionModel(
        sample_size=12,
        in_channels=8,
        out_channels=8,
        block_out_channels=(64, 128, 160),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D",) * 3,
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


def phrases_of(told: list[str]) -> Tensor:
    """Which phrases each caption holds, as (captions, phrases) of 0 and 1."""
    parts = [text.split(", ")[1:] for text in told]
    places = {phrase: place for place, phrase in enumerate(sorted({phrase for part in parts for phrase in part}))}
    held = torch.zeros(len(parts), len(places))
    for row, part in zip(held, parts, strict=True):
        row[[places[phrase] for phrase in part]] = 1
    return held


def batches(
    latents: Tensor, tokens: Tensor, phrases: Tensor, empty: Tensor, step: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Random latents, their tokens and their phrases from this step on, some captions left out."""
    while True:
        chance = torch.Generator().manual_seed(step)
        chosen = torch.randint(len(latents), (BATCH,), generator=chance)
        words, held = tokens[chosen].clone(), phrases[chosen]
        left_out = torch.rand(BATCH, generator=chance) < UNTOLD
        words[left_out], held[left_out] = empty, 0
        yield latents[chosen].contiguous(memory_format=torch.channels_last), words, held
        step += 1


def reading_loss(head: nn.Module, states: Tensor, held: Tensor) -> Tensor:
    """How badly the phrases of a caption can be read off its states.

    Without it, words that change few pixels (an expression) are not told apart by the text encoder, and then the UNet
    has nothing to learn them from.
    """
    return READING * functional.binary_cross_entropy_with_logits(head(states.mean(1)), held)


def loss_of(unet: nn.Module, scheduler: DDIMScheduler, latents: Tensor, states: Tensor, step: int) -> Tensor:
    """The v-prediction loss under the root of min-SNR weights (Hang et al. 2023, arXiv 2303.09556, section 3.4).

    The root, since what a caption decides is decided where there is more noise than those weights count.
    """
    chance = torch.Generator().manual_seed(step + 1_000_000)
    noise = torch.randn(latents.shape, generator=chance)
    times = torch.randint(1000, (len(latents),), generator=chance)
    noisy = scheduler.add_noise(latents, noise, times)
    target = scheduler.get_velocity(latents, noise, times)
    share = scheduler.alphas_cumprod[times]
    snr = share / (1 - share)
    weight = (snr.clamp(max=GAMMA) / (snr + 1)).sqrt()
    made = unet(noisy.contiguous(memory_format=torch.channels_last), times, states).sample
    return (((made - target).square() * FACE_WEIGHTS).mean((1, 2, 3)) * weight).mean()


def learn(work: Path, steps: int, seconds: float) -> None:
    """Trains until `steps`, or for so many seconds."""
    torch.manual_seed(2)
    tokenizer, unet, scheduler = make_tokenizer(), make_unet().to(memory_format=torch.channels_last), make_scheduler()
    told = captions()
    phrases = phrases_of(told)
    head = nn.Linear(WIDTH, phrases.shape[1])
    both = nn.ModuleDict({"unet": unet, "text": make_text_encoder(tokenizer), "head": head})
    optimiser = torch.optim.AdamW(both.parameters(), lr=RATE, weight_decay=1e-2, betas=(0.9, 0.99))
    average = Average(both, 0.9993)
    state = State(work, "base", both=both, average=average, optimiser=optimiser)
    latents, _ = latents_of(work)
    tokens = tokenizer(told, padding="max_length", truncation=True, return_tensors="pt").input_ids
    empty = tokenizer("", padding="max_length", return_tensors="pt").input_ids[0]
    source, begun, errors = batches(latents, tokens, phrases, empty, state.step), time.monotonic(), []
    while state.step < steps and time.monotonic() - begun < seconds:
        for group in optimiser.param_groups:
            group["lr"] = RATE * rate(state.step, steps)
        clean, words, held = next(source)
        states = both["text"](words).last_hidden_state
        error = loss_of(unet, scheduler, clean, states, state.step)
        optimiser.zero_grad(set_to_none=True)
        (error + reading_loss(head, states, held)).backward()
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
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time; run again to go on")
    options = parser.parse_args()
    learn(options.work, options.steps, options.seconds)


if __name__ == "__main__":
    main()
