"""Photos, a base and trainings for the tests, and files applied by this project's own deltas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from eleven import techniques
from eleven.files.safetensors import SafetensorsFile
from eleven.layers.suffixes import group
from eleven.training.naming import modules_of, names_for
from eleven.training.photos import read_photos
from eleven.training.plan import plan_for
from eleven.training.runs import Job, train

WORD, CLASS = "ohwx", "cat"


def write_photos(folder: Path, count: int = 4, size: tuple[int, int] = (32, 32)) -> Path:
    """A folder of smooth pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(chance.integers(0, 255, (4, 4, 3), dtype=np.uint8))
        small.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def photos_of(folder: Path):
    return read_photos(folder, trigger=WORD, class_word=CLASS)


def short_plan(technique: str, **changes: object):
    """A training of a few steps whose changes are large enough to be seen."""
    rate = 1e-3 if technique == "dreambooth" else 2e-2
    rates = {"learning_rate": 0.0 if technique == "textual-inversion" else rate, "text_learning_rate": rate}
    told = {
        "steps": 4,
        "batch": 2,
        "rank": 2,
        "trigger": WORD,
        "class_word": CLASS,
        "dtype": "fp32",
        "resolution": 32,
        **rates,
    }
    return plan_for(technique, **{**told, **changes})


def train_briefly(base, folder: Path, to: Path, technique: str = "lora", **changes: object):
    """A trained file, and what the denoiser predicted at the last step, adapters still on it."""
    plan = short_plan(technique, **changes)
    seen = []

    def look(progress):
        if progress.step == plan.steps:
            seen.append(prediction(base.pipeline, f"photo of {WORD} {CLASS}"))

    found = train(base, Job(plan, photos_of(folder), to), look)
    return found, seen[0]


def prediction(pipeline, caption: str) -> torch.Tensor:
    """What the denoiser makes of fixed noise."""
    from eleven.bases.architectures import architecture_of

    architecture = architecture_of(pipeline)
    channels = pipeline.vae.config.latent_channels
    noise = torch.randn(2, channels, 16, 16, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([0.2, 0.7]) if architecture.denoiser == "transformer" else torch.tensor([100, 700])
    with torch.no_grad():
        return architecture.predict(pipeline, noise, times, architecture.encode(pipeline, [caption, caption]))


@dataclass
class ModuleWeights:
    """Implements `Original` for a module in memory."""

    module: torch.nn.Module

    def weight(self) -> torch.Tensor:
        return self.module.weight.detach().float()

    def bias(self) -> torch.Tensor | None:
        return None if self.module.bias is None else self.module.bias.detach().float()


@contextmanager
def applied(pipeline, path: Path) -> Iterator[int]:
    """The pipeline with the deltas that this project reads from a file; gives how many modules it changes."""
    with SafetensorsFile(path) as file:
        grouped = group(file.entries)
        assert not grouped.rest
        found = {
            prefix: {suffix: file.read(key) for suffix, key in keys.items()} for prefix, keys in grouped.modules.items()
        }
    names = names_for(pipeline, frozenset({"lora_up.weight", "lora_down.weight"} if is_diffusers(found) else {""}))
    modules = {names.prefixes[at, name]: one for at, name, one in modules_of(pipeline) if (at, name) in names.prefixes}
    before: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
    with torch.no_grad():
        for prefix, tensors in found.items():
            module = modules[prefix]
            for parameter, delta in techniques.decode(tensors, ModuleWeights(module)).items():
                one = getattr(module, parameter)
                before.append((one, one.detach().clone()))
                one += delta.dense().reshape(one.shape)
        yield len(found)
        for one, original in before:
            one.copy_(original)


def is_diffusers(prefixes) -> bool:
    return any(prefix.startswith("transformer.") for prefix in prefixes)


def same_bytes_as(base) -> dict[str, torch.Tensor]:
    """A copy of everything that a training must give back."""
    parts = {name: part for name, part in base.pipeline.components.items() if isinstance(part, torch.nn.Module)}
    return {f"{name}.{key}": one.clone() for name, part in parts.items() for key, one in part.state_dict().items()}
