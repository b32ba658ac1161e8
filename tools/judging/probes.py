"""What a base tells of the lab's models: asked with photos, and with pictures of a mix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.engine import Shot
from eleven.engines.inputs import noised
from eleven.engines.probing import STEPS, inputs_for, products
from eleven.lab.people import CONCEPTS, REFERENCES, TRAINING, Concept
from eleven.lab.shipped import concept_folder
from eleven.mix import Mix, Part
from eleven.scorers.references import photos_of
from eleven.suggestions.probe import Probe
from judging.trials import TURNED


def with_photos(engine: DiffusersEngine, files: Sequence[Path], one: Concept) -> Probe:
    """What all models change, the concept's photos and words asked."""
    return products(engine, alone(files), noised(engine, photos(one), one.trigger)).probe()


def with_pictures(engine: DiffusersEngine, files: Sequence[Path], trigger: str) -> Probe:
    """As `eleven suggest` asks about these models without photos."""
    mixes = alone(files)
    return products(engine, mixes, inputs_for(engine, mixes, (), Shot(trigger, 0, steps=STEPS))).probe()


def photos(one: Concept) -> list[NDArray[np.uint8]]:
    """Photos that nothing was trained on."""
    if one in CONCEPTS:
        return list(photos_of(concept_folder(one.name) / "references").values())
    return one.photos(REFERENCES, TRAINING)


def alone(files: Sequence[Path]) -> list[Mix]:
    """Each model by itself at strength 1."""
    return [Mix(parts=(Part(file=str(path)),)) for path in files]


def turned(path: Path, folder: Path) -> Path:
    """The LoRA as if it were of a base whose channels have another order, which is what an unrelated base has."""
    with safe_open(path, "pt") as file:
        told = file.metadata()
    tensors, draw = load_file(path), torch.Generator().manual_seed(5)
    for name, tensor in sorted(tensors.items()):
        if name.endswith("lora_down.weight"):
            tensors[name] = tensor[:, torch.randperm(tensor.shape[1], generator=draw)].contiguous()
        elif name.endswith("lora_up.weight"):
            tensors[name] = tensor[torch.randperm(tensor.shape[0], generator=draw)].contiguous()
    save_file(tensors, folder / f"{path.stem}{TURNED}.safetensors", told)
    return folder / f"{path.stem}{TURNED}.safetensors"
