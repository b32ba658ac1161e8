"""Finds the face of a picture with YuNet, lays it upright, and describes it with SFace, through OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from eleven.errors import MissingPackage
from eleven.scorers.scorer import Pixels
from eleven.scorers.sight import Fault
from eleven.scorers.sizes import within
from eleven.scorers.weights import checked

SMALLEST, LARGEST = 320, 640
"""The longer side of the picture in which a face is looked for: YuNet misses faces much larger or smaller."""
SURE, OVERLAP, MOST = 0.7, 0.3, 50
"""How sure YuNet must be of a face, the overlap above which two are one, and how many it sorts."""
BESIDE = 1 / 9
"""A face of less than this share of the largest one's area is somebody in the background."""
CROP = 224
"""The side of an upright face, in pixels."""
EYES_NOSE_MOUTH = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where SFace wants the landmarks in a picture of 112 pixels (OpenCV, face_recognize.cpp)."""
SFACE = 112
LEAST = 16
"""A picture whose shorter side is below this has no room for a face."""


WEIGHTS = ("face_detection_yunet_2023mar_int8bq.onnx", "face_recognition_sface_2021dec_int8bq_ort.onnx")


@final
@dataclass(frozen=True, eq=False)
class Face:
    """An upright face of (224, 224, 3), and SFace's unit vector of whose it is."""

    crop: Pixels
    identity: NDArray[np.float32]


@final
class Faces:
    """The two networks. Not to be shared between threads: the detector holds the size of its picture."""

    def __init__(self) -> None:
        self.cv = load_opencv()
        log = self.cv.utils.logging
        before = log.setLogLevel(log.LOG_LEVEL_ERROR)
        with as_file(files("eleven.scorers") / "opencv_zoo") as folder:
            for name in WEIGHTS:
                checked(folder / name)
            detector, recogniser = (str(folder / name) for name in WEIGHTS)
            self.detector = self.cv.FaceDetectorYN.create(detector, "", (SMALLEST, SMALLEST), SURE, OVERLAP, MOST)
            self.recogniser = self.cv.FaceRecognizerSF.create(recogniser, "")
        log.setLogLevel(before)

    def find(self, pixels: Pixels) -> Face | Fault:
        """The one face of a picture, or how many there are."""
        share = min(max(1.0, SMALLEST / max(pixels.shape[:2])), LARGEST / max(pixels.shape[:2]))
        height, width = (max(round(side * share), 1) for side in pixels.shape[:2])
        if min(height, width) < LEAST:
            return Fault("no face")
        small = within(pixels, LARGEST) if share < 1 else self.cv.resize(pixels, (width, height))
        self.detector.setInputSize(small.shape[1::-1])
        found = self.detector.detect(np.ascontiguousarray(small[:, :, ::-1]))[1]
        rows = [] if found is None else [row for row in found if area(row) >= BESIDE * max(map(area, found))]
        if len(rows) != 1:
            return Fault(f"{len(rows)} faces" if rows else "no face")
        marks = rows[0][4:14].reshape(5, 2) * (pixels.shape[1] / small.shape[1])
        crop = self.upright(pixels, marks)
        return Face(crop, self.identity(crop))

    def upright(self, pixels: Pixels, marks: NDArray[np.float32]) -> Pixels:
        """The face turned, moved and scaled so that its landmarks lie where SFace wants them."""
        matrix = similarity(marks, EYES_NOSE_MOUTH * (CROP / SFACE))
        share = float(np.linalg.norm(matrix[0, :2]))
        if share < 0.5:
            reduced = within(pixels, round(max(pixels.shape[:2]) * share))
            return self.upright(reduced, marks * (reduced.shape[1] / pixels.shape[1]))
        return self.cv.warpAffine(pixels, matrix, (CROP, CROP), borderMode=self.cv.BORDER_REPLICATE)

    def identity(self, crop: Pixels) -> NDArray[np.float32]:
        """SFace's vector of an upright face."""
        small = self.cv.resize(crop, (SFACE, SFACE), interpolation=self.cv.INTER_AREA)
        vector = self.recogniser.feature(np.ascontiguousarray(small[:, :, ::-1]))[0].copy()
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def area(row: NDArray[np.float32]) -> float:
    """The area of a detected face."""
    return float(row[2] * row[3])


def similarity(marks: NDArray[np.floating], wanted: NDArray[np.floating]) -> NDArray[np.float64]:
    """The turn, scale and shift, as a matrix (2, 3), that brings points nearest to where they are wanted."""
    here, there = (points[:, 0] + 1j * points[:, 1] for points in (marks.astype(float), wanted.astype(float)))
    ours, theirs = here - here.mean(), there - there.mean()
    turn = (ours.conj() @ theirs) / max(float((abs(ours) ** 2).sum()), 1e-12)
    shift = there.mean() - turn * here.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def load_opencv() -> Any:  # noqa: ANN401 - OpenCV has no types for these classes
    """OpenCV. MissingPackage where it is not installed."""
    try:
        import cv2
    except ImportError as error:
        raise MissingPackage("the face scorer needs OpenCV.", hint="pip install 'eleven-mix[face]'") from error
    return cv2


@cache
def open_faces() -> Faces:
    """The networks, opened once."""
    return Faces()
