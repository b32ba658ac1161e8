"""The face scorer: SFace tells whose face it is, patches and band energies of the upright face how it is in detail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.scorers.bands import Bands, band_distance, bands_of
from eleven.scorers.faces import Faces, open_faces
from eleven.scorers.patches import Patches, patch_likeness, patches_of, seen
from eleven.scorers.scorer import Pixels, References, refuse_argument
from eleven.scorers.sight import Fault, Likeness, closeness

LAYER, REACH = 6, 1
"""The layer whose patches are compared (eight pixels apart), and how far one may have moved."""
SHARPNESS = 0.1
"""How much a band energy that is e times too high or low takes from the likeness of patches."""
SAME = 0.363
"""The cosine from which OpenCV's documentation of SFace takes two faces for one person's."""
JOINED = 0.6
"""Photos of one person are at least by this share as alike as each photo is to those most like it."""


@final
@dataclass(frozen=True, eq=False)
class Seen:
    """Whose face it is, and its detail."""

    identity: NDArray[np.float32]
    patches: Patches
    bands: Bands


@final
class FaceSight:
    """One face in a picture; none, or several, are faults."""

    name = "face"

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def see(self, pixels: Pixels) -> Seen | Fault:
        """The face of the picture."""
        face = self.faces.find(pixels)
        if isinstance(face, Fault):
            return face
        (features,) = seen(face.crop, LAYER)
        return Seen(face.identity, patches_of(features), bands_of(face.crop))

    def overall(self, seen: Seen, other: Seen) -> float:
        """SFace's cosine; the best three references are those of a like pose, so that pose is seen to by itself."""
        return float(seen.identity @ other.identity)

    def detail(self, seen: Seen, other: Seen) -> float:
        """How well the other's patches are found again, less what is too sharp or too smooth."""
        alike = patch_likeness(seen.patches, other.patches, REACH)
        return alike - SHARPNESS * band_distance(seen.bands, other.bands)

    def prompt(self, seen: Seen, prompt: str) -> None:
        """A face says nothing of a prompt."""


def open_face(references: References, argument: str = "") -> Likeness[Seen]:
    """The face scorer for these references. MissingPackage without OpenCV."""
    refuse_argument("face", argument)
    return Likeness(FaceSight(open_faces()), references)


def odd_photos(scorer: Likeness[Seen]) -> dict[str, str]:
    """Reference photos that do not belong, with the reason: no face, several, or the face of somebody else."""
    names = list(scorer.looks)
    vectors = np.stack([look.identity for look in scorer.looks.values()])
    cosines = vectors @ vectors.T
    least = alike_enough(cosines)
    most, *others = groups(cosines, least)
    odd = dict(scorer.faults)
    for group in others:
        for photo in group:
            likeness = float(cosines[photo, most].mean())
            odd[names[photo]] = f"not the face of most photos (mean cosine {likeness:.2f}; one person has {least:.2f})"
    return odd


def alike_enough(cosines: NDArray[np.float32]) -> float:
    """The mean cosine from which groups of photos are of one person."""
    if len(cosines) < 2:
        return SAME
    nearest = [closeness(np.delete(row, place).tolist(), len(row)) for place, row in enumerate(cosines)]
    return max(SAME, JOINED * float(np.median(nearest)))


def groups(cosines: NDArray[np.float32], least: float) -> list[list[int]]:
    """The photos by person, the largest group first: groups join while their mean cosine is at least this."""
    found = [[number] for number in range(len(cosines))]
    while len(found) > 1:
        pairs = [(one, two) for two in range(len(found)) for one in range(two)]
        means = [float(cosines[np.ix_(found[one], found[two])].mean()) for one, two in pairs]
        if max(means) < least:
            break
        one, two = pairs[int(np.argmax(means))]
        found[one] += found.pop(two)
    return sorted(found, key=len, reverse=True)
