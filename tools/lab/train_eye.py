"""Trains the lab's eye on people that no concept is made of; run again, it goes on.

python tools/lab/train_eye.py --work DIR --steps 1000; the result is DIR/eye.safetensors, in half precision.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from learning import Average, State, rate
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from eleven.lab.eye import QUESTIONS, WIDTH, Eye, Look, as_input, blurred
from eleven.lab.person import COARSE, FINE, Person, draw_person, look_alike
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import draw_scene

PEOPLE, PHOTOS, GROUP = 7000, 4, 48
RATE, HEAT = 1.5e-3, 0.12
FIRST = 5_000_000


def person_of(number: int) -> Person:
    """Who is on the photos of this number: every second one a look-alike of the one before, one in eight a cat."""
    seed = FIRST + number // 2
    first = draw_person(seed, "cat" if seed % 8 == 0 else "person")
    return first if number % 2 == 0 else look_alike(first, seed + PEOPLE, 0.3)


def photos_of(number: int) -> np.ndarray:
    """The photos of one person."""
    scenes = [draw_scene(FIRST + PHOTOS * number + photo) for photo in range(PHOTOS)]
    return np.stack([draw_portrait(person_of(number), scene) for scene in scenes])


def album(work: Path) -> np.ndarray:
    """All photos as uint8 (people, photos, 96, 96, 3), mapped from a file."""
    path = work / "album.npy"
    if not path.exists():
        with ProcessPoolExecutor(1) as pool:
            draft = path.with_suffix(".new.npy")
            np.save(draft, np.stack(list(pool.map(photos_of, range(PEOPLE), chunksize=32))))
        draft.replace(path)
    return np.load(path, mmap_mode="r")


def answers_of(numbers: np.ndarray, photos: np.ndarray) -> dict[str, Tensor]:
    """The right answers to the eye's questions."""
    scenes = [
        draw_scene(FIRST + PHOTOS * int(number) + int(photo)) for number, photo in zip(numbers, photos, strict=True)
    ]
    return {
        question: torch.tensor([answers.index(getattr(scene, question)) for scene in scenes])
        for question, answers in QUESTIONS.items()
    }


def contrast(first: Tensor, second: Tensor) -> Tensor:
    """Each photo must find the other photo of its person among all (van den Oord 2018, arXiv 1807.03748, eq. 4)."""
    alike = first @ second.T / HEAT
    right = torch.arange(len(first))
    return (functional.cross_entropy(alike, right) + functional.cross_entropy(alike.T, right)) / 2


class Guesses(nn.Module):
    """Reads the numbers of a person off the eye's vectors; only training needs it."""

    def __init__(self) -> None:
        super().__init__()
        self.coarse = nn.Linear(WIDTH, len(COARSE))
        self.fine = nn.Linear(WIDTH, len(FINE))

    def forward(self, look: Look, truth: Tensor) -> Tensor:
        """The squared error, in units of the numbers' own variance."""
        scale = WIDTH**0.5
        coarse, fine = truth.split([len(COARSE), len(FINE)], dim=1)
        off = functional.mse_loss(self.coarse(look.overall * scale), coarse)
        return 12 * (off + functional.mse_loss(self.fine(look.detail * scale), fine))


def softened(pictures: Tensor, chance: np.random.Generator) -> Tensor:
    """The pictures, half of the time a little blurred or noisy, as an autoencoder leaves them."""
    if chance.random() < 0.5:
        return pictures
    soft = blurred(pictures, float(chance.uniform(0.3, 0.8)))
    return soft + float(chance.uniform(0, 0.03)) * torch.randn(pictures.shape)


def learn(work: Path, steps: int, seconds: float) -> None:
    """Trains until `steps`, or for so many seconds, and writes the eye."""
    torch.manual_seed(3)
    both = nn.ModuleDict({"eye": Eye(), "guesses": Guesses()}).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(both.parameters(), lr=RATE, weight_decay=1e-2)
    average = Average(both, 0.998)
    state = State(work, "eye", both=both, average=average, optimiser=optimiser)
    pictures, begun = album(work), time.monotonic()
    truths = torch.from_numpy(np.stack([person_of(number).vector for number in range(PEOPLE)]))
    while state.step < steps and time.monotonic() - begun < seconds:
        chance = np.random.default_rng([4, state.step])
        torch.manual_seed(state.step)
        for group in optimiser.param_groups:
            group["lr"] = RATE * rate(state.step, steps)
        pairs = np.sort(chance.choice(PEOPLE // 2, GROUP // 2, replace=False)) * 2
        numbers = np.stack([pairs, pairs + 1], 1).ravel()
        shown = np.stack([chance.choice(PHOTOS, 2, replace=False) for _ in numbers])
        raw = np.concatenate([pictures[numbers, shown[:, 0]], pictures[numbers, shown[:, 1]]])
        look = both["eye"](softened(as_input(raw), chance))
        who = np.concatenate([numbers, numbers])
        right = answers_of(who, shown.T.ravel())
        found = contrast(*look.overall.chunk(2)) + contrast(*look.detail.chunk(2))
        asked = sum(functional.cross_entropy(look.answers[question], right[question]) for question in QUESTIONS)
        guessed = both["guesses"](look, truths[who])
        optimiser.zero_grad(set_to_none=True)
        (found + asked + guessed).backward()
        nn.utils.clip_grad_norm_(both.parameters(), 2.0)
        optimiser.step()
        state.step += 1
        average.update(both, state.step)
        if state.step % 50 == 0:
            state.report(found=found.item(), asked=float(asked), guessed=guessed.item())
        if state.step % 250 == 0:
            state.save()
    state.save()
    mine = {name.removeprefix("eye."): weight for name, weight in average.weights.items() if name.startswith("eye.")}
    save_file({name: weight.half().contiguous() for name, weight in mine.items()}, work / "eye.safetensors")


def main() -> None:
    """Trains as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="keeps photos, states and logs")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time; run again to go on")
    options = parser.parse_args()
    learn(options.work, options.steps, options.seconds)


if __name__ == "__main__":
    main()
