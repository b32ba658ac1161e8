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
from eleven.scorers.sight import Fault, Likeness

LAYER, REACH = 6, 1
"""The layer whose patches are compared (eight pixels apart), and how far one may have moved."""
SHARPNESS = 0.1
"""How much a band energy that is e times too high or low takes from the likeness of patches."""
SAME = 0.363
"""The cosine from which OpenCV's documentation of SFace takes two faces for one person's."""


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
    return Likeness(FaceSight(open_faces()), references, SAME)
