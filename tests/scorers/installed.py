"""Packages as an installer leaves them, so that entry points are found whatever is installed here."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
OURS = PROJECT["entry-points"]["eleven.scorers"]


def install(folder, name="eleven-mix", scorers=OURS):
    """Writes the metadata of a package with these scorers into the folder."""
    info = folder / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 0.1.0\n")
    points = "".join(f"{key} = {value}\n" for key, value in scorers.items())
    (info / "entry_points.txt").write_text(f"[eleven.scorers]\n{points}")
