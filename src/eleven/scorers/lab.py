"""The scorer of the lab: who its eye sees overall and in detail, and whether the scene is as the prompt says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from eleven.lab.canvas import SIZE
from eleven.lab.scene import BACKGROUNDS, EXPRESSIONS, SHIRTS
from eleven.scorers.scorer import Pixels, References, refuse_argument
from eleven.scorers.sight import Likeness
from eleven.scorers.sizes import squared

if TYPE_CHECKING:
    from eleven.lab.eye import Eye

ASKED = {
    "expression": re.compile(rf"\b({'|'.join(EXPRESSIONS)})\b", re.I),
    "background": re.compile(rf"\b({'|'.join(BACKGROUNDS)})\s+background\b", re.I),
    "shirt": re.compile(rf"\b({'|'.join(SHIRTS)})\s+shirt\b", re.I),
}
"""How a prompt asks for what the eye can tell."""

SAME = 0.65
"""The mean cosine from which photos are of one person: over 0.90 within the lab's people, below 0.42 between two."""


@final
@dataclass(frozen=True, eq=False)
class Seen:
    """Two unit vectors, and the eye's answers."""

    overall: NDArray[np.float32]
    detail: NDArray[np.float32]
    answers: dict[str, str]


@final
class LabSight:
    """The lab's eye; pictures of another size are seen at the lab's."""

    name = "lab"

    def __init__(self, eye: Eye) -> None:
        self.eye = eye

    def see(self, pixels: Pixels) -> Seen:
        """Who and what the eye sees; one picture at a time, so that its numbers never depend on its neighbours."""
        look = self.eye.look(squared(pixels, SIZE)[None])
        answers = {question: look.told(question)[0] for question in ASKED}
        return Seen(look.overall[0].numpy(), look.detail[0].numpy(), answers)

    def overall(self, seen: Seen, other: Seen) -> float:
        """The cosine of the overall parts."""
        return float(seen.overall @ other.overall)

    def detail(self, seen: Seen, other: Seen) -> float:
        """The cosine of the detail parts."""
        return float(seen.detail @ other.detail)

    def prompt(self, seen: Seen, prompt: str) -> float | None:
        """The share of expression, background and shirt that the prompt names and the eye finds."""
        asked = asked_for(prompt)
        return sum(seen.answers[question] == word for question, word in asked.items()) / len(asked) if asked else None


def asked_for(prompt: str) -> dict[str, str]:
    """The answer that the prompt wants to each question that it speaks of."""
    found = {question: pattern.search(prompt) for question, pattern in ASKED.items()}
    return {question: match[1].lower() for question, match in found.items() if match}


def open_lab(references: References, argument: str = "") -> Likeness[Seen]:
    """The lab's scorer for these references."""
    from eleven.lab.eye import open_eye

    refuse_argument("lab", argument)
    return Likeness(LabSight(open_eye()), references, SAME)
