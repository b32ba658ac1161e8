"""`Recorder`: writes pictures and their rows behind the back of what makes them; a row never names a missing file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self, final

from eleven.engines.engine import Picture
from eleven.errors import OutputError
from eleven.scorers.scorer import Pixels, Score
from eleven.sheets.credits import Model, infotext_of
from eleven.sheets.png import PARAMETERS, RECIPE, write_png
from eleven.sheets.recipe import Recipe
from eleven.studies.ledger import Ledger, Taken

COMPRESSION = 1
"""Of PNGs: a fifth of the default's time, and files a tenth larger."""


@final
class Recorder:
    """Keeps one batch of pictures in a thread of its own; leaving its `with` block waits for it.

    `count` are the pictures that there are, or will be. `models` are the parts' files by SHA-256 for A1111's infotext;
    without them pictures tell only Eleven's recipe.
    """

    def __init__(self, ledger: Ledger, scorer: str, models: Mapping[str, Model] | None = None) -> None:
        self._ledger, self._scorer, self._models = ledger, scorer, models
        self.count = ledger.count
        self._thread = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None

    def put(self, pictures: Sequence[Picture], scores: Sequence[Score]) -> None:
        """Keeps pictures and scores, once the batch before is kept. OutputError where that could not be written."""
        self.wait()
        self.count += len(pictures)
        self._pending = self._thread.submit(self._keep, list(pictures), list(scores))

    def wait(self) -> None:
        """All that was put is kept. OutputError where it could not be written."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def _keep(self, pictures: Sequence[Picture], scores: Sequence[Score]) -> None:
        taken = [self._write(picture, score) for picture, score in zip(pictures, scores, strict=True)]
        self._ledger.put(self._scorer, taken)

    def _write(self, picture: Picture, score: Score) -> Taken:
        """Puts the file under its recipe's digest, over one whose row a kill has prevented."""
        recipe = Recipe(self._ledger.plan.base, picture.mix, picture.shot)
        file = f"pictures/{recipe.digest[:2]}/{recipe.digest}.png"
        path = self._ledger.folder / file
        _make_folder(path.parent)
        write_png(path, picture.pixels, self._texts(recipe, picture.pixels), force=True, compression=COMPRESSION)
        return Taken(picture.mix, picture.shot, file, digest_of_pixels(picture.pixels), score)

    def _texts(self, recipe: Recipe, pixels: Pixels) -> dict[str, str]:
        texts = {RECIPE: recipe.to_json()}
        if self._models is not None:
            height, width = pixels.shape[:2]
            texts[PARAMETERS] = str(infotext_of(recipe, (width, height), self._models))
        return texts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.shutdown()
        if kind is None:
            self.wait()


def digest_of_pixels(pixels: Pixels) -> str:
    """SHA-256 over the pixels as they lie in memory, row by row."""
    return sha256(pixels.tobytes()).hexdigest()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made a folder: {error.strerror}.", hint="Check the folder.") from error
