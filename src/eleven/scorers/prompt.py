"""The prompt scorer: whether a CLIP that the user has finds the prompt in the picture; without one it tells nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np

from eleven.bases.clip_words import END, clip_tokenizer
from eleven.bases.hub import cached
from eleven.engines.engine import Picture
from eleven.errors import FileError, UsageError
from eleven.scorers.scorer import Pixels, References, Score
from eleven.scorers.sizes import squared

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPTokenizer

KNOWN = (
    "openai/clip-vit-large-patch14",
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    "openai/clip-vit-base-patch16",
    "openai/clip-vit-base-patch32",
)
"""The models that are looked for in the user's cache, the best first; all read words by the same tokenizer."""
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the channels, as in CLIP's training."""
WEIGHT = 2.5
"""What brings cosines to about 0 to 1 (CLIPScore, Hessel and others 2021, arXiv 2104.08718, equation 1)."""


@final
class PromptScorer:
    """CLIPScore of each picture and its prompt; `reason` says why there is none, "" where there is."""

    def __init__(self, references: References, model: CLIPModel | None, reason: str = "") -> None:
        if not references.photos:
            raise UsageError("there are no reference photos.", hint="Give ten to thirty photos of the concept.")
        self.references, self.model, self.reason = references, model, reason
        self.words: CLIPTokenizer | None = model and clip_tokenizer(length=77, padding=END)

    @property
    def name(self) -> str:
        """Always `prompt`."""
        return "prompt"

    def score(self, pictures: Sequence[Picture]) -> list[Score]:
        """The share of the prompt that is found; likeness is not looked at."""
        return [Score(prompt=self.found(picture)) for picture in pictures]

    def leave_one_out(self, shown: Sequence[Pixels] | None = None) -> list[Score]:  # noqa: ARG002
        """Nothing of each reference: photos have no prompts. UsageError for fewer than two, as with any scorer."""
        count = len(self.references.photos)
        if count < 2:
            told = f"there is only {count} reference photo, and likeness among photos needs two."
            raise UsageError(told, hint="Give ten to thirty photos of the concept.")
        return [Score() for _ in self.references.photos]

    def score_impostors(self) -> list[Score]:
        """Nothing of each impostor."""
        return [Score() for _ in self.references.impostors]

    def found(self, picture: Picture) -> float | None:
        """CLIPScore from 0 to 1, None without a model or a prompt."""
        import torch

        prompt = picture.shot.prompt.strip()
        if self.model is None or self.words is None or not prompt:
            return None
        words = self.words(prompt, truncation=True, return_tensors="pt")
        side = cast("int", cast("Any", self.model.config.vision_config).image_size)
        pixels = torch.from_numpy(normalised(squared(picture.pixels, side)))
        with torch.inference_mode():
            seen = self.model(input_ids=words["input_ids"], pixel_values=pixels)
        cosine = float(torch.cosine_similarity(seen.text_embeds, seen.image_embeds)[0])
        return min(max(WEIGHT * cosine, 0.0), 1.0)


def normalised(square: Pixels) -> np.ndarray:
    """The picture as CLIP was trained on, of shape (1, 3, side, side)."""
    light = (square.astype(np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return light.transpose(2, 0, 1)[None]


def open_prompt(references: References, argument: str = "") -> PromptScorer:
    """The prompt scorer with the CLIP of this folder or hub id, or the best that the user has; none is downloaded.

    UsageError where the one asked for is not there.
    """
    for name in [argument] if argument else KNOWN:
        folder = Path(name) if Path(name).is_dir() else cached(name)
        if folder is not None:
            return PromptScorer(references, load(folder))
    if argument:
        told = f"{argument}: is no folder here, and no model of that id was downloaded before."
        raise UsageError(told, hint=f"Download it: hf download {argument}")
    reason = f"no CLIP was downloaded before, so prompts are not scored; for one: hf download {KNOWN[-1]}"
    return PromptScorer(references, None, reason)


def load(folder: Path) -> CLIPModel:
    """The CLIP of a folder. FileError for anything else."""
    from transformers import CLIPModel

    try:
        return CLIPModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    except (OSError, ValueError, RuntimeError) as error:
        raise FileError(f"{folder}: holds no CLIP that can be opened: {str(error).splitlines()[0]}") from error
