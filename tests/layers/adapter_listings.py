"""Key → shape listings of real adapters, as the recognition takes them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from eleven import techniques
from eleven.layers.suffixes import group

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "assets" / "lora_key_listings"


@cache
def headers():
    """Shapes by key of every real file that was opened for the collection, by the file's name."""
    path = FOLDER / "real_adapter_headers.json.gz"
    files = json.loads(gzip.decompress(path.read_bytes())) if path.exists() else {}
    return {name: {key: shape for key, (shape, _) in held["tensors"].items()} for name, held in files.items()}


def listing(name):
    """Shapes by key of one adapter."""
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def matrices(shapes):
    """The shape of each module's change, by its prefix, as the techniques measure it."""
    modules = group(shapes).modules.items()
    told = {prefix: {suffix: tuple(shapes[key]) for suffix, key in keys.items()} for prefix, keys in modules}
    return {prefix: techniques.measure(held).matrix for prefix, held in told.items()}
