"""What a job asks for, as JSON: peers and the check of errors read it, so that neither needs Eleven."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """Parts with their strengths into a file of this rank (0: exact), or into a copy of `base`; else tuned − base.

    With `sampled`, a peer does one layer of each shape and tells the time of the others.
    """

    listing: str
    parts: tuple[tuple[str, float], ...] = ()
    base: str = ""
    tuned: str = ""
    rank: int = 0
    into: bool = False
    sampled: bool = False
    to: str = ""

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return tuple(Path(name) for name in (*(name for name, _ in self.parts), self.base, self.tuned) if name)

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def read_request(text: str) -> Request:
    """The request that JSON tells."""
    told = json.loads(text)
    return Request(**(told | {"parts": tuple((str(name), float(strength)) for name, strength in told["parts"])}))
