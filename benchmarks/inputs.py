"""Where the input files of a family lie; a missing one is made by a process of its own, once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.listing import Listing, list_family, read_listing, write_listing
from benchmarks.measuring import ROOT

TINY = {"sd1": 320 * 320, "sdxl": 640 * 640}
"""With --shapes tiny, files hold only the tensors up to this size."""


@dataclass(frozen=True)
class Inputs:
    """The input files of one family; `tiny` leaves out all but the small layers."""

    folder: Path
    family: str
    tiny: bool = False

    @property
    def home(self) -> Path:
        """Where they lie."""
        return self.folder / f"{self.family}{'-tiny' if self.tiny else ''}"

    @property
    def listing_path(self) -> Path:
        """The listing's file."""
        return self.home / "listing.json"

    @cached_property
    def listing(self) -> Listing:
        """What the files hold; made when it is first asked for."""
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.listing_path.exists():
            write_listing(list_family(self.family, TINY[self.family] if self.tiny else None), self.listing_path)
        return read_listing(self.listing_path)

    def file(self, name: str) -> Path:
        """The file of this name, made unless it is there: base, tuned, lora32-a, lora128-b, loha8, lokr8, locon32-a."""
        path = self.home / f"{name}.safetensors"
        assert self.listing.keys
        if not path.exists():
            command = [sys.executable, "-m", "benchmarks.making", str(self.listing_path), str(path)]
            subprocess.run(command, cwd=ROOT, check=True)
        return path


def demand_space(folder: Path, wanted: int, spare: int = 2**31) -> None:
    """Stops where the disk lacks room for this many bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < wanted + spare:
        raise SystemExit(f"error: {folder} has {free / 1e9:.1f} GB free, {(wanted + spare) / 1e9:.1f} are needed.")
